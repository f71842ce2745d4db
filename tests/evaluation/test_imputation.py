"""What a model makes up: known parts stay to the last bit, free ones follow them."""

import numpy as np
import pytest
import torch

from gedi.data.dataset import Dataset
from gedi.evaluation.imputation import fill_in, impute, interpolate
from gedi.training.session import start
from small_trainings import SMALL, heaps


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def trained():
    return start(Dataset("heaps", heaps()[0]), SMALL).run().trained


def test_free_coordinates_depend_on_the_known_ones(trained):
    x, labels = heaps()
    for heap in (0, 1):
        point = np.array([x[labels == heap, 0].mean(), np.nan])
        found = fill_in(trained, point, [False, True], n=64, n_steps=400, generator=seeded())
        assert found.shape == (64, 6, 2)
        assert (found[..., 0] == point[0]).all()
        ends = found[:, -1, 1]
        assert abs(np.median(ends) - x[labels == heap, 1].mean()) < 30  # heaps are 120 apart
        assert not np.array_equal(found[:, 0, 1], ends)


def test_equal_generators_give_equal_points(trained):
    first, again, other = (
        fill_in(trained, heaps()[0][0], [True, True], n=3, n_steps=20, generator=seeded(seed))
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("x", "free", "message"),
    [([1.0], [True], "of 2 numbers"), ([1.0, 2.0], [False, False], "some coordinates")],
)
def test_errors(trained, x, free, message):
    with pytest.raises(ValueError, match=message):
        fill_in(trained, x, free, generator=seeded())


def test_interpolation_is_linear():
    assert interpolate([0, 4], [8, 0], 5).tolist() == [[0, 4], [2, 3], [4, 2], [6, 1], [8, 0]]


def test_missing_values_follow_the_known_ones_with_an_error(trained):
    x = heaps()[0]
    holes = x.copy()
    holes[::2, 1] = np.nan
    filled, error = impute(trained, holes, n_draws=10, n_steps=40, generator=seeded())
    known = ~np.isnan(holes)
    assert np.array_equal(filled[known], x[known]) and (error[known] == 0).all()
    apart = np.abs(filled[::2, 1] - x[::2, 1])
    # The mean of the column, which ignores the known values, is further away.
    assert np.median(apart) < 0.5 * np.median(np.abs(x[::2, 1] - np.nanmean(holes[:, 1])))
    assert (error[::2, 1] > 0).mean() > 0.9
    within = apart < 3 * error[::2, 1]
    assert within.mean() > 0.8


def test_rows_without_holes_stay(trained):
    x = heaps()[0][:5]
    filled, error = impute(trained, x, generator=seeded())
    assert np.array_equal(filled, x) and not error.any()


def test_parts_of_rows_are_imputed_one_after_the_other(trained, monkeypatch):
    monkeypatch.setattr("gedi.evaluation.imputation._NUMBERS", 2 * 256 * 3)
    holes = heaps()[0][:8].copy()
    holes[:, 0] = np.nan
    filled, _ = impute(trained, holes, n_draws=3, n_steps=4, generator=seeded())
    assert np.isfinite(filled).all()
