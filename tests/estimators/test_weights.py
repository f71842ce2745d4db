"""Weights of points and of classes."""

import numpy as np
import pytest
import sklearn
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import small_texts
from gedi import GEDI, ClusterSweep, GEDIClassifier, GEDISymbols, Settings, sum_rule
from gedi.errors import DataError
from gedi.settings import SamplerSettings

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("small_mixtures"),
]

N = 150
RNG = np.random.default_rng(0)
SIDE = np.repeat([0, 1], N)
X = RNG.normal(size=(2 * N, 2)) + 8 * SIDE[:, None]
HEAVY = np.where(SIDE == 1, 9.0, 1.0)


def quick(kind="base", **changes):
    settings = Settings(sampler=SamplerSettings(kind=kind))
    chosen = {
        "n_clusters": 2,
        "max_iter": 100,
        "n_restarts": 1,
        "prior": "learned",
    }
    return GEDI(**{**chosen, "settings": settings, "random_state": 0, **changes})


@pytest.fixture(scope="module", params=["base", pytest.param("langevin", marks=pytest.mark.slow)])
def weighted(request):
    max_iter = {"base": 100, "langevin": 300}[request.param]
    return quick(request.param, max_iter=max_iter).fit(X, sample_weight=HEAVY)


def test_weights_weigh_density_samples_and_shares(weighted):
    """Nine in ten of the mass are on one side, where the log-density is log 9 higher."""
    logs = weighted.log_density(X)
    difference = logs[SIDE == 1].mean() - logs[SIDE == 0].mean()
    assert difference == pytest.approx(np.log(9), abs=0.35)
    samples, _ = weighted.sample(1000)
    assert np.mean(samples[:, 0] > 4) == pytest.approx(0.9, abs=0.05)
    assert weighted.prior_.max() > 0.75
    assert (weighted.labels_ == SIDE).mean() < 0.02  # cluster 0 is the one with more weight


def test_points_of_weight_zero_take_no_part():
    far = np.r_[X, [[1e9, -1e9]] * 5]
    weights = np.r_[np.ones(2 * N), np.zeros(5)]
    pairs = np.array([[0, 1], [2, 2 * N + 1]])
    model = quick(max_iter=5).fit(far, sample_weight=weights, positives=pairs)
    plain = quick(max_iter=5).fit(X, positives=pairs[:1])
    assert len(model.labels_) == len(far)
    assert np.array_equal(model.labels_[: 2 * N], plain.labels_)
    assert np.array_equal(model.log_density(X), plain.log_density(X))


def test_equal_weights_change_no_bit():
    same, none = (quick(max_iter=5).fit(X, sample_weight=w) for w in (np.full(2 * N, 3.0), None))
    assert np.array_equal(same.score_samples(X), none.score_samples(X))


def test_earlier_labels_belong_to_the_points_that_are_kept():
    weights = np.where(np.arange(2 * N) % 3 == 0, 0.0, 1.0 + SIDE)
    model = quick().fit(X, sample_weight=weights, like=SIDE)
    assert (model.labels_ == SIDE).mean() > 0.98


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(2 * N), "positive weight for some points"),
        (np.ones(3), "sample_weight"),
        (-np.ones(2 * N), "[Nn]egative"),
        (np.full(2 * N, np.nan), "NaN"),
        (np.ones((2 * N, 2)), "1D"),
    ],
)
def test_weights_that_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(X, sample_weight=weights)


def test_weights_come_through_pipelines_by_metadata_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        model = quick(max_iter=5).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(scaler, model).fit(X, sample_weight=HEAVY)
    assert pipeline[-1].prior_.max() > 0.7


def test_heavier_labels_win_where_labels_contradict_each_other():
    both = np.r_[X, X]
    y = np.r_[SIDE, 1 - SIDE]
    for right in (0, 1):
        weights = np.where(np.arange(4 * N) // (2 * N) == right, 9.0, 1.0)
        model = GEDIClassifier(max_iter=60, encoder=(32,), n_restarts=1, random_state=0, w_gen=0)
        assert model.fit(both, y, sample_weight=weights).score(both, y, weights) > 0.85


def test_class_weights_shift_the_boundary(tmp_path):
    x, y = make_blobs([270, 30], centers=[[0.0], [2.0]], random_state=0)
    found = {}
    for weight in (None, "balanced", {0: 1.0, 1: 9.0}):
        model = GEDIClassifier(
            class_weight=weight, max_iter=100, encoder=(32,), n_restarts=1, random_state=0
        )
        found[str(weight)] = np.mean(model.fit(x, y).predict(x) == 1)
    assert found["balanced"] > found["None"] + 0.03
    assert found["balanced"] == pytest.approx(found["{0: 1.0, 1: 9.0}"], abs=0.03)
    model.save(tmp_path / "model")
    loaded = GEDIClassifier.load(tmp_path / "model")
    assert loaded.class_weight == model.class_weight == {0: 1.0, 1: 9.0}
    assert all(type(name) is int for name in loaded.class_weight)
    with pytest.raises(ValueError, match="class_weight"):
        GEDIClassifier(class_weight="fair").fit(x, y)


def test_groups_have_weights():
    symbols = RNG.integers(3, size=(60, 2))
    groups = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])[symbols]
    groups = groups + RNG.normal(size=groups.shape)
    sums = symbols.sum(axis=1)
    wrong = np.r_[sums, (sums + 1) % 5]
    weights = np.r_[np.ones(60), np.zeros(60)]
    model = GEDISymbols(max_iter=60, n_restarts=1, random_state=0, w_gen=0)
    model.fit(np.r_[groups, groups], wrong, weights, rule=sum_rule(2, 3))
    assert model.labels_.shape == (120, 2)
    half = np.where(weights > 0, 1.0, 0.1)
    assert model.fit(np.r_[groups, groups], wrong, half, rule=sum_rule(2, 3)).labels_.size == 240


def test_sweeps_pass_weights_on():
    quickest = GEDI(w_gen=0, max_iter=5, n_restarts=1)
    sweep = ClusterSweep(quickest, n_clusters=(2, 3), n_parts=2, refit=False)
    plain, weighted = (sweep.fit(X, sample_weight=w).cells_ for w in (None, HEAVY))
    assert plain[0].collapse_gap != weighted[0].collapse_gap
    with pytest.raises(DataError, match="positive weight"):
        sweep.fit(X, sample_weight=np.zeros(2 * N))


def test_blank_texts_take_no_part():
    texts, subjects = small_texts.texts(90)
    blanks = ["", "  "] * 10  # that would be a cluster of their own
    model = GEDI(3, features=small_texts.text_model(), max_iter=40, random_state=0)
    with pytest.warns(UserWarning, match="20 of 110 texts are blank"):
        model.fit([*texts, *blanks])
    assert adjusted_rand_score(subjects, model.labels_[:90]) > 0.9 and len(model.labels_) == 110
    with pytest.raises(DataError, match="blank texts only"):
        model.fit(blanks)
    part = GEDI(3, features=model.features, max_iter=40, random_state=0)
    with pytest.warns(UserWarning, match="texts are blank"):
        part.partial_fit([*texts[:60], ""]).partial_fit([*texts[60:], *blanks])
    assert part.n_samples_seen_ == len(part.rows_) == 90 and len(part.labels_) == 50
    few = GEDIClassifier(features=model.features, max_iter=40, random_state=0)
    known = [*subjects[:9], *[None] * 101]
    with pytest.warns(UserWarning, match="20 of 110 texts are blank"):
        few.fit([*texts, *blanks], known)
    assert np.mean(few.labels_[:90] == np.array(subjects)) > 0.9
