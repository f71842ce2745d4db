"""Trainings with an exact likelihood, as the defaults choose for many features."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from gedi.data.dataset import Dataset
from gedi.data.points import Points
from gedi.deadline import Deadline
from gedi.errors import SettingsError
from gedi.model.scaling import Scaling
from gedi.settings import Settings
from gedi.training import ingredients
from gedi.training.session import fit


def directions(sizes, d=120, seed=0):
    """Points around random directions of unit length, and the direction of each."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(sizes), d))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    y = np.repeat(np.arange(len(sizes)), sizes)
    return (centres[y] + 0.09 * rng.normal(size=(len(y), d))).astype(np.float32), y


def test_clusters_of_very_unequal_size_are_found_from_the_pool():
    x, y = directions([350, 150, 60, 25, 15])
    found = fit(Dataset("directions", x), 5)
    assert adjusted_rand_score(y, found.trained.predict(x).clusters) == 1
    assert found.chosen == len(found.candidates) - 1
    # No other head found them: they split the largest cluster.
    assert max(c.modularity for c in found.candidates[:-1]) < found.candidates[-1].modularity - 0.02


def test_settings_in_the_place_of_the_number_of_clusters_are_refused():
    with pytest.raises(SettingsError, match="expected a number or 'auto', got Settings; give"):
        fit(np.zeros((10, 2)), Settings())


def test_without_time_neighbours_are_searched_among_fewer_points(monkeypatch):
    monkeypatch.setattr(ingredients, "_LEAST_NEIGHBOURED", 50)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32))
    points = Points(x.numpy(), Scaling.standardise(x.numpy()), torch.device("cpu"))
    rows = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    few, all_ = (
        ingredients._mutual_neighbours(points, rows, None, 5, Deadline(at))
        for at in (0.0, math.inf)
    )
    assert set(few.flatten().tolist()) <= set(rows[:50].tolist())
    assert len(all_) > 3 * len(few) > 0
