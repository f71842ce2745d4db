import numpy as np

from gedi import plot

FOUND = {
    "n_clusters": [2, 3, 4],
    "stability": [0.9, 1.0, 0.5],
    "least_stability": [0.8, 1.0, 0.3],
    "told": [0.6, 1.05, 1.1],
    "told_spread": [0.1, 0.01, 0.0],
}


def test_information_is_drawn_with_its_maximum(ax):
    assert plot.sweep_told(ax, FOUND, suggested=3) is ax
    most, information, *_ = ax.lines
    np.testing.assert_allclose(most.get_ydata(), np.log([2, 3, 4]))
    np.testing.assert_array_equal(information.get_xydata(), [[2, 0.6], [3, 1.05], [4, 1.1]])
    assert "suggested" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_nothing_is_marked_without_a_suggestion(ax):
    plot.sweep_stability(ax, FOUND)
    assert ax.lines[0].get_ydata().tolist() == [0.9, 1.0, 0.5]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "lowest pair",
        "mean",
    ]
