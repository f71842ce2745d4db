"""GEDI as people use it: tables, images, frames, pipelines, searches, odd input."""

import pickle
import time
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from scipy.stats import betabinom, binom
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits, load_wine, make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import kneighbors_graph
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

from gedi import GEDI, Settings, collapse_gap_scorer
from gedi.errors import DataError, RunError
from gedi.settings import SamplerSettings, ViewSettings
from gedi.settings.presets import NEUTRAL, preset

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("small_mixtures"),
]

X, Y = make_blobs(300, n_features=3, centers=3, cluster_std=1.0, random_state=3)
NEW = X + 0.1
DIGITS = load_digits(n_class=3).images[:90]


def quick(**changes):
    """Seconds, not quality."""
    chosen = {"n_clusters": 3, "max_iter": 60, "encoder": (16,), "n_restarts": 1}
    return GEDI(**{**chosen, "random_state": 0, **changes})


@pytest.fixture(scope="module")
def fitted():
    return quick(max_iter=400).fit(X)


# What is learned


def test_clusters_are_found_and_numbered_by_size(fitted):
    assert adjusted_rand_score(Y, fitted.labels_) > 0.95
    assert np.array_equal(fitted.labels_, fitted.predict(X))
    assert np.all(np.diff(np.bincount(fitted.labels_, minlength=3)) <= 0)
    assert np.array_equal(fitted.predict_proba(X).argmax(1), fitted.labels_)


def test_the_number_of_clusters_is_found_by_default(tmp_path):
    found = GEDI(max_iter=5, encoder=(16,), n_restarts=1, random_state=0).fit(X)
    assert found.n_clusters == "auto" and found.n_clusters_ == 3
    assert found.n_clusters_reason_.startswith("3 clusters were found in the data")
    assert 0.5 < found.agreement_ <= 1
    best = found.n_clusters_scores_["score"].argmax()
    assert found.n_clusters_scores_["n_clusters"][best] == 3
    found.save(tmp_path / "saved")
    back = GEDI.load(tmp_path / "saved")
    assert back.n_clusters_reason_ == found.n_clusters_reason_
    np.testing.assert_array_equal(
        back.n_clusters_scores_["score"], found.n_clusters_scores_["score"]
    )
    found.set_params(n_clusters=2).fit(X)
    assert found.n_clusters_ == 2 and found.n_clusters_reason_ is None


@pytest.mark.usefixtures("known_normalizer")
def test_agreement_is_unknown_without_a_partition():
    images = quick(max_iter=3).fit(np.random.default_rng(0).random((30, 8, 8)))
    assert images.agreement_ is None
    noise = np.random.default_rng(1).uniform(size=(200, 5))
    assert quick(max_iter=3, n_clusters=4).fit(noise).agreement_ < 0.7


def test_learned_attributes_describe_the_training(fitted):
    assert fitted.n_iter_ == 400
    assert 0 <= fitted.collapse_gap_ < 0.3
    assert 0.9 < fitted.agreement_ <= 1
    assert fitted.n_features_in_ == 3 and fitted.input_shape_ == (3,)
    assert set(fitted.history_) >= {"iteration", "gen", "inv", "prior", "gap"}
    assert fitted.history_["iteration"][-1] == 400
    np.testing.assert_allclose(fitted.prior_, 1 / 3, atol=0.01)


def test_scores_are_higher_where_the_data_are(fitted):
    far = X + 10 * X.std(0)
    assert fitted.score(X) > fitted.score(far) + 10
    assert (fitted.score_samples(X) > fitted.score_samples(far) + 3).all()
    assert fitted.score(X) == pytest.approx(fitted.log_density(X).mean())


@pytest.mark.parametrize("contamination", [0.01, 0.2])
def test_contamination_is_the_share_of_outliers_among_points_like_those_of_the_training(
    contamination,
):
    model = quick(contamination=contamination).fit(X[::2])
    verdict = model.predict_outliers(X[1::2])
    alarms = (verdict == -1).sum()
    low, high = binom.ppf(0.001, 150, contamination / 2), binom.ppf(0.999, 150, contamination)
    assert low <= alarms <= high
    assert np.array_equal(verdict == -1, model.decision_function(X[1::2]) < 0)
    assert np.array_equal(verdict == -1, model.outlier_p_values(X[1::2]) <= contamination)


