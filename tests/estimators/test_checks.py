"""Everything that scikit-learn asks of an estimator, none of it expected to fail."""

import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from gedi import GEDI, GEDIClassifier


@pytest.fixture(autouse=True)
def short_trainings_may_stop_early():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@parametrize_with_checks(
    [
        GEDI(n_clusters=3, max_iter=20, encoder=(16,), n_restarts=1),
        GEDIClassifier(max_iter=40, encoder=(32,), n_restarts=1, learning_rate=0.02),
    ]
)
def test_scikit_learn_compatible(estimator, check):
    check(estimator)
