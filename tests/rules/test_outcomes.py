"""Outcomes and their codes."""

import numpy as np
import pytest
import torch

from gedi.errors import RuleError
from gedi.rules.outcomes import Outcomes, listed, shown


@pytest.mark.parametrize(
    "given",
    [
        [3, 1],
        (3, 1),
        np.array([3, 1], dtype=np.uint8),
        np.array([3.0, 1.0]),
        torch.tensor([3, 1]),
        [torch.tensor(3), np.int32(1)],
        [3, True],
    ],
)
def test_values_are_in_the_terms_of_the_user(given):
    codes = Outcomes([1, 2, 3]).encode(given)
    assert codes.dtype == torch.int64
    assert codes.tolist() == [2, 0]


def test_tuples_may_be_rows_of_an_array():
    assert Outcomes([(0, 1), (1, 0)]).encode(np.array([[1, 0], [0, 1]])).tolist() == [1, 0]


def test_no_values_have_no_codes():
    assert Outcomes([1]).encode([]).shape == (0,)


@pytest.mark.parametrize("value", [4, 1.5, None, float("nan"), "1", {}, [1, []]])
def test_a_value_outside_the_domain_is_named_with_its_index(value):
    with pytest.raises(RuleError) as caught:
        Outcomes([1, 2]).encode([1, 2, value])
    told = shown(tuple(value) if isinstance(value, list) else value)
    assert str(caught.value) == (
        f"outcome 2 is {told}, which is outside the rule's domain: expected one of 1, 2"
    )


def test_a_value_without_worlds_has_another_message_than_one_outside_the_domain():
    with pytest.raises(RuleError, match=r"outcome 0 is 7, with which no world agrees.*expected 1$"):
        Outcomes([1], impossible=[7]).encode([7])


def test_messages_are_short_and_printable():
    assert listed([5]) == "5"
    assert listed(range(8)) == "one of 0, 1, 2, 3, 4, 5, 6, 7"
    assert listed(range(19)) == "one of 0, 1, 2, 3, 4, 5, ..., 18 (19 in all)"
    assert shown("\x1b[2J") == r"'\x1b[2J'"
    assert len(shown("x" * 1000)) == 60