@pytest.mark.parametrize(("data", "n"), [("wine", 120), ("normal", 150), ("normal", 12)])
@pytest.mark.filterwarnings("ignore:no point is called an outlier:UserWarning")
def test_the_threshold_holds_on_new_points(data, n):
    rng = np.random.default_rng(1)
    x = load_wine().data if data == "wine" else rng.normal(size=(1000, 10))
    order = rng.permutation(len(x))
    model = quick(n_clusters=2, contamination=0.05, max_iter=5).fit(x[order[:n]])
    new = x[order[n:]]
    alarms = (model.predict_outliers(new) == -1).sum()
    # The alarms depend on the threshold, too, so that their law is beta-binomial.
    rank = int(0.05 * (n + 1))
    assert alarms <= (betabinom.ppf(0.999, len(new), rank, n + 1 - rank) if rank else 0)


def test_outliers_by_their_share_of_false_alarms(fitted):
    p = fitted.outlier_p_values(X)
    for alpha in (0.01, 0.05, 0.2):
        assert np.array_equal(fitted.predict_outliers(X, alpha=alpha) == -1, p <= alpha)
    assert np.array_equal(fitted.predict_outliers(X), fitted.predict_outliers(X, alpha=0.05))
    assert (fitted.outlier_p_values(X + 100) == 1 / 301).all()
    with pytest.raises(ValueError, match=r"^alpha: expected a share above 0 and up to 0\.5, got 2"):
        fitted.predict_outliers(X, alpha=2)


def test_few_points_show_no_small_share(tmp_path):
    model = quick().fit(X[:15])
    model.save(tmp_path / "model")
    back = GEDI.load(tmp_path / "model")
    assert model.offset_ == back.offset_ == -np.inf
    with pytest.warns(UserWarning, match=r"15 training points cannot show .* below 0\.062"):
        assert (back.predict_outliers(X + 1e6) == 1).all()
    assert (back.predict_outliers(X + 1e6, alpha=0.1) == -1).all()


def test_explanations_add_up_and_have_the_columns_of_a_frame(fitted):
    odd = X[:4].copy()
    odd[0, 1] += 40
    contributions, typical = fitted.explain(odd)
    np.testing.assert_allclose(contributions.sum(1), -fitted.score_samples(odd), atol=1e-9)
    assert contributions[0].argmax() == 1 and abs(typical[0, 1] - X[:, 1].mean()) < 15
    frame = pd.DataFrame(odd, columns=["a", "b", "c"], index=[5, 6, 7, 8])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fitted without names
        named = fitted.explain(frame)
    assert list(named.typical) == ["a", "b", "c"] and named.contributions.index.tolist()[0] == 5
    np.testing.assert_array_equal(named.contributions, contributions)


def test_confidence_is_low_between_and_far_from_clusters(fitted):
    centres = np.array([X[fitted.labels_ == k].mean(0) for k in range(3)])
    points = np.concatenate([centres, [centres[:2].mean(0), centres[0] + 100]])
    sure = fitted.predict_confidence(points)
    highest = fitted.predict_proba(points).max(1)
    assert (sure[:3] > 0.9).all() and (sure[3:] < 0.5).all() and highest[4] > 0.5
    scores = fitted.score_samples(X)
    p = fitted.model_.outlier_p_values(scores, fitted.labels_)
    expected = fitted.predict_proba(X).max(1) * np.minimum(1, p / 0.1)
    np.testing.assert_allclose(fitted.predict_confidence(X, alpha=0.1), expected)


@pytest.mark.usefixtures("known_normalizer")
def test_smooth_and_noisy_images_are_outliers():
    rng = np.random.default_rng(0)
    digits = rng.permutation(load_digits().images)  # neighbours are by the same writer
    model = quick(n_clusters=2, contamination=0.1).fit(digits[:300])
    constant = np.repeat(rng.uniform(0, 16, 50), 64).reshape(50, 8, 8)
    noise = rng.uniform(0, 16, (50, 8, 8))
    for images in (constant, noise):
        assert (model.predict_outliers(images) == -1).all()
        assert (model.predict_outliers(images, alpha=0.02) == -1).all()
        assert (model.predict_confidence(images, alpha=0.5) < 0.5).all()
    new = digits[300:600]
    assert (model.predict_outliers(new) == -1).mean() < 0.2
    p = model.outlier_p_values(new)
    assert np.array_equal(p <= 0.1, model.predict_outliers(new) == -1)
    with pytest.raises(DataError, match="expected a model of rows of numbers for explanations"):
        model.explain(new)


