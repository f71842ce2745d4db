import numpy as np
from matplotlib.figure import Figure

from gedi import plot


def test_clusters_that_hold_points_have_boxes(ax):
    values = np.array([0.0, 1, 2, 10, 11, 12, np.nan])
    found = plot.feature_boxes(
        ax, values, np.array([0, 0, 0, 2, 2, 2, 1]), name="$x$", n_clusters=4
    )
    assert found is ax and ax.get_xlabel() == "$x$"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "2"]
    faces = [box.get_facecolor()[:3] for box in ax.patches]
    np.testing.assert_allclose(faces, plot.cluster_colors(4)[[0, 2], :3])
    medians = [line.get_xdata() for line in ax.lines if line.get_color() == plot.INK]
    np.testing.assert_array_equal(medians, [[1, 1], [11, 11]])


def test_a_cluster_without_points_has_an_empty_box():
    drawn = plot.feature_boxes(Figure().subplots(), np.ones(3), np.zeros(3, int), shown=[0])
    assert len(drawn.patches) == 1
