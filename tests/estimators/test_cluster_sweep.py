"""`ClusterSweep`, by estimators of seconds."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.cluster import KMeans

from gedi import GEDI, ClusterSweep, SettingsError
from small_trainings import ring

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("small_mixtures")]


@pytest.fixture(scope="module")
def found():
    x, _ = ring(3, n=150)
    quick = GEDI(
        w_gen=0, max_iter=150, n_restarts=1, encoder=(32,), learning_rate=1e-2, batch_size=64
    )
    return ClusterSweep(quick, n_clusters=(2, 3, 4), n_parts=2).fit(x)


def test_the_number_of_heaps_is_found_and_fitted(found):
    assert found.n_clusters_ == 3, found.reason_
    assert "3 stands out" in found.reason_
    assert found.best_estimator_.labels_.shape == (150,)
    assert found.best_estimator_.n_clusters == 3
    assert found.results_["n_clusters"].tolist() == [2, 3, 4]
    assert len(found.cells_) == 6


def test_results_are_drawn(found):
    figure = found.plot(Figure())
    stability, information = figure.axes
    mean = stability.lines[0]
    np.testing.assert_array_equal(mean.get_xdata(), [2, 3, 4])
    np.testing.assert_array_equal(mean.get_ydata(), found.results_["stability"])
    np.testing.assert_allclose(information.lines[0].get_ydata(), np.log([2, 3, 4]))
    marks = [line for line in information.lines if line.get_linestyle() == ":"]
    assert any(mark.get_xdata()[0] == 3 for mark in marks)


def test_images_are_swept_as_images_and_nothing_is_fitted_if_the_number_is_not_clear():
    images = np.random.default_rng(0).uniform(size=(24, 4, 4))
    quick = GEDI(w_gen=0, max_iter=2, n_restarts=1, encoder=(8,))
    search = ClusterSweep(quick, n_clusters=[2, 3], n_parts=2)
    assert clone(search).fit(images).n_clusters_ is None
    assert not hasattr(clone(search).fit(images), "best_estimator_")


def test_only_gedi_is_swept():
    with pytest.raises(SettingsError, match="KMeans"):
        ClusterSweep(KMeans()).fit(np.zeros((20, 2)))