@pytest.mark.usefixtures("known_normalizer")
def test_few_images_are_scored_by_their_density():
    images = load_digits().images[:50]
    model = quick(n_clusters=2, contamination=0.1).fit(images)
    assert np.array_equal(model.score_samples(images), model.log_density(images))
    assert (model.predict_outliers(images) == -1).sum() == 5
    for ask in (model.outlier_p_values, model.explain, model.predict_confidence):
        with pytest.raises(DataError, match="fewer than 60 images"):
            ask(images)


def test_samples_are_like_the_data_and_come_with_clusters(fitted):
    x, y = fitted.sample(500)
    assert x.shape == (500, 3) and set(y) <= {0, 1, 2}
    np.testing.assert_allclose(x.mean(0), X.mean(0), atol=0.4 * X.std(0).max())
    assert np.array_equal(fitted.predict(x), y)
    _, of_one = fitted.sample(100, cluster=1)
    assert np.mean(of_one == 1) > 0.9
    assert np.array_equal(fitted.sample(5)[0], fitted.sample(5)[0])
    with pytest.raises(ValueError, match="from 0 to 2"):
        fitted.sample(5, cluster=3)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        fitted.sample(0)


def test_one_cluster_is_a_density_alone():
    model = quick(n_clusters=1).fit(X)
    assert set(model.labels_) == {0}
    assert np.array_equal(model.predict_proba(X), np.ones((300, 1)))
    assert model.score(X) > model.score(X + 20)


def test_random_state_fixes_every_bit():
    first, again, other = (quick(random_state=s, max_iter=10).fit(X) for s in (1, 1, 2))
    assert np.array_equal(first.score_samples(NEW), again.score_samples(NEW))
    assert not np.array_equal(first.score_samples(NEW), other.score_samples(NEW))
    state = quick(random_state=np.random.RandomState(0), max_iter=5)
    assert state.fit(X).n_iter_ == 5


@pytest.mark.slow
def test_y_is_ignored():
    a, b = quick(max_iter=5).fit(X), quick(max_iter=5).fit(X, Y)
    assert np.array_equal(a.score_samples(X), b.score_samples(X))


# How long it takes


def test_an_unfinished_training_says_so():
    with pytest.warns(ConvergenceWarning, match="increase max_iter or max_time"):
        quick(max_iter=20).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        quick(max_iter=400, encoder=(4,)).fit(X)


def test_max_time_ends_the_training():
    model = quick(max_iter=10**6, max_time=1.0).fit(X)
    assert model.history_["seconds"][-1] < 1 and model.n_iter_ > 5


@pytest.mark.slow
@pytest.mark.parametrize("n_clusters", ["auto", 3])
def test_max_time_bounds_the_whole_fit(n_clusters):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 60)) + 4 * rng.normal(size=(3, 60))[rng.integers(3, size=20_000)]
    GEDI(2, max_iter=1).fit(X)  # loads libraries
    begun = time.perf_counter()
    model = GEDI(n_clusters, max_time=5, max_iter=10**6, random_state=0).fit(x)
    assert time.perf_counter() - begun < 6.5
    assert model.n_clusters_ == 3 and model.n_iter_ > 10
    assert np.isfinite(model.log_density(x[:100])).all()


def test_callbacks_see_the_history_and_can_end_the_training():
    seen = []

    def stop_at_100(record):
        seen.append(record["iteration"])
        return record["iteration"] >= 100

    model = quick(max_iter=400, callbacks=[stop_at_100]).fit(X)
    assert seen == [50, 100] and model.n_iter_ == 100
    assert model.predict(X).shape == (300,)


