import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from drawn import texts
from gedi import plot


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


def test_history_takes_columns_by_name_and_draws_the_gap(ax):
    plot.history(ax, {"iteration": np.arange(3), "gap": np.array([3.0, 2.0, 1.0])})
    assert ax.lines[0].get_ydata().tolist() == [3, 2, 1]


def test_lines_differ_without_colours(ax):
    names = ["a", "b", "c"]
    plot.history(ax, {"iteration": np.arange(3)} | dict.fromkeys(names, np.arange(3.0)), names)
    assert len({line.get_linestyle() for line in ax.lines}) == 3
