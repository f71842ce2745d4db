"""What a model makes up: known parts stay to the last bit, free ones follow them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gedi.data.dataset import Dataset
from gedi.evaluation.imputation import fill_in, interpolate
from gedi.model.base import GaussianBase
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


def test_chains_above_a_gaussian_follow_the_known_coordinates_too(trained):
    settings = replace(SMALL, max_iter=400, encoder=replace(SMALL.encoder, base=True))
    above = start(Dataset("heaps", heaps()[0]), settings).run().trained
    assert trained.model.base is None and isinstance(above.model.base, GaussianBase)
    x, labels = heaps()
    for heap in (0, 1):
        point = np.array([x[labels == heap, 0].mean(), np.nan])
        found = fill_in(above, point, [False, True], n=64, n_steps=400, generator=seeded())
        assert found.shape == (64, 6, 2) and (found[..., 0] == point[0]).all()
        assert abs(np.median(found[:, -1, 1]) - x[labels == heap, 1].mean()) < 30


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
