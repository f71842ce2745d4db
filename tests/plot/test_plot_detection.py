"""The receiver operating characteristic, by curves known beforehand."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import auc

from gedi import plot
from gedi.plot import roc


@pytest.fixture
def ax():
    return Figure().subplots()


def test_curves_of_perfect_random_and_half_right_scores(ax):
    inliers = np.array([3.0, 4.0])
    sets = {
        "far": np.array([1.0, 2.0]),
        "same": inliers,
        "between": np.array([3.5, 3.5]),
        "$x$ above": np.array([5.0]),
    }
    roc(ax, inliers, sets)
    chance, *curves = ax.lines
    assert chance.get_linestyle() == ":"
    areas = [auc(line.get_xdata(), line.get_ydata()) for line in curves]
    np.testing.assert_allclose(areas, [1, 0.5, 0.5, 0], atol=1e-12)
    words = ax.get_legend().get_texts()
    assert [text.get_text() for text in words] == list(sets)
    assert not any(text.get_parse_math() for text in words)


def test_each_set_has_another_colour(ax):
    inliers = np.zeros(2)
    roc(ax, inliers, {str(i): np.arange(2.0) for i in range(6)})
    assert len({line.get_color() for line in ax.lines}) == 7


def test_the_legend_of_a_histogram_has_the_auroc(ax):
    data = np.array([3.0, 4.0, np.nan])
    sets = {
        "$far$ and with a long long name": np.array([1.0, -np.inf]),
        "never": np.array([np.nan]),
    }
    assert plot.ood_histogram(ax, data, sets, threshold=2.0) is ax
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["data", "$far$ and with a long…, AUROC 1.00", "threshold"]
    assert [line.get_xdata()[0] for line in ax.lines] == [2.0]


def test_empty_axes_say_that_they_are_empty(ax):
    plot.ood_histogram(ax, np.array([np.nan]), {"noise": np.array([])})
    assert [text.get_text() for text in ax.texts] == ["no finite energies"]
