"""Displays of models: estimators, and what a run leaves."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import gedi
from gedi import plot
from gedi.errors import DataError
from small_trainings import heaps


@pytest.fixture(scope="module")
def model():
    x, _ = heaps(80)
    settings = {"max_iter": 5, "n_restarts": 1, "encoder": (8,), "random_state": 0}
    with pytest.warns(UserWarning, match=""):
        return gedi.GEDI(2, **settings).fit(x)


@pytest.mark.parametrize("kind", [plot.DensityDisplay, plot.RegionsDisplay])
def test_estimators_and_their_models_have_equal_maps(model, ax, kind):
    x, _ = heaps(80)
    drawn = kind.from_estimator(model, pd.DataFrame(x, columns=["$a$", "b"]), ax=ax)
    assert drawn.ax_ is ax and drawn.figure_ is ax.figure
    assert ax.get_xlabel() == "$a$"
    margin = 0.1 * np.ptp(x[:, 0])
    assert ax.get_xlim()[0] < x[:, 0].min() - margin < x[:, 0].max() + margin < ax.get_xlim()[1]
    again = kind.from_estimator(model.model_, x, ax=Figure().subplots()).ax_
    np.testing.assert_array_equal(ax.dataLim.get_points(), again.dataLim.get_points())
    assert len(ax.collections) == len(again.collections)
    dots, other = ax.collections[-1], again.collections[-1]
    np.testing.assert_array_equal(dots.get_offsets(), other.get_offsets())


def test_maps_need_two_features(model):
    with pytest.raises(DataError, match="two features"):
        plot.DensityDisplay.from_estimator(model, np.zeros((3, 4)))


def test_outliers_far_away_are_detected(model, ax):
    x, _ = heaps(80)
    sets = {"far": x + 1e4, "same": x}
    drawn = plot.OutlierDisplay.from_estimator(model, x, sets, ax=ax)
    assert drawn.auroc["same"] == pytest.approx(0.5)
    assert drawn.threshold == model.offset_ and drawn.ax_ is ax
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "same, AUROC 0.50" in words and "threshold" in words
    assert len(drawn.plot(Figure().subplots(), kind="roc").ax_.lines) == 3
    with pytest.raises(DataError, match="histogram or roc"):
        drawn.plot(kind="bars")


class Known:
    """A classifier of two classes whose probabilities are given."""

    classes_ = np.array(["no", "yes"])

    def predict_proba(self, x):
        return np.stack([1 - x, x], axis=1)


def test_reliability_of_a_classifier_uses_its_classes(ax):
    x = np.array([0.9, 0.9, 0.1, 0.1])
    drawn = plot.ReliabilityDisplay.from_estimator(Known(), x, ["yes", "no", "no", "no"], ax=ax)
    assert drawn.calibration.accuracy.tolist() == [0.75]
    assert drawn.ax_ is ax
    with pytest.raises(DataError, match="maybe"):
        plot.ReliabilityDisplay.from_estimator(Known(), x, ["yes", "no", "no", "maybe"])
    with pytest.raises(DataError, match="from_predictions"):
        plot.ReliabilityDisplay.from_estimator(object(), x, x)


def test_axes_are_made_if_none_are_given():
    from matplotlib import pyplot  # noqa: PLC0415

    pyplot.switch_backend("agg")
    made = plot.points(None, np.zeros((3, 2)))
    assert made.figure in map(pyplot.figure, pyplot.get_fignums())
    pyplot.close(made.figure)
