"""The box: reflection, clamping, uniform points."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gedi.model.box import Box


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def box():
    return Box(torch.tensor([-1.0, 0.0]).double(), torch.tensor([1.0, 5.0]).double())


def test_around_adds_a_share_of_the_range():
    box = Box.around(torch.tensor([[0.0, 10.0], [4.0, 30.0]]), 0.25)
    assert box.low.tolist() == [-1, 5] and box.high.tolist() == [5, 35]


@settings(deadline=None, max_examples=100)
@given(st.floats(-1e3, 1e3))
def test_fold_reflects_as_often_as_needed(value):
    box = Box(torch.tensor([-1.0]).double(), torch.tensor([1.5]).double())
    folded, sign = box.fold(torch.tensor([value], dtype=torch.float64))
    at, turned = value, 1
    while not -1 <= at <= 1.5:
        at = -2 - at if at < -1 else 3 - at
        turned = -turned
    assert float(folded) == pytest.approx(at, abs=1e-9)
    assert box.contains(folded)
    if min(abs(at + 1), abs(at - 1.5)) > 1e-9:  # on a wall itself either sign will do
        assert float(sign) == turned


def test_fold_sign_is_its_derivative(box):
    x = 6 * torch.randn(40, 2, generator=seeded()).double()
    shifted, _ = box.fold(x + 1e-7)
    folded, sign = box.fold(x)
    assert torch.allclose((shifted - folded) / 1e-7, sign, atol=1e-6)


def test_fold_leaves_points_inside_where_they_are(box):
    x = box.uniform((100,), seeded())
    folded, sign = box.fold(x)
    assert torch.allclose(folded, x, atol=1e-12) and (sign == 1).all()


def test_clamp_and_contains(box):
    x = torch.tensor([[0.0, 1.0], [2.0, -1.0], [1.0, 5.0], [0.0, 5.1]]).double()
    assert box.contains(x).tolist() == [True, False, True, False]
    assert box.clamp(x).tolist() == [[0, 1], [1, 0], [1, 5], [0, 5]]


def test_uniform_points_fill_the_box(box):
    x = box.uniform((3, 4000), seeded())
    assert x.shape == (3, 4000, 2) and x.dtype == torch.float64 and box.contains(x).all()
    # Standard errors of 12,000 points: 0.005 and 0.013.
    assert torch.allclose(x.flatten(0, 1).mean(0), torch.tensor([0, 2.5]).double(), atol=0.05)


def test_to_follows_a_tensor(box):
    other = box.to(torch.zeros(1, dtype=torch.float32))
    assert isinstance(other, Box) and other.low.dtype == other.high.dtype == torch.float32
