"""Rules as folds over a state."""

import numpy as np
import pytest
import torch
from brute_force import check_against_brute_force, check_impossible, log_posteriors
from hypothesis import given, settings
from hypothesis import strategies as st

from gedi.errors import RuleError
from gedi.rules import FoldRule, Rule, fold, sum_rule


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_random_machines_equal_brute_force(k, n_states, n_outcomes, seed):
    generator = np.random.default_rng(seed)
    following = generator.integers(0, n_states, (k, n_states, 2)).tolist()
    outcome = generator.integers(0, n_outcomes, n_states).tolist()

    def run(world):
        state = 0
        for i, value in enumerate(world):
            state = following[i][state][value]
        return outcome[state]

    rule = FoldRule(lambda s, y, i: following[i][s][y], 0, k, range(2), lambda s: outcome[s])
    check_against_brute_force(rule, lambda world, value: run(world) == value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_sum_of_eight_digits_is_a_convolution(dtype):
    rule = sum_rule(8, 10)
    assert (rule.n_symbols, rule.n_values, rule.outcomes) == (8, 10, tuple(range(73)))
    x = log_posteriors(8, 10)
    found = rule.log_probability(x.to(dtype).expand(73, 8, 10), rule.encode(range(73))).exp()
    expected = np.ones(1)
    for each in x.exp().numpy():
        expected = np.convolve(expected, each)
    rtol = 1e-9 if dtype is torch.float64 else 1e-5
    np.testing.assert_allclose(found, expected, rtol=rtol)


def test_probabilities_far_below_the_smallest_number_are_exact():
    # All symbols are 0 but for a probability of e^-400 each; e^-3200 is no float.
    x = torch.tensor([0.0, -400.0], dtype=torch.float64).expand(1, 8, 2)
    rule = sum_rule(8, 2)
    found = rule.log_probability(x.expand(9, 8, 2), torch.arange(9))
    n = torch.arange(9, dtype=torch.float64)
    choose = torch.lgamma(torch.tensor(9.0)) - torch.lgamma(n + 1) - torch.lgamma(9 - n)
    torch.testing.assert_close(found, choose - 400 * n, rtol=1e-9, atol=1e-7)


def test_steps_without_and_with_the_place():
    parity = FoldRule(lambda state, y: state ^ y, 0, 5, range(2), outcome=bool)
    assert parity.outcomes == (False, True)
    check_against_brute_force(parity, lambda world, outcome: sum(world) % 2 == outcome)
    number = FoldRule(lambda state, y, i: state + y * 2**i, 0, 4, range(2))
    check_against_brute_force(
        number, lambda world, outcome: sum(y * 2**i for i, y in enumerate(world)) == outcome
    )
    largest = FoldRule(max, 0, 3, range(4))
    check_against_brute_force(largest, lambda world, outcome: max(world) == outcome)


def test_values_and_outcomes_of_any_kind():
    rule = FoldRule(lambda state, y: state + y, "", 2, ["a", "b"])
    assert rule.outcomes == ("aa", "ab", "ba", "bb")
    check_against_brute_force(rule, lambda w, outcome: "".join("ab"[y] for y in w) == outcome)


def test_states_with_the_same_future_are_merged():
    # The state remembers everything, the outcome only the number of ones.
    rule = FoldRule(lambda state, y: (*state, y), (), 8, range(2), outcome=sum)
    assert rule._lattice.cost == sum_rule(8, 2)._lattice.cost == 2 * (8 * 9 // 2)
    check_against_brute_force(rule, lambda world, outcome: sum(world) == outcome)


def test_it_equals_the_enumerated_rule():
    listed = Rule(lambda a, b, s: a + b == s, {"a": range(10), "b": range(10), "s": range(19)})
    x, codes = log_posteriors(2, 19, 2, 10), torch.arange(19)
    torch.testing.assert_close(
        sum_rule(2, 10).log_probability(x, codes), listed.log_probability(x, codes)
    )


def test_gradients_and_impossible_outcomes():
    rule = sum_rule(3, 3)
    x = log_posteriors(2, 4, 3, 3).requires_grad_()
    codes = torch.tensor([0, 3, 6, 2])
    assert torch.autograd.gradcheck(lambda z: rule.log_probability(z.log_softmax(-1), codes), x)
    check_impossible(rule, [2, 0, 1], 4)
    assert rule.log_probability(x[:, :0], codes[:0]).shape == (2, 0)


def test_invalid_folds_are_refused():
    with pytest.raises(RuleError, match="at least 1 symbol, got 0"):
        sum_rule(0, 10)
    with pytest.raises(RuleError, match="values: expected at least 1, got none"):
        sum_rule(2, 0)
    with pytest.raises(RuleError, match="values: expected different values, got 1 twice"):
        FoldRule(max, 0, 2, [1, 1])
    with pytest.raises(RuleError, match=r"states that can be keys of a dictionary.*got \[0\]"):
        FoldRule(lambda state, y: [*state, y], (), 2, range(2))
    with pytest.raises(RuleError, match=r"outcome 0 is 73, which is outside.*72 \(73 in all\)"):
        sum_rule(8, 10).encode(torch.tensor([73]))
    with pytest.raises(RuleError, match=r"8 symbols of 10 values.*got shape \(2, 10\)"):
        sum_rule(8, 10).log_probability(log_posteriors(2, 10), torch.tensor(0))


def test_too_many_states_are_refused_while_they_are_found(monkeypatch):
    monkeypatch.setattr(fold, "MAX_STATES", 15)
    FoldRule(lambda state, y: (*state, y), (), 3, range(2))  # 1 + 2 + 4 + 8
    with pytest.raises(RuleError, match="more than 15 states at symbol 3: store less"):
        FoldRule(lambda state, y: (*state, y), (), 50, range(2))
