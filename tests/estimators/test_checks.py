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
# What the classifier has from the class that it shares with `GEDI`.
SHARED = (
    "check_array_api_input",
    "check_dict_unchanged",
    "check_dtype_object",
    "check_estimator_sparse_array",
    "check_estimators_dtypes",
    "check_estimators_fit_returns_self",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_predict1d",
    "check_fit_check_is_fitted",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
    "check_transformer_data_not_an_array",
    "check_transformer_general",
    "check_transformer_preserve_dtypes",
)


@pytest.fixture(autouse=True)
def short_trainings_may_stop_early(known_normalizer, small_mixtures, monkeypatch):
    monkeypatch.setattr("gedi.training.starts._POOL_STEPS", 100)
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
        # A check that is expected to fail says little for the time that it takes.
        slow = {*LONG, *failures, *(() if isinstance(estimator, GEDI) else SHARED)}
        for case in estimator_checks_generator(
            estimator, expected_failed_checks=failures, mark="xfail"
        ):
            values, marks = (case.values, case.marks) if hasattr(case, "marks") else (case, ())
            check = getattr(values[1], "func", values[1])
            long = [pytest.mark.slow] if check.__name__ in slow else []
            yield pytest.param(*values, marks=[*marks, *long])


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
