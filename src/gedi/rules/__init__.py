"""Rules over the symbols of several inputs, and the log-probability that they hold."""

from gedi.rules.callable import CallableRule
from gedi.rules.circuit import CircuitRule, Diagram
from gedi.rules.dimacs import all_different, literal
from gedi.rules.enumeration import Rule
from gedi.rules.fold import FoldRule, sum_rule
from gedi.rules.protocol import SymbolicRule

__all__ = [
    "CallableRule",
    "CircuitRule",
    "Diagram",
    "FoldRule",
    "Rule",
    "SymbolicRule",
    "all_different",
    "literal",
    "sum_rule",
]