def test_verbose_shows_progress(capfd):
    quick(max_iter=60, verbose=1).fit(X)
    assert "60 iterations" in capfd.readouterr().err
    quick(max_iter=5).fit(X)
    assert capfd.readouterr().err == ""


def test_warm_start_continues_and_keeps_the_numbers():
    model = quick(max_iter=400, warm_start=True).fit(X)
    before = model.predict(X)
    model.set_params(max_iter=50).fit(X[:200])
    assert model.n_iter_ == 50
    assert np.mean(model.predict(X) == before) > 0.95
    with pytest.raises(ValueError, match="3 features"):
        model.fit(X[:, :2])
    model.set_params(n_clusters=2)
    with pytest.raises(ValueError, match="same features, clusters and encoder"):
        model.fit(X)


# In the company of scikit-learn


def test_frames_keep_names_and_give_frames():
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = quick(max_iter=10).set_output(transform="pandas").fit(frame)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    embedded = model.transform(frame)
    assert isinstance(embedded, pd.DataFrame) and embedded.columns[0] == "gedi0"
    assert embedded.shape == (300, 16)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"a": "z"}))


def test_polars_frames():
    frame = pl.DataFrame(X, schema=["a", "b", "c"])
    model = quick(max_iter=10).set_output(transform="polars").fit(frame)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    assert isinstance(model.transform(frame), pl.DataFrame)
    assert np.array_equal(model.predict(frame), model.fit(X).predict(X))


def test_pipelines_clones_and_pickles():
    pipeline = make_pipeline(StandardScaler(), quick(max_iter=10)).fit(X)
    twin = clone(pipeline).fit(X)
    assert np.array_equal(pipeline.predict(NEW), twin.predict(NEW))
    back = pickle.loads(pickle.dumps(pipeline))
    assert np.array_equal(pipeline.score_samples(NEW), back.score_samples(NEW))
    assert np.array_equal(pipeline[-1].sample(4)[0], back[-1].sample(4)[0])


def test_categories_and_missing_values_by_scikit_learns_own_transformers():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": X[:, 0], "age": X[:, 1], "kind": np.take(["p", "q", "r"], Y)})
    frame.loc[rng.random(300) < 0.1, "age"] = np.nan
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["size", "age"]),
        (OneHotEncoder(sparse_output=False), ["kind"]),
    )
    model = make_pipeline(columns, quick(max_iter=150)).fit(frame)
    assert adjusted_rand_score(Y, model.predict(frame)) > 0.8


def test_search_by_density():
    search = GridSearchCV(quick(max_iter=2), {"w_inv": [0.5, 1.0]}, cv=2).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.predict(X).shape == (300,)


@pytest.mark.slow
def test_search_by_gap_is_not_fooled_by_weak_views():
    """A training with weak views has a small gap under them, but not under fixed views."""
    overlapping, _ = make_blobs(400, centers=1, n_features=2, random_state=0)
    honest = quick(n_clusters=2).fit(overlapping)
    pairs = np.stack([np.arange(400)] * 2, 1)  # every point is its own and only view
    fooled = quick(n_clusters=2, views=[], max_iter=500).fit(overlapping, positives=pairs)
    assert fooled.collapse_gap_ < 0.5 * honest.collapse_gap_
    assert -collapse_gap_scorer(honest, overlapping) == pytest.approx(honest.collapse_gap_, abs=0.1)
    assert -collapse_gap_scorer(fooled, overlapping) > fooled.collapse_gap_ + 0.01
    first, again = (collapse_gap_scorer(honest, overlapping) for _ in range(2))
    assert first == again


# Kinds of input


@pytest.mark.parametrize(
    ("shape", "dtype"), [((8, 8), np.uint8), ((1, 8, 8), np.uint8), ((1, 8, 8), np.float64)]
)
def test_images(shape, dtype):
    images = DIGITS.astype(dtype).reshape(-1, *shape)
    model = quick(max_iter=5).fit(images)
    assert model.n_features_in_ == 64 and model.input_shape_ == shape
    x, _ = model.sample(4)
    assert x.shape == (4, *shape)
    assert np.array_equal(model.predict(images), model.predict(images.reshape(-1, 64)))
    with pytest.raises(ValueError, match="expecting 64 features"):
        model.predict(images[..., :4])


