"""Everything that scikit-learn asks of an estimator, but for the bits of weighted trainings."""

import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from gedi import GEDI, GEDIClassifier


@pytest.fixture(autouse=True)
def short_trainings_may_stop_early(known_normalizer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def expected_failures(estimator):
    """Batches are drawn at random, so copies of a row and its weight give other draws.

    And `partial_fit` learns from the points of its earlier calls, too, which `fit` does not keep.
    """
    reason = "weights are equal to copies in expectation"
    kinds = ("dense", "sparse")
    failures = {f"check_sample_weight_equivalence_on_{kind}_data": reason for kind in kinds}
    if isinstance(estimator, GEDI):
        failures["check_fit_score_takes_y"] = "it calls partial_fit after fit"
    return failures


@parametrize_with_checks(
    [
        GEDI(4, max_iter=20, encoder=(16,), n_restarts=1),
        GEDIClassifier(max_iter=40, encoder=(32,), n_restarts=1, learning_rate=0.02),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_compatible(estimator, check):
    check(estimator)
