"""Calibration, by predictions whose accuracy is known."""

import numpy as np
import pytest

from gedi import plot
from gedi.errors import DataError


@pytest.fixture
def half_sure():
    """Ten predictions of 0.75, of which 5 are right, and ten of 0.95, of which 9 are."""
    p = np.repeat([0.75, 0.95], 10)
    y = np.r_[np.repeat([0, 1], 5), np.repeat([0, 1], [9, 1])]
    return y, np.stack([p, 1 - p], axis=1)


def test_bins_hold_accuracy_and_confidence(half_sure):
    found = plot.calibration(*half_sure)
    np.testing.assert_allclose(found.confidence, [0.75, 0.95])
    np.testing.assert_allclose(found.accuracy, [0.5, 0.9])
    np.testing.assert_array_equal(found.counts, [10, 10])
    assert found.error == pytest.approx((0.25 + 0.05) / 2)


def test_certainty_is_in_the_last_bin():
    found = plot.calibration([1, 0], [[0.0, 1.0], [0.05, 0.95]])
    assert found.counts.tolist() == [2] and found.accuracy.tolist() == [0.5]


def test_the_curve_shows_accuracy_over_confidence(ax, half_sure):
    assert plot.reliability(ax, *half_sure, name="model") is ax
    _, curve = ax.lines
    np.testing.assert_allclose(curve.get_xydata(), [[0.75, 0.5], [0.95, 0.9]])
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "model, ECE 0.150" in words
    assert [bar.get_height() for bar in ax.patches] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("y", "p"),
    [([0, 1], [[1.0, 0.0]]), ([2], [[1.0, 0.0]]), (["a"], [[1.0, 0.0]]), ([], np.empty((0, 2)))],
    ids=["lengths", "no column", "names", "nothing"],
)
def test_shapes_and_classes_that_do_not_fit_are_refused(y, p):
    with pytest.raises(DataError, match="expected"):
        plot.calibration(y, p)