def test_images_mean_the_same_in_every_type():
    """Dim bytes and masks of 0 and 1 are scaled by their own range."""
    few = {"max_iter": 5, "w_gen": 0}
    dim = [quick(**few).fit(DIGITS.astype(kind)) for kind in ("uint8", "uint16", "float64")]
    masks = [quick(**few).fit((DIGITS > 8).astype(kind)) for kind in ("uint8", "bool")]
    assert np.array_equal(dim[0].predict_proba(DIGITS), dim[2].predict_proba(DIGITS))
    assert np.array_equal(dim[1].predict_proba(DIGITS), dim[2].predict_proba(DIGITS))
    assert np.array_equal(masks[0].predict_proba(DIGITS), masks[1].predict_proba(DIGITS))
    assert dim[0].model_.scaling.scale.unique().tolist() == [8.0]


def test_images_with_channels_last_are_refused():
    with pytest.raises(ValueError, match="transpose to"):
        quick().fit(np.zeros((10, 8, 8, 3)))


@pytest.mark.usefixtures("known_normalizer")
def test_any_module_as_encoder_sees_images():
    seen = []

    class Conv(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3, stride=2)

        def forward(self, x):
            seen.append(x.shape[1:])
            return nn.functional.silu(self.conv(x))

    model = quick(encoder=Conv(), max_iter=5).fit(DIGITS)
    assert set(seen) == {(1, 8, 8)}
    assert model.transform(DIGITS).shape == (90, 36)
    assert clone(model).fit(DIGITS).n_iter_ == 5


@pytest.mark.parametrize("views", ["noise", ["adversarial", "dropout"], ["neighbours"]])
def test_views_by_name(views):
    model = quick(views=views, max_iter=10).fit(X)
    chosen = model.settings_.views
    names = {views} if isinstance(views, str) else set(views)
    for name in ("noise", "dropout", "adversarial", "neighbours"):
        assert (getattr(chosen, name) > 0) == (name in names)


def test_image_views_by_name():
    settings = Settings(views=ViewSettings(shift=0.0, crop=0.5))
    few = {"settings": settings, "max_iter": 5, "w_gen": 0}
    named = quick(views=["image"], **few).fit(DIGITS).settings_.views
    assert (named.shift, named.crop, named.rotate) == (0, 0.5, preset("digits")["rotate"])
    assert (named.adversarial, named.neighbours) == (0, 0)
    others = quick(views=["neighbours"], **few).fit(DIGITS).settings_.views
    assert others.neighbours > 0 and {name: getattr(others, name) for name in NEUTRAL} == NEUTRAL


def test_images_are_searched_by_gap_under_the_usual_views():
    model = quick(views=["neighbours"], max_iter=5, w_gen=0).fit(DIGITS)
    assert -collapse_gap_scorer(model, DIGITS) > 0


def test_a_view_is_any_function_of_a_batch():
    def jitter(x):
        assert x.shape[1:] == (3,)
        return x + 0.3 * torch.randn_like(x)

    model = quick(views=[jitter, "neighbours"], max_iter=100).fit(X)
    assert adjusted_rand_score(Y, model.labels_) > 0.9
    with pytest.raises(
        ValueError, match=r"views: expected one of noise, .*, or the view of a plug-in"
    ):
        quick(views="blur").fit(X)


def test_positives_as_a_graph_or_as_pairs():
    graph = kneighbors_graph(X, 5)
    by_graph = quick(views=[], max_iter=100).fit(X, positives=graph)
    assert adjusted_rand_score(Y, by_graph.labels_) > 0.9
    pairs = np.stack(graph.nonzero(), 1)
    by_pairs = quick(views=[], max_iter=100).fit(X, positives=pairs)
    assert np.array_equal(by_graph.score_samples(X), by_pairs.score_samples(X))


