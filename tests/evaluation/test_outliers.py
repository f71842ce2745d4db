"""Foils and the area under the curve."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from gedi.evaluation.outliers import auroc, foils, inverted, shuffled, uniform_noise

ENERGIES = st.lists(st.integers(-3, 3), min_size=1, max_size=20)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_auroc_exact_values():
    low, high = torch.tensor([0.0, 1.0]), torch.tensor([2.0, 3.0, 4.0])
    assert auroc(low, high) == 1.0
    assert auroc(high, low) == 0.0
    assert auroc(low, low) == 0.5
    assert auroc(torch.tensor([0.0, 1.0]), torch.tensor([1.0, -1.0])) == 0.375
    assert auroc(torch.tensor([0.0, math.inf]), torch.tensor([math.inf])) == 0.75
    assert auroc(torch.tensor([0.1]), torch.tensor([0.1]).double()) == 0.5


@given(inliers=ENERGIES, outliers=ENERGIES)
@settings(deadline=None)
def test_auroc_is_that_of_scikit_learn(inliers, outliers):
    truth = np.r_[np.zeros(len(inliers)), np.ones(len(outliers))]
    expected = roc_auc_score(truth, inliers + outliers)
    assert auroc(torch.tensor(inliers), torch.tensor(outliers)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("inliers", "outliers", "message"),
    [
        (torch.zeros(0), torch.zeros(2), r"expected inliers of shape \(n,\), got \(0,\)"),
        (torch.zeros(2), torch.zeros(2, 1), r"expected outliers of shape \(n,\), got \(2, 1\)"),
        (
            torch.zeros(2),
            torch.tensor([math.nan, 1.0]),
            "energies of outliers, got NaN for 1 of them",
        ),
    ],
)
def test_auroc_mistakes(inliers, outliers, message):
    with pytest.raises(ValueError, match=message):
        auroc(inliers, outliers)


def test_uniform_noise_fills_the_box():
    low, high = torch.tensor([-1.0, 10.0]), torch.tensor([1.0, 30.0])
    x = uniform_noise(low, high, 4000, seeded())
    assert x.shape == (4000, 2) and bool(((x >= low) & (x <= high)).all())
    torch.testing.assert_close(x.mean(0), torch.tensor([0.0, 20.0]), atol=0.5, rtol=0)
    torch.testing.assert_close(x.var(0), (high - low) ** 2 / 12, atol=0.02, rtol=0.05)
    assert uniform_noise(torch.zeros(1, 8, 8), torch.ones(1, 8, 8), 3, seeded()).shape == (
        3,
        1,
        8,
        8,
    )


def test_every_row_is_shuffled_in_its_own_way():
    x = torch.arange(30.0).repeat(50, 1) + 100 * torch.arange(50.0)[:, None]
    out = shuffled(x, seeded())
    torch.testing.assert_close(out.sort(dim=1).values, x)
    orders = {tuple((row - row.min()).tolist()) for row in out}
    assert len(orders) == 50


def test_shuffling_is_uniform_over_permutations():
    out = shuffled(torch.arange(3.0).repeat(6000, 1), seeded())
    _, counts = out.unique(dim=0, return_counts=True)
    assert len(counts) == 6
    assert bool(((counts - 1000).abs() < 150).all())


def test_inverted_is_its_own_inverse():
    low, high = torch.tensor([0.0, -1.0]), torch.tensor([16.0, 1.0])
    x = torch.tensor([[0.0, 0.5], [12.0, -1.0]])
    torch.testing.assert_close(inverted(x, low, high), torch.tensor([[16.0, -0.5], [4.0, 1.0]]))
    torch.testing.assert_close(inverted(inverted(x, low, high), low, high), x)


def test_foils_keep_shape_and_type_and_follow_the_generator():
    x = torch.rand(5, 1, 4, 4, dtype=torch.float64, generator=seeded(1))
    low, high = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    made = foils(x, low, high, seeded())
    assert list(made) == ["uniform noise", "shuffled", "inverted"]
    for name, foil in made.items():
        assert foil.shape == x.shape and foil.dtype == x.dtype, name
        assert bool(((foil >= 0) & (foil <= 1)).all()), name
        assert not torch.equal(foil, x), name
        torch.testing.assert_close(foil, foils(x, low, high, seeded())[name])
    assert not torch.equal(made["shuffled"], foils(x, low, high, seeded(2))["shuffled"])
