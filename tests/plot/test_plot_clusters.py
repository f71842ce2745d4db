import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from drawn import pixels, texts
from gedi import plot


def test_cluster_sizes_has_a_bar_and_a_prior_for_each(ax):
    plot.cluster_sizes(ax, np.array([30, 10, 0]), np.array([0.5, 0.25, 0.25]))
    assert [bar.get_height() for bar in ax.patches] == [30, 10, 0]
    (prior,) = ax.collections
    assert [segment[0, 1] for segment in prior.get_segments()] == [20, 10, 10]
    assert ax.patches[1].get_facecolor() == pytest.approx(plot.cluster_colors(3)[1])


def test_confusion_writes_counts_and_names(ax):
    plot.confusion(ax, np.array([[1200, 3], [0, 7]]), ["cats", "dogs"], ["1", "0"])
    assert texts(ax) == ["1,200", "3", "0", "7"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["cats", "dogs"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "0"]


def test_confusion_writes_light_on_dark_and_dark_on_light(ax):
    plot.confusion(ax, np.array([[90, 10], [0, 50]]), ["a", "b"])
    full, little, *_ = ax.texts
    assert to_rgba(full.get_color()) == to_rgba("white")
    assert to_rgba(little.get_color()) == to_rgba(plot.INK)


def test_confusion_of_very_many_classes_leaves_the_numbers_out(ax):
    plot.confusion(ax, np.eye(60, dtype=int), [str(k) for k in range(60)])
    assert texts(ax) == []
    pixels(ax)


@pytest.mark.parametrize("name", ["$\\frac{", "<script>", "a\nb", "file-\udcff", "x" * 300])
def test_names_are_drawn_literally(ax, name):
    plot.confusion(ax, np.eye(2, dtype=int), [name, "b"])
    pixels(ax)
    label = ax.get_yticklabels()[0].get_text()
    assert len(label) <= plot.MAX_LABEL
    assert "\n" not in label
    other = Figure().subplots()
    plot.energy_histogram(other, {name: np.arange(5.0)})
    pixels(other)
