import numpy as np
import pytest
from matplotlib.figure import Figure

from gedi import plot


@pytest.mark.parametrize("n", [1, 2, 8, 9, 10, 21, 100])
def test_each_cluster_has_its_own_color(n):
    colors = plot.cluster_colors(n)
    assert colors.shape == (n, 4)
    assert len(np.unique(colors.round(4), axis=0)) == n


def test_neighbouring_clusters_of_many_differ_more_than_shades_of_the_map_do():
    colors = plot.cluster_colors(20)[:, :3]
    steps = np.linalg.norm(np.diff(colors, axis=0), axis=1)
    assert steps.min() > 0.2


def test_legends_of_many_sets_take_several_lines(ax):
    sets = {f"a long name {i}": np.arange(9.0) + i for i in range(7)}
    plot.energy_histogram(ax, sets, label="something else")
    assert ax.get_legend()._ncols == 3 and ax.get_xlabel() == "something else"
    few = Figure().subplots()
    plot.energy_histogram(few, dict(list(sets.items())[:5]))
    assert few.get_legend()._ncols == 5
