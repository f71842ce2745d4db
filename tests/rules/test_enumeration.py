"""Rules that are evaluated for all worlds."""

import math
import operator

import numpy as np
import pytest
import torch
from brute_force import check_against_brute_force, check_impossible, log_posteriors
from hypothesis import given, settings
from hypothesis import strategies as st

from gedi.errors import RuleError
from gedi.rules import Rule, enumeration
from gedi.rules.lattice import Lattice
from gedi.rules.worlds import Worlds

ADDITION = {"a": range(10), "b": range(10), "s": range(19)}


@st.composite
def relations(draw):
    """Numbers of binary symbols and of outcomes, and for each world its outcomes."""
    k = draw(st.integers(1, 12))
    n_outcomes = draw(st.integers(1, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    relation = np.random.default_rng(seed).integers(0, 2, (2**k, n_outcomes)).astype(bool)
    if draw(st.booleans()):  # of each world at most one outcome
        relation &= np.cumsum(relation, 1) == 1
    relation[0, 0] = True
    return k, n_outcomes, relation


@settings(max_examples=25, deadline=None, derandomize=True)
@given(relations())
def test_random_rules_equal_brute_force(drawn):
    k, n_outcomes, relation = drawn
    number = 2 ** np.arange(k)

    def agrees(world, outcome):
        return bool(relation[number @ np.array(world), outcome])

    names = [f"x{i}" for i in range(k)]
    domains = {name: range(2) for name in names} | {"outcome": range(n_outcomes)}
    rule = Rule(lambda *values: agrees(values[:-1], values[-1]), domains)
    assert rule.outcomes == tuple(np.flatnonzero(relation.any(0)))
    check_against_brute_force(rule, agrees)


def test_addition_is_a_convolution():
    rule = Rule(lambda a, b, s: a + b == s, ADDITION)
    assert (rule.n_symbols, rule.n_values, rule.outcomes) == (2, 10, tuple(range(19)))
    x = log_posteriors(4, 2, 10)
    for i in range(4):
        sums = rule.log_probability(x[i].expand(19, 2, 10), torch.arange(19)).exp()
        expected = np.convolve(*x[i].exp().numpy())
        np.testing.assert_allclose(sums, expected, rtol=1e-12)


def test_symbols_have_the_order_of_the_parameters_and_their_values_that_of_the_domains():
    domains = {"s": [0, 5], "b": [5, 1], "a": [3, 6]}
    rule = Rule(lambda a, b, s: a - b == s, domains, observed="s")
    assert rule.outcomes == (5,)
    # Only 6 - 1, which are cluster 1 of the first input and cluster 1 of the second.
    x = torch.tensor([[0.2, 0.8], [0.7, 0.3]]).log()
    found = rule.log_probability(x[None], rule.encode([5]))
    torch.testing.assert_close(found, torch.tensor([math.log(0.8 * 0.3)]))


def test_any_name_can_be_observed():
    first = Rule(lambda s, a, b: a + b == s, ADDITION, observed="s")
    last = Rule(lambda a, b, s: a + b == s, ADDITION)
    x, codes = log_posteriors(19, 2, 10), torch.arange(19)
    assert torch.equal(first.log_probability(x, codes), last.log_probability(x, codes))


def test_several_observed_names_make_tuples():
    rule = Rule(
        lambda a, b, low, high: (min(a, b), max(a, b)) == (low, high),
        dict.fromkeys(["a", "b", "low", "high"], range(3)),
        observed=("low", "high"),
    )
    assert rule.outcomes == ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    assert rule.encode([[1, 2], (0, 0)]).tolist() == [4, 0]
    check_against_brute_force(rule, lambda world, outcome: (min(world), max(world)) == outcome)
    with pytest.raises(RuleError, match=r"outcome 0 is \(2, 1\), with which no world agrees"):
        rule.encode([(2, 1)])


def test_a_rule_that_holds_for_every_group_has_the_outcome_true():
    rule = Rule(lambda a, b, c: a < b < c, dict.fromkeys("abc", range(4)), observed=())
    assert rule.outcomes == (True,)
    assert rule.encode([True, True]).tolist() == [0, 0]
    check_against_brute_force(rule, lambda world, _: world[0] < world[1] < world[2])


def test_functions_of_cells_and_built_in_functions():
    cells = Rule(lambda *cells: len(set(cells)) == 3, dict.fromkeys("abc", range(3)), observed=())
    check_against_brute_force(cells, lambda world, _: len(set(world)) == 3)
    assert Rule(operator.lt, dict.fromkeys("ab", range(3)), observed=()).n_symbols == 2


def test_many_worlds_of_few_futures_are_merged_and_few_worlds_listed():
    addition = Rule(lambda a, b, s: a + b == s, ADDITION)
    assert isinstance(addition._sum, Worlds)
    different = Rule(
        lambda *x: len(set(x)) == len(x), dict.fromkeys("abcde", range(6)), observed=()
    )
    assert isinstance(different._sum, Lattice)
    check_against_brute_force(different, lambda world, _: len(set(world)) == 5)


@pytest.mark.parametrize("merged", [False, True])
def test_impossible_outcomes_have_no_gradient(merged):
    names = "abcdef" if merged else "ab"
    domains = dict.fromkeys(names, range(2)) | {"s": range(len(names) + 1)}
    rule = Rule(lambda *values: sum(values[:-1]) == values[-1], domains)
    assert isinstance(rule._sum, Lattice if merged else Worlds)
    check_impossible(rule, [1] * len(names), 1)


def test_gradients_and_leading_dimensions():
    rule = Rule(lambda a, b, s: max(a, b) == s, dict.fromkeys("abs", range(3)))
    x, codes = log_posteriors(2, 4, 2, 3), torch.tensor([0, 2, 1, 1])
    found = rule.log_probability(x, codes)
    assert found.shape == (2, 4)
    for member in range(2):
        assert torch.equal(found[member], rule.log_probability(x[member], codes))
    assert torch.equal(found, rule.log_probability(x, codes.expand(2, 4)))
    assert rule.log_probability(x[:, :0], codes[:0]).shape == (2, 0)
    assert torch.autograd.gradcheck(
        lambda z: rule.log_probability(z.log_softmax(-1), codes), x.clone().requires_grad_()
    )


def test_a_rule_as_text_is_the_same_rule():
    text = Rule.from_expression("a + b == s", ADDITION)
    function = Rule(lambda a, b, s: a + b == s, ADDITION)
    x, codes = log_posteriors(19, 2, 10), torch.arange(19)
    assert torch.equal(text.log_probability(x, codes), function.log_probability(x, codes))
    observed = Rule.from_expression("a == 2 * s", {"s": range(2), "a": range(3)}, observed="s")
    assert observed.outcomes == (0, 1)


@pytest.mark.parametrize(
    ("function", "domains", "observed", "message"),
    [
        (lambda a, s: a > s, {"a": range(2), "s": [5]}, None, "unsatisfiable: no world of 'a'"),
        (lambda a, b: a, {"a": [0]}, (), "domains for the parameters .* 'a', 'b'; got 'a'"),
        (lambda a, *, s: a, {"a": [0], "s": [0]}, None, "positional parameters only"),
        (lambda a, b: a, {"a": [0], "b": [0, 1]}, (), "the same number of values.* 'a' 1, 'b' 2"),
        (lambda a: a, {"a": [0]}, None, "at least 1 symbol"),
        (lambda a: a, {"a": [0]}, "b", "observed: expected names among 'a', got 'b'"),
        (lambda a: a, {"a": []}, (), "domain of 'a': expected at least 1 value"),
        (lambda a: a, {"a": [1, 1]}, (), "domain of 'a': expected different values, got 1 twice"),
        (lambda a: a, {"a": [[1]]}, (), r"can be keys of a dictionary, got \[1\]"),
        (lambda a: a, {"a": 3}, (), r"a sequence of values such as range\(10\), got 3"),
    ],
)
def test_invalid_rules_are_refused(function, domains, observed, message):
    with pytest.raises(RuleError, match=message):
        Rule(function, domains, observed)


def test_too_many_worlds_are_refused_before_they_are_listed():
    calls = []
    with pytest.raises(RuleError, match=r"10,000,000 worlds.*1,000,000.*use FoldRule"):
        Rule(lambda *_: calls.append(0), {f"x{i}": range(10) for i in range(7)}, ())
    with pytest.raises(RuleError, match=r"1,000,000,000,000 worlds"):
        Rule(lambda a: calls.append(0), {"a": range(10**12)}, ())
    with pytest.raises(RuleError, match=r"1,000,000 worlds times 55 outcomes.*10,000,000"):
        Rule(lambda *_: calls.append(0), {f"x{i}": range(10) for i in range(6)} | {"s": range(55)})
    assert calls == []


def test_the_limits_themselves_are_allowed(monkeypatch):
    monkeypatch.setattr(enumeration, "MAX_WORLDS", 9)
    monkeypatch.setattr(enumeration, "MAX_CHECKS", 27)
    domains = dict.fromkeys("abs", range(3))
    Rule(lambda a, b, s: a == s, domains)
    with pytest.raises(RuleError, match="9 worlds times 4 outcomes"):
        Rule(lambda a, b, s: a == s, domains | {"s": range(4)})


def test_other_groups_than_the_rule_s_are_refused():
    rule = Rule(lambda a, b, s: a + b == s, ADDITION)
    with pytest.raises(RuleError, match=r"2 symbols of 10 values.*got shape \(4, 3, 10\)"):
        rule.log_probability(log_posteriors(4, 3, 10), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(RuleError, match=r"outcome 1 is 19, which is outside the rule's domain"):
        rule.encode(np.array([0, 19]))