@pytest.mark.parametrize(
    ("positives", "message"),
    [
        (sparse.eye(5, format="csr"), r"matrix of shape \(300, 300\), got \(5, 5\)"),
        ([[0, 1, 2]], r"shape \(m, 2\).*got int64 of shape \(1, 3\)"),
        ([[0.5, 1.0]], "whole numbers"),
        (np.empty((0, 2), int), "at least one pair"),
        ([[0, 300]], "rows from 0 to 299, got 0 to 300"),
    ],
)
def test_positives_that_are_refused(positives, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(X, positives=positives)


def test_settings_for_everything_without_a_parameter():
    own = Settings(sampler=SamplerSettings(n_steps=7), max_iter=9)
    model = quick(settings=own, max_iter=10).fit(X)
    assert model.settings_.sampler.n_steps == 7
    assert model.n_iter_ == 10  # arguments win
    with pytest.raises(ValueError, match=r"settings: expected a gedi.Settings, got dict"):
        quick(settings={}).fit(X)


def test_no_gen_has_no_normaliser():
    assert quick(w_gen=0, max_iter=10).fit(X).log_normalizer_ is None


# Odd input


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(X.astype(np.float16), id="half"),
        pytest.param(np.asfortranarray(X), id="fortran", marks=pytest.mark.slow),
        pytest.param(np.repeat(X, 2, axis=1)[:, ::2], id="strided", marks=pytest.mark.slow),
        pytest.param(X.tolist(), id="list", marks=pytest.mark.slow),
        pytest.param(np.c_[X, np.full(300, 7.0)], id="constant"),
        pytest.param(1e30 * X, id="huge"),
        pytest.param(1e-30 * X, id="tiny", marks=pytest.mark.slow),
        pytest.param(X + 1e9, id="offset"),
        pytest.param(np.round(10 * X).astype(int), id="whole", marks=pytest.mark.slow),
    ],
)
def test_unusual_numbers_give_the_same_clusters(odd):
    model = quick(max_iter=50).fit(odd)
    assert adjusted_rand_score(Y, model.labels_) > 0.9
    assert np.isfinite(model.score_samples(odd)).all()
    assert np.isfinite(model.sample(3)[0]).all()


def test_read_only_arrays_are_neither_written_nor_refused():
    x = X.copy()
    x.setflags(write=False)
    assert np.array_equal(quick(max_iter=5).fit(x).predict(x), quick(max_iter=5).fit_predict(X))


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (X[:1], ValueError, "1 sample"),
        (X[:2], ValueError, "2 points cannot form 3 clusters"),
        (X[:, 0], ValueError, "Reshape your data"),
        (X[:0], ValueError, "0 sample"),
        (np.where(X > 9, np.nan, X), ValueError, "NaN"),
        (np.where(X > 9, np.inf, X), ValueError, "infinite values, the first in row"),
        (
            np.array([["a", 1.0, 2.0]] * 5, dtype=object),
            ValueError,
            "'0' holds numbers, but 'a' in row 0",
        ),
        (np.ones((20, 3)), ValueError, "all 20 points are the same"),
        (X + 1j, ValueError, "[Cc]omplex"),
    ],
    ids=str,
)
def test_bad_input_is_refused(x, error, message):
    with pytest.raises(error, match=message):
        quick(max_iter=5).fit(x)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_clusters": 0}, "n_clusters: expected at least 1 cluster, got 0"),
        ({"n_clusters": "3"}, "n_clusters: expected a whole number or auto, got '3'"),
        ({"n_clusters": 2.5}, "n_clusters: expected a whole number or auto, got 2.5"),
        ({"max_iter": 0}, "max_iter: expected at least 1"),
        ({"max_iter": 1.5}, "max_iter: expected a whole number"),
        ({"contamination": 0.9}, "^contamination: expected a share above 0 and up to 0.5, got 0.9"),
        ({"contamination": "auto"}, "^contamination: expected a share"),
        ({"prior": [0.5, 0.5]}, "prior: expected 3 shares"),
        ({"w_inv": -1}, "^w_inv: expected 0 or more, got -1"),
        ({"n_restarts": 0}, "^n_restarts: expected at least 1, got 0"),
        ({"w_gen": 0, "w_inv": 0, "w_prior": 0}, "nothing to train"),
        ({"device": "tpu"}, "device: expected one of auto, cpu, cuda"),
        ({"random_state": "seed"}, "seed"),
        ({"random_state": -1}, "^random_state: expected 0 or more"),
        ({"encoder": (0,)}, "^encoder: expected positive widths"),
        ({"encoder": nn.BatchNorm1d(3)}, "no batch normalisation"),
        ({"views": []}, "views"),
    ],
)
def test_bad_parameters_are_refused_by_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        quick(**changes).fit(X)


