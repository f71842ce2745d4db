"""Temperatures: those of labels drawn with a known one, and those of few labels."""

import numpy as np
import pytest
from scipy.special import log_softmax

from gedi.estimators.calibration import likeliest_temperature, neighbours_temperature


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_temperature_of_drawn_labels_is_found(temperature):
    rng = np.random.default_rng(0)
    f = 3 * rng.normal(size=(20_000, 4))
    cumulated = np.exp(log_softmax(f / temperature, axis=1)).cumsum(1)
    labels = (cumulated < rng.random((len(f), 1))).sum(1).clip(0, 3)
    assert likeliest_temperature(f, labels, np.ones(len(f))) == pytest.approx(temperature, rel=0.05)


def overlapping(seed, n=1000):
    """Two classes, 2 % of them on the wrong side, with log-odds five times too sure."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    z = rng.normal(size=(n, 2))
    z[:, 0] += 4 * y
    return z, 5 * np.stack([0 * z[:, 0], 4 * (z[:, 0] - 2)], axis=1), y


@pytest.mark.parametrize(
    ("n_labels", "least", "most"), [(1000, 4, 7), (100, 1.5, 10), (10, 1.5, 10), (2, 1.5, 10)]
)
def test_few_labels_do_not_leave_the_temperature_to_chance(n_labels, least, most):
    for seed in range(5):
        z, f, y = overlapping(seed)
        codes = np.where(np.arange(len(y)) < n_labels, y, -1)
        assert least < neighbours_temperature(z, f, codes, seed) < most
