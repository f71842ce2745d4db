import numpy as np
import pytest
from matplotlib.figure import Figure

from drawn import texts
from gedi import plot


def test_histograms_are_shares_and_lose_nothing_outside_the_range(ax):
    rng = np.random.default_rng(0)
    far = rng.normal(1e4, 1, 500)
    plot.energy_histogram(ax, {"data": rng.normal(size=1000), "noise": far})
    steps = ax.patches[1::2]
    assert [patch.get_label() for patch in steps] == ["data", "noise"]
    for patch in steps:
        assert patch.get_data().values.sum() == pytest.approx(1)
    assert ax.get_xlim()[1] < 100
    assert steps[1].get_data().values[-1] == pytest.approx(1)


def test_histograms_skip_what_is_not_finite(ax):
    plot.energy_histogram(ax, {"data": np.array([np.nan, 1.0, 2.0]), "samples": np.array([np.inf])})
    assert [patch.get_label() for patch in ax.patches[1::2]] == ["data"]
    empty = Figure().subplots()
    plot.energy_histogram(empty, {})
    assert texts(empty) == ["no finite energies"]
