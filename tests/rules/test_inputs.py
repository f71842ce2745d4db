"""The inputs of a rule."""

import pytest
import torch

from gedi.errors import RuleError
from gedi.rules.inputs import checked

CODES = torch.arange(4)


def test_codes_are_shared_by_leading_dimensions():
    inputs = checked(torch.zeros(2, 4, 3, 5), CODES, 3, 5)
    assert inputs.leading == (2, 4)
    flat = inputs.flat()
    assert flat.log_posteriors.shape == (8, 3, 5)
    assert flat.codes.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert checked(torch.zeros(3, 5), torch.tensor(0), 3, 5).leading == ()


@pytest.mark.parametrize(
    ("shape", "codes", "message"),
    [
        ((4, 2, 5), CODES, r"expected 3 symbols of 5 values, shape \(\.\.\., 3, 5\), got shape"),
        ((4, 3, 6), CODES, r"got shape \(4, 3, 6\)"),
        ((5,), CODES, r"got shape \(5,\)"),
        ((4, 3, 5), CODES.float(), "expected int64 .* got torch.float32"),
        ((4, 3, 5), CODES[:3], r"codes: expected shape \(4,\).*got \(3,\)"),
        ((4, 3, 5), CODES.expand(2, 4), r"codes: expected shape \(4,\).*got \(2, 4\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shape, codes, message):
    with pytest.raises(RuleError, match=message):
        checked(torch.zeros(shape), codes, 3, 5)