@pytest.mark.parametrize("method", ["predict", "transform", "score_samples", "predict_outliers"])
def test_nothing_works_before_fit(method):
    with pytest.raises(NotFittedError):
        getattr(GEDI(), method)(X)
    with pytest.raises(NotFittedError):
        GEDI().sample()


def test_a_wrong_number_of_features_gives_the_message_of_scikit_learn(fitted):
    with pytest.raises(ValueError, match="X has 2 features, but GEDI is expecting 3 features"):
        fitted.predict(X[:, :2])


# Numbers that last


def test_numbers_are_those_of_an_earlier_fit(fitted, tmp_path):
    fitted.save(tmp_path / "saved")
    mixed = (fitted.predict(X) + 1) % 3
    for like, expected in (
        (str(tmp_path / "saved"), fitted.predict(X)),
        (np.where(np.arange(len(X)) < 200, mixed, -1), mixed),
        (0.8 * np.eye(3)[mixed] + 0.1, mixed),
    ):
        model = quick(random_state=1, n_restarts=1, max_iter=100, w_gen=0).fit(X, like=like)
        assert (model.labels_ == expected).mean() > 0.95
        assert model.former_clusters_.tolist() == [0, 1, 2] and model.overlaps_.min() > 0.8
    twin = GEDI.load(model.save(tmp_path / "again") or tmp_path / "again")
    assert twin.former_clusters_.tolist() == [0, 1, 2]
    model.set_params(max_iter=5).fit(X, like=fitted)
    assert len(model.former_clusters_) == len(model.overlaps_) == 3
    assert not hasattr(model.set_params(max_iter=5).fit(X), "overlaps_")


@pytest.mark.parametrize(
    ("like", "words"),
    [
        (GEDI(), "is not fitted yet"),
        ("nowhere", "not a saved estimator"),
        (np.zeros(5), r"expected a fitted GEDI, .* labels \(300,\) .*got an array \(5,\)"),
        (object(), "got object"),
        (np.full(300, 0.5), "expected labels from -1 to 1999, got 0.5"),
        (np.full((300, 2), -0.5), "expected probabilities, got -0.5"),
        (np.full(300, -1), "-1 for all"),
    ],
)
def test_earlier_models_that_cannot_be_used(like, words):
    with pytest.raises((ValueError, RunError), match=words):
        quick(max_iter=2).fit(X, like=like)


def test_an_earlier_model_of_other_columns(fitted):
    with pytest.raises(DataError, match="was trained on 3 features, and these data have 2"):
        quick(max_iter=2).fit(X[:, :2], like=fitted)


@pytest.mark.parametrize("kind", ["langevin", "base"])
def test_values_of_any_size_are_predicted_by_a_limit(kind):
    model = quick(settings=Settings(sampler=SamplerSettings(kind=kind)), max_iter=20).fit(X)
    far = np.array([[1e300, 0, 0], [-1e308, 1e308, 0], [1e160, 1e160, 1e160]])
    assert np.isfinite(model.predict_proba(far)).all()
    assert (model.log_density(far) < model.log_density(X).min() - 50).all()
    assert np.isfinite(model.score_samples(far)).all()
    assert np.array_equal(model.predict(far), model.predict(np.clip(far, -1e90, 1e90)))


def test_a_column_that_is_constant_up_to_rounding_is_constant():
    flag = np.arange(300) % 2 == 0
    nearly = np.c_[X, np.where(flag, 0.3, 0.1 + 0.2)]
    model = quick(max_iter=50).fit(nearly)
    assert adjusted_rand_score(Y, model.labels_) > 0.9
    same = quick(max_iter=50).fit(np.c_[X, np.full(300, 0.3)])
    np.testing.assert_array_equal(model.score_samples(nearly), same.score_samples(nearly))


def test_fewer_distinct_rows_than_clusters_are_said():
    rows = X[np.arange(17) % 6]
    with pytest.warns(ConvergenceWarning, match="6 distinct rows, fewer than the 10 clusters"):
        quick(n_clusters=10, max_iter=5).fit(rows)
