"""Everything that scikit-learn asks of an estimator, but for the bits of weighted trainings."""

import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from gedi import GEDI, GEDIClassifier, Settings
from gedi.settings import SamplerSettings

CHAINS = Settings(sampler=SamplerSettings(kind="langevin"))
# The first trains for 1000 iterations: `test_weights` looks at the weights of classes, too.
LONG = ("check_class_weight_classifiers", "check_estimator_sparse_matrix")


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


def checks():
    """Pairs of an estimator and a check."""
    for estimator in (
        GEDI(4, max_iter=20, encoder=(16,), n_restarts=1),
        GEDIClassifier(max_iter=40, encoder=(32,), n_restarts=1, learning_rate=0.02),
    ):
        failures = expected_failures(estimator)
        for pair in estimator_checks_generator(
            estimator, expected_failed_checks=failures, mark="xfail"
        ):
            long = hasattr(pair[1], "func") and pair[1].func.__name__ in LONG
            yield pytest.param(*pair, marks=pytest.mark.slow) if long else pair


@pytest.mark.parametrize(
    ("estimator", "check"),
    list(checks()),
    ids=lambda each: getattr(each, "func", type(each)).__name__,
)
def test_scikit_learn_compatible(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [GEDI(4, max_iter=20, encoder=(16,), n_restarts=1, settings=CHAINS)],
    expected_failed_checks=expected_failures,
)
def test_chains_are_compatible(estimator, check):
    check(estimator)
