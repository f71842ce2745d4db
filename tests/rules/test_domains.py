"""The values of symbols in the terms of the user."""

import numpy as np
import pytest

from gedi.errors import RuleError
from gedi.rules import CallableRule, CircuitRule, FoldRule, Rule, SymbolicRule, sum_rule
from gedi.rules.domains import values_of

COLOURS = ("red", "green", "blue")


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        (Rule(lambda a, b: a != b, dict.fromkeys("ab", COLOURS), observed=()), COLOURS),
        (Rule(lambda a: True, {"a": np.array([3, 1])}, observed=()), (3, 1)),
        # Symbols that call cluster 1 by different names have its number in common.
        (Rule(lambda a, b: True, {"a": COLOURS, "b": range(3)}, observed=()), (0, 1, 2)),
        (Rule(lambda a, b: True, {"a": (1, 0), "b": (0, 1)}, observed=()), (0, 1)),
        (FoldRule(lambda state, y: y, "", 2, COLOURS), COLOURS),
        (sum_rule(2, 4), (0, 1, 2, 3)),
        (CallableRule(lambda x, codes: codes, 2, 3, [0]), (0, 1, 2)),
        (CallableRule(lambda x, codes: codes, 2, 3, [0], COLOURS), COLOURS),
    ],
)
def test_rules_keep_the_values_of_their_symbols(rule, values):
    assert rule.values == values and rule.n_values == len(values)
    assert isinstance(rule, SymbolicRule)


def test_rules_in_logic_keep_them_too():
    pytest.importorskip("pysdd", reason="rules in logic need the extra rules")
    pytest.importorskip("klay", reason="rules in logic need the extra rules")
    assert CircuitRule(lambda is_: is_(0, 1), 1, 3).values == (0, 1, 2)
    named = [
        CircuitRule(lambda is_: is_(0, 1), 2, 3, COLOURS),
        CircuitRule.from_clauses([(1,)], 2, 3, values=COLOURS),
        CircuitRule.from_dimacs("p cnf 6 1\n1 0\n", 2, 3, values=COLOURS),
        CircuitRule.all_different([[0, 1]], 2, 3, values=COLOURS),
    ]
    assert all(rule.values == COLOURS for rule in named)
    text = CircuitRule.from_expression("a < b", dict.fromkeys("ab", (4, 7)))
    assert text.values == (4, 7)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("red", "green"), "values: expected 3, as n_values says, got 2"),
        (("red", "green", "red"), "values: expected different values, got 'red' twice"),
    ],
)
def test_values_that_do_not_fit_are_refused(values, message):
    with pytest.raises(RuleError, match=message):
        values_of(values, 3)
