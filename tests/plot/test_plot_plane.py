import numpy as np
import pytest
from matplotlib.figure import Figure

from drawn import bump, halves, pixels, texts
from gedi import plot


def test_landscape_spans_the_depth_below_its_maximum(ax):
    plot.energy_landscape(ax, bump, [-8, -8], [8, 8], depth=10, resolution=41)
    filled = ax.collections[0]
    assert filled.levels[-1] == pytest.approx(0)
    assert filled.levels[0] == pytest.approx(-10)
    assert ax.get_xlim() == (-8, 8)
    assert ax.child_axes[0].get_ylabel() == "log-density (nats)"


def test_landscape_shows_where_the_density_is():
    left, right = Figure().subplots(), Figure().subplots()
    plot.energy_landscape(left, lambda x: bump(x + 1), [-3, -3], [3, 3], resolution=40)
    plot.energy_landscape(right, lambda x: bump(x - 1), [-3, -3], [3, 3], resolution=40)
    assert (pixels(left) != pixels(right)).any(axis=-1).mean() > 0.05


def test_landscape_survives_values_that_are_not_finite():
    holes, nothing = Figure().subplots(), Figure().subplots()
    plot.energy_landscape(
        holes, lambda x: np.where(x[:, 0] > 0, bump(x), np.nan), [-1, -1], [1, 1], resolution=20
    )
    pixels(holes)
    plot.energy_landscape(
        nothing, lambda x: np.full(len(x), np.nan), [-1, -1], [1, 1], resolution=20
    )
    assert texts(nothing) == ["no finite log-density"]


def test_regions_have_the_clusters_colors_and_fade_between_them(ax):
    plot.decision_regions(ax, halves, [-2, -1], [2, 1], resolution=101)
    painted = ax.images[0].get_array()
    left, middle, right = painted[50, 0], painted[50, 50], painted[50, 100]
    colors = plot.cluster_colors(2)[:, :3]
    np.testing.assert_allclose(left, 0.5 + 0.5 * colors[0], atol=0.01)
    np.testing.assert_allclose(right, 0.5 + 0.5 * colors[1], atol=0.01)
    np.testing.assert_allclose(middle, 1.0, atol=0.01)


def test_regions_are_the_right_way_up(ax):
    def upper_is_second(x):
        return halves(x[:, ::-1])

    plot.decision_regions(ax, upper_is_second, [-1, -1], [1, 1], resolution=21)
    image = ax.images[0]
    assert image.origin == "lower"
    np.testing.assert_allclose(
        image.get_array()[-1, 0], 0.5 + 0.5 * plot.cluster_colors(2)[1, :3], atol=0.01
    )


def test_points_are_where_the_data_are_in_their_clusters_color(ax):
    x = np.array([[0.0, 1.0], [2.0, 3.0]])
    plot.points(ax, x, np.array([2, 0]), n_clusters=3)
    (dots,) = ax.collections
    np.testing.assert_array_equal(dots.get_offsets(), x)
    np.testing.assert_allclose(dots.get_facecolors(), plot.cluster_colors(3)[[2, 0]])


def test_there_may_be_no_points(ax):
    plot.points(ax, np.empty((0, 2)), np.empty(0, dtype=int))
    pixels(ax)


def test_regions_are_visible_without_colours(ax):
    plot.decision_regions(ax, halves, [-2, -1], [2, 1], resolution=41)
    assert texts(ax) == ["0", "1"]
    first, second = (text.get_position() for text in ax.texts)
    assert first[0] < -0.5 and second[0] > 0.5
    borders = [path.vertices for lines in ax.collections for path in lines.get_paths()]
    assert borders and all(np.abs(border[:, 0]).max() < 0.2 for border in borders)


def test_a_single_region_has_no_border(ax):
    plot.decision_regions(ax, lambda x: np.tile([1.0, 0.0], (len(x), 1)), [0, 0], [1, 1])
    assert not ax.collections and texts(ax) == ["0"]
