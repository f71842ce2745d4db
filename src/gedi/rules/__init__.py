"""Rules over the symbols of several inputs, as the log-probability that they hold."""

from gedi.rules.callable import CallableRule
from gedi.rules.enumeration import Rule
from gedi.rules.fold import FoldRule, sum_rule
from gedi.rules.protocol import SymbolicRule

__all__ = [
    "CallableRule",
    "FoldRule",
    "Rule",
    "SymbolicRule",
    "sum_rule",
]
