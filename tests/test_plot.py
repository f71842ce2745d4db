import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from gedi import plot


@pytest.fixture
def ax() -> Axes:
    return Figure(figsize=(4, 3)).subplots()


def pixels(ax: Axes) -> np.ndarray:
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def bump(x: np.ndarray) -> np.ndarray:
    return -0.5 * (x**2).sum(axis=1)


def halves(x: np.ndarray) -> np.ndarray:
    right = 1 / (1 + np.exp(-8 * x[:, 0]))
    return np.stack([1 - right, right], axis=1)


@pytest.mark.parametrize("n", [1, 2, 8, 9, 10, 21, 100])
def test_each_cluster_has_its_own_color(n):
    colors = plot.cluster_colors(n)
    assert colors.shape == (n, 4)
    assert len(np.unique(colors.round(4), axis=0)) == n


def test_neighbouring_clusters_of_many_differ_more_than_shades_of_the_map_do():
    colors = plot.cluster_colors(20)[:, :3]
    steps = np.linalg.norm(np.diff(colors, axis=0), axis=1)
    assert steps.min() > 0.2


def test_history_draws_what_is_finite_at_its_iteration(ax):
    frame = pd.DataFrame({"iteration": [1, 2, 3, 4], "gap": [0.4, np.nan, 0.2, 0.1]})
    assert plot.history(ax, frame, ["gap"]) is ax
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), [1, 3, 4])
    np.testing.assert_array_equal(line.get_ydata(), [0.4, 0.2, 0.1])
    assert line.get_label() == "gap"


def test_history_puts_a_smooth_line_over_a_noisy_one_only():
    steps = np.arange(300)
    noise = np.random.default_rng(0).normal(size=300)
    frame = pd.DataFrame({"iteration": steps, "calm": np.exp(-steps / 50), "noisy": noise})
    calm, noisy = (Figure().subplots() for _ in range(2))
    plot.history(calm, frame, ["calm"])
    plot.history(noisy, frame, ["noisy"])
    assert len(calm.lines) == 1
    raw, smooth = noisy.lines
    assert raw.get_alpha() < 0.5
    assert np.std(smooth.get_ydata()) < 0.5 * np.std(raw.get_ydata())


def test_history_is_not_flattened_by_a_spike(ax):
    values = np.linspace(1, 0, 400)
    values[200] = 1e6
    plot.history(ax, pd.DataFrame({"iteration": np.arange(400), "gen": values}), ["gen"])
    assert ax.get_ylim()[1] < 1e5


def test_history_says_that_it_is_empty(ax):
    plot.history(ax, pd.DataFrame({"iteration": [1], "gap": [np.nan]}), ["gap"])
    assert texts(ax) == ["nothing recorded"]


def test_history_on_a_logarithmic_scale(ax):
    frame = pd.DataFrame({"iteration": [1, 2], "learning_rate": [1e-3, 1e-6]})
    assert plot.history(ax, frame, ["learning_rate"], log_scale=True).get_yscale() == "log"


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
def test_names_are_drawn_as_they_are(ax, name):
    plot.confusion(ax, np.eye(2, dtype=int), [name, "b"])
    pixels(ax)
    label = ax.get_yticklabels()[0].get_text()
    assert len(label) <= plot.MAX_LABEL
    assert "\n" not in label
    other = Figure().subplots()
    plot.energy_histogram(other, {name: np.arange(5.0)})
    pixels(other)


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


def test_points_may_be_none(ax):
    plot.points(ax, np.empty((0, 2)), np.empty(0, dtype=int))
    pixels(ax)


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


def test_image_grid_places_tiles_row_by_row(ax):
    images = np.linspace(0, 1, 5)[:, None, None, None] * np.ones((5, 1, 4, 4))
    plot.image_grid(ax, images, 3, captions=list("abcde"))
    assert len(ax.images) == 5
    left, right, bottom, top = ax.images[4].get_extent()
    assert left == pytest.approx(4 * 1.06)
    assert right - left == pytest.approx(4)
    assert bottom - top == pytest.approx(4)
    assert ax.images[4].get_interpolation() == "nearest"
    assert texts(ax) == list("abcde")
    np.testing.assert_allclose(ax.images[4].get_array(), 1.0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_image_grid_takes_any_number_of_channels(ax, channels):
    images = np.random.default_rng(0).uniform(size=(2, channels, 3, 5))
    plot.image_grid(ax, images, 2)
    drawn = ax.images[1].get_array()
    assert drawn.shape == (3, 5, 3)
    if channels == 3:
        np.testing.assert_allclose(drawn, np.moveaxis(images[1], 0, -1))
    else:
        np.testing.assert_allclose(drawn[..., 0], images[1].mean(axis=0))


def test_image_grid_shows_the_images():
    black, white = Figure().subplots(), Figure().subplots()
    plot.image_grid(black, np.zeros((4, 1, 8, 8)), 4)
    plot.image_grid(white, np.ones((4, 1, 8, 8)), 4)
    assert pixels(black).mean() < pixels(white).mean()


def test_legends_of_many_sets_take_several_lines(ax):
    sets = {f"a long name {i}": np.arange(9.0) + i for i in range(7)}
    plot.energy_histogram(ax, sets, label="something else")
    assert ax.get_legend()._ncols == 3 and ax.get_xlabel() == "something else"
    few = Figure().subplots()
    plot.energy_histogram(few, dict(list(sets.items())[:5]))
    assert few.get_legend()._ncols == 5
