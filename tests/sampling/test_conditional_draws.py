"""Missing values from the conditional law of a model."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.datasets import make_moons

from gedi import GEDI
from gedi.errors import DataError
from gedi.model.base import GaussianBase
from gedi.model.box import Box
from gedi.model.spectral import SpectralMatrix
from gedi.sampling.imputation import impute

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

COVARIANCE = np.array([[1.0, 0.8, 0.3], [0.8, 1.0, 0.1], [0.3, 0.1, 1.0]])
MEAN = np.array([0.0, 5.0, -2.0])


class Flat(torch.nn.Module):
    """A model that is its base."""

    def __init__(self, base):
        super().__init__()
        self.base = base

    def forward(self, x, *, with_base=True):
        assert not with_base
        return torch.zeros(*x.shape[:-1], 2, dtype=x.dtype)


def test_a_gaussian_has_its_conditional_moments():
    base = GaussianBase(
        torch.from_numpy(MEAN), SpectralMatrix.of(torch.from_numpy(COVARIANCE))
    ).double()
    wide = torch.full((3,), 50.0, dtype=torch.float64)
    x = torch.tensor([[np.nan, 6.0, -1.0]] * 200 + [[1.0, np.nan, np.nan]] * 200).double()
    found = impute(Flat(base), Box(-wide, wide), x, generator=torch.Generator().manual_seed(0))
    slope = np.linalg.solve(COVARIANCE[1:, 1:], COVARIANCE[1:, 0])
    mean, deviation = slope.sum(), np.sqrt(1 - slope @ COVARIANCE[1:, 0])
    assert found.mean[:200, 0].mean() == pytest.approx(mean, abs=0.01)
    assert found.std[:200, 0].mean() == pytest.approx(deviation, rel=0.01)
    assert found.draw[:200, 0].std() == pytest.approx(deviation, rel=0.15)
    torch.testing.assert_close(
        found.mean[200:, 1:].mean(0), torch.tensor([5.8, -1.7]).double(), atol=0.02, rtol=0
    )
    residual = COVARIANCE[1:, 1:] - np.outer(COVARIANCE[0, 1:], COVARIANCE[0, 1:])
    drawn = np.cov(found.draw[200:, 1:].numpy().T)
    np.testing.assert_allclose(drawn, residual, atol=0.25)
    assert not found.std[:200, 1:].any() and bool((found.mean[:200, 1:] == x[:200, 1:]).all())


def test_the_residual_of_the_network_weights_the_draws():
    class Sided(Flat):
        def forward(self, x, *, with_base=True):
            return torch.where(x[..., :1] > 0, 0.0, -50.0).expand(*x.shape[:-1], 2)

    base = GaussianBase(torch.zeros(2).double(), SpectralMatrix.of(torch.eye(2).double())).double()
    wide = torch.full((2,), 50.0, dtype=torch.float64)
    x = torch.tensor([[np.nan, 0.0]] * 100).double()
    found = impute(Sided(base), Box(-wide, wide), x, generator=torch.Generator().manual_seed(0))
    assert bool((found.draw[:, 0] > 0).all())
    assert found.mean[:, 0].mean() == pytest.approx(np.sqrt(2 / np.pi), abs=0.02)


@pytest.fixture(scope="module")
def moons():
    x, _ = make_moons(1500, noise=0.05, random_state=0)
    return x, GEDI(2, max_iter=20, n_restarts=1, encoder=(8,), random_state=0).fit(x)


def test_draws_are_in_both_modes(moons):
    x, model = moons
    gaps = np.array([[0.5, np.nan]] * 400)
    y = model.impute(gaps, draw=True)[:, 1]
    near = x[abs(x[:, 0] - 0.5) < 0.1, 1]
    assert (y > 0.2).mean() == pytest.approx((near > 0.2).mean(), abs=0.12)
    assert ((y > -0.2) & (y < 0.6)).mean() < 0.05
    filled, std = model.impute(gaps, return_std=True)
    assert std[0, 0] == 0 and std[0, 1] == pytest.approx(near.std(), rel=0.2)
    np.testing.assert_array_equal(model.impute(gaps), filled)  # the same each time
    np.testing.assert_array_equal(model.impute(x), x)
    np.testing.assert_array_equal(model.impute(pd.DataFrame(gaps))[1], filled[:, 1])


def test_frames_are_filled_in_their_own_types():
    rng = np.random.default_rng(0)
    n = 600
    group = rng.integers(3, size=n)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(10 * group + rng.integers(3, size=n), "D")
    whole = pd.DataFrame(
        {
            "size": 5.0 * group + rng.normal(size=n) * 0.3,
            "count": pd.array(10 * group + rng.integers(3, size=n), "Int64"),
            "word": pd.Categorical(np.array(["low", "mid", "top"])[group]),
            "day": day,
            "flag": pd.array(group == 2, "boolean"),
        }
    )
    gaps = whole.copy()
    for place, name in enumerate(whole):
        gaps.loc[rng.random(n) < 0.02 * (place + 1), name] = None
    model = GEDI(3, max_iter=20, n_restarts=1, encoder=(8,), random_state=0).fit(gaps)
    filled, bars = model.impute(gaps, return_std=True)
    assert filled.dtypes.tolist() == gaps.dtypes.tolist() and not filled.isna().any().any()
    missing = gaps.isna()
    for name in whole:
        at = missing[name]
        pd.testing.assert_series_equal(filled[name][~at], gaps[name][~at])
        assert (bars[name][~at] == 0).all()
    right = (filled["word"] == whole["word"])[missing["word"]].mean()
    assert right > 0.9
    assert ((filled["flag"] == whole["flag"])[missing["flag"]]).mean() > 0.9
    assert abs(filled["size"] - whole["size"])[missing["size"]].median() < 1.5
    assert abs((filled["day"] - whole["day"]).dt.days)[missing["day"]].median() < 4
    other, _ = model.impute(pl.from_pandas(gaps), return_std=True)
    assert isinstance(other, pd.DataFrame)  # the library of the fit
    drawn = model.impute(gaps, draw=True)
    assert set(drawn["word"]) <= {"low", "mid", "top"}


def test_numbers_in_text_are_numbers_afterwards():
    text = pd.Series([f"{i % 7},5" for i in range(60)]).where(np.arange(60) % 9 != 0, "n/a")
    frame = pd.DataFrame({"a": np.arange(60) % 7 * 1.0, "t": text})
    frame["when"] = [datetime.time(i % 24) if i % 8 else None for i in range(60)]
    model = GEDI(2, max_iter=2, n_restarts=1, encoder=(4,), random_state=0).fit(frame)
    filled = model.impute(frame)
    assert filled["t"].dtype == float and not filled.isna().any().any()
    assert filled["t"][1] == 1.5 and isinstance(filled["when"][0], datetime.time)


def test_models_that_cannot_fill_in():
    x = np.random.default_rng(0).normal(size=(40, 3))
    model = GEDI(2, max_iter=2, n_restarts=1, encoder=(4,), w_gen=0, random_state=0).fit(x)
    with pytest.raises(DataError, match="train with w_gen above 0"):
        model.impute(x)
    images = np.random.default_rng(0).random((20, 5, 5))
    with pytest.raises(DataError, match="this model is of images"):
        GEDI(2, max_iter=2, encoder=(4,), w_gen=0).fit(images).impute(images)
