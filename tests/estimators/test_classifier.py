"""GEDIClassifier: a few labels, labels of any type, calibration."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import make_blobs, make_moons
from sklearn.linear_model import LogisticRegression

from gedi import GEDIClassifier
from gedi.estimators.classifier import encode_labels

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("small_mixtures"),
]

X, Y = make_blobs(300, n_features=3, centers=3, cluster_std=1.0, random_state=3)


def quick(**changes):
    return GEDIClassifier(
        **{"max_iter": 150, "encoder": (16,), "n_restarts": 1, "random_state": 0, **changes}
    )


def few(y, n=4, unknown=-1):
    """The first n labels of each class; the others unknown."""
    y = np.array(y)
    kept = np.concatenate([np.flatnonzero(y == label)[:n] for label in np.unique(y)])
    partly = np.full(len(y), unknown, dtype=y.dtype)
    partly[kept] = y[kept]
    return partly


# Labels


@pytest.mark.parametrize(
    ("y", "classes", "codes"),
    [
        ([2, -1, 0, 2], [0, 2], [1, -1, 0, 1]),
        ([0, 1, 0], [0, 1], [0, 1, 0]),
        ([-1, 1, -1], [-1, 1], [0, 1, 0]),  # the coding of two classes
        ([1, 1], [1], [0, 0]),
        (np.array(["b", "a", "-1"]), ["a", "b"], [1, 0, -1]),
        (np.array(["b", -1, "a"], dtype=object), ["a", "b"], [1, -1, 0]),
        ([True, False, True], [False, True], [1, 0, 1]),
        ([2.0, -1.0, 0.0], [0.0, 2.0], [1, -1, 0]),
        ([0.0, np.nan, 1.0], [0.0, 1.0], [0, -1, 1]),
        (["a", None, "b"], ["a", "b"], [0, -1, 1]),
        (["a", float("nan"), "b"], ["a", "b"], [0, -1, 1]),
        (pd.Series(["a", "b", None]), ["a", "b"], [0, 1, -1]),
        (pd.Series(["a", "b", None], dtype="string"), ["a", "b"], [0, 1, -1]),
        (pd.Series(["a", "b", None], dtype="category"), ["a", "b"], [0, 1, -1]),
        (pd.Series([4, 2, None], dtype="Int64"), [2, 4], [1, 0, -1]),
        (pd.Series([True, False, None], dtype="boolean"), [False, True], [1, 0, -1]),
        (pl.Series([4, 2, None]), [2, 4], [1, 0, -1]),
        (np.ma.masked_array([4, 2, 9], mask=[0, 0, 1]), [2, 4], [1, 0, -1]),
        ([-1, 1, None], [-1, 1], [0, 1, -1]),
        ([-1, 0, 1, None], [0, 1], [-1, 0, 1, -1]),
    ],
)
def test_labels_of_any_type(y, classes, codes):
    encoded = encode_labels(y)
    assert encoded.classes.tolist() == classes
    assert encoded.codes.tolist() == codes


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        ([-1, -1], "every label is -1"),
        ([0.5, 1.5, -1.0], "[Uu]nknown label type"),
        ([None, np.nan, -1], "every label is -1 or missing"),
        ([0.0, np.inf], "infinity"),
        (["a", 1], "one type, got text together"),
        ([[0, 1], [1, 0]], "1d array"),
    ],
)
def test_labels_that_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        encode_labels(y)


# Training


@pytest.mark.usefixtures("known_normalizer")
@pytest.mark.parametrize(
    "names",
    [np.array(["x", "y", "z"], "U2"), pytest.param(np.array([7, 5, 6]), marks=pytest.mark.slow)],
)
def test_a_few_labels_name_the_clusters(names):
    y = names[Y]
    unknown = -1 if y.dtype.kind == "i" else "-1"
    model = quick(max_iter=150).fit(X, few(y, unknown=unknown))
    assert model.classes_.tolist() == sorted(names.tolist())
    assert model.score(X, y) > 0.95
    assert np.array_equal(model.labels_, model.predict(X))
    assert set(model.sample(20)[1]) <= set(names)
    assert "evidence" in model.history_


def test_unlabelled_points_help():
    x, y = make_moons(400, noise=0.06, random_state=0)
    partly = few(y, 2)
    alone = LogisticRegression().fit(x[partly >= 0], y[partly >= 0]).score(x, y)
    model = quick(encoder=(64, 64), max_iter=250, n_restarts=2).fit(x, partly)
    assert model.score(x, y) > alone + 0.1


@pytest.mark.usefixtures("known_normalizer")
def test_labels_without_weight_only_name_the_clusters():
    y = few(Y)
    taught, untaught = (quick(w_evidence=w, max_iter=50).fit(X, y) for w in (1.0, 0.0))
    assert taught.history_["evidence"][-1] > untaught.history_["evidence"][-1]


@pytest.mark.usefixtures("known_normalizer")
def test_two_classes_coded_as_minus_one_and_one():
    two = Y < 2
    y = np.where(Y[two] == 0, -1, 1)
    model = quick(max_iter=100).fit(X[two], y)
    assert model.classes_.tolist() == [-1, 1]
    assert model.score(X[two], y) > 0.95
    decision = model.decision_function(X[two])
    assert decision.shape == (two.sum(),)
    assert np.array_equal(np.where(decision > 0, 1, -1), model.predict(X[two]))


@pytest.mark.usefixtures("known_normalizer")
def test_the_prior_follows_the_labels_unless_given():
    y = few(Y)
    y[np.flatnonzero(Y == 0)] = 0
    prior = quick(max_iter=5).fit(X, y).prior_
    counts = np.array([np.sum(y == k) for k in range(3)]) + 10
    np.testing.assert_allclose(prior, counts / counts.sum(), rtol=1e-5)
    given = quick(max_iter=5, prior=[1, 2, 1]).fit(X, y).prior_
    np.testing.assert_allclose(given, [0.25, 0.5, 0.25], rtol=1e-5)


def test_it_scores_and_finds_outliers_as_well():
    model = quick().fit(X, few(Y))
    assert model.score(X, Y) > 0.95
    assert model.score_samples(X).mean() > model.score_samples(X + 30).mean() + 10
    assert np.mean(model.predict_outliers(X) == -1) == pytest.approx(0.05, abs=0.01)
    assert (model.predict_outliers(X + 100) == -1).all()


@pytest.mark.usefixtures("known_normalizer")
def test_warm_start_keeps_the_classes():
    model = quick(warm_start=True, max_iter=10).fit(X, few(Y))
    model.fit(X, few(Y, 6))
    with pytest.raises(ValueError, match=r"expected the classes \[0, 1, 2\].*got \[0, 1\]"):
        model.fit(X[Y < 2], Y[Y < 2])
    assert clone(model).fit(X[Y < 2], Y[Y < 2]).classes_.tolist() == [0, 1]


# Calibration


@pytest.mark.usefixtures("known_normalizer")
def test_probabilities_follow_the_temperature():
    model = quick(max_iter=30).fit(X, few(Y))
    logits = model.model_.logits(X).numpy()
    np.testing.assert_allclose(
        model.predict_log_proba(X), log_softmax(logits / model.temperature_, axis=1)
    )
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1)
    p, odds = model.predict_proba(X), model.decision_function(X)
    unsure = (p > 1e-6) & (p < 1 - 1e-6)
    assert unsure.sum() > 10
    np.testing.assert_allclose(odds[unsure], np.log(p / (1 - p))[unsure], rtol=1e-6)
