"""Rules whose probability is computed by a function of the user."""

import numpy as np
import pytest
import torch
from brute_force import log_posteriors

from gedi.errors import RuleError
from gedi.rules import CallableRule


def first_is(x, codes):
    return x[..., 0, :].gather(-1, codes[..., None]).squeeze(-1)


def test_the_function_gets_codes_for_all_leading_dimensions():
    rule = CallableRule(first_is, 2, 3, ["red", "green", "blue"])
    assert rule.outcomes == ("red", "green", "blue")
    x, codes = log_posteriors(5, 4, 2, 3), rule.encode(np.array(["blue", "red", "red", "green"]))
    assert codes.tolist() == [2, 0, 0, 1]
    found = rule.log_probability(x, codes)
    assert torch.equal(found, x[:, range(4), 0, codes])


@pytest.mark.parametrize(
    ("function", "got"),
    [(lambda x, codes: x.sum((-1, -2, -3)), r"\(\)"), (lambda x, codes: 1.0, "float")],
)
def test_the_result_of_the_function_is_checked(function, got):
    rule = CallableRule(function, 2, 3, [0])
    with pytest.raises(RuleError, match=rf"log probabilities of shape \(4,\).*got {got}"):
        rule.log_probability(log_posteriors(4, 2, 3), torch.zeros(4, dtype=torch.int64))


def test_other_groups_and_outcomes_are_refused():
    with pytest.raises(RuleError, match="outcomes: expected different values, got 0 twice"):
        CallableRule(first_is, 2, 3, [0, 0])
    with pytest.raises(RuleError, match="outcomes: expected at least 1, got none"):
        CallableRule(first_is, 2, 3, [])
    with pytest.raises(RuleError, match="2 symbols of 3 values"):
        CallableRule(first_is, 2, 3, [0]).log_probability(log_posteriors(2, 4), torch.tensor(0))
