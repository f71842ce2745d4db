"""Tables as they come: far rows, codes for missing values, copies, counts, flags, few rows.

Each table is fitted with default settings but for the number of iterations. The clusters of the
usual rows are found as without the others, unusual rows have the lowest scores, samples look like
the data, and the log-density is that of a mixture which was fitted to the usual rows alone.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from gedi import GEDI

SHORT = 30
STOPPED = "GEDI was still improving when it stopped after 30 iterations"


def rng(seed=0):
    return np.random.default_rng(seed)


def blobs(*sizes, d=3, apart=8.0):
    """Round blobs on the corners of a simplex, or on a circle, and the blob of each row."""
    k = len(sizes)
    y = np.repeat(np.arange(k), sizes)
    turn = 2 * np.pi * np.arange(k) / k
    centres = apart * (np.eye(k, d) if d >= k else np.c_[np.cos(turn), np.sin(turn)])
    order = rng(1).permutation(len(y))
    return (centres[y] + rng().normal(size=(len(y), d)))[order], y[order]


X, Y = blobs(134, 133, 133)
N = len(X)


@dataclass(frozen=True)
class Case:
    """A table, the clusters of its rows, and how it is measured.

    Attributes:
        x: the rows, (n, d).
        y: the cluster of each row, (n,); None if there are none to find.
        odd: mask of the rows that are unusual, (n,).
        usual: mask of the rows that are measured, (n,); all that are not odd if None.
        mixture: whether the log-density is comparable with a mixture's: not where values or rows
            repeat, so that a mixture's has no bound.
        least: the adjusted Rand index that the clusters of the measured rows reach.
    """

    x: NDArray
    y: NDArray | None = None
    odd: NDArray = field(default_factory=lambda: np.zeros(0, bool))
    usual: NDArray | None = None
    mixture: bool = True
    least: float = 0.97

    @property
    def rows(self):
        if self.usual is not None:
            return self.usual
        return ~self.odd if len(self.odd) else np.ones(len(self.x), bool)


def with_rows(places, values):
    """The blobs with other values in some rows."""
    x, odd = X.copy(), np.zeros(N, bool)
    x[places], odd[places] = values, True
    return Case(x, Y, odd)


def sentinels(value):
    x, odd = X.copy(), np.arange(N) % 40 == 7
    x[odd, 1] = value
    return Case(x, Y, odd)


def third_identical():
    x, same = X.copy(), np.arange(N) % 3 == 0
    x[same] = X[1]
    return Case(x, Y, usual=~same, mixture=False)


def log_normal():
    return Case(np.c_[X, 10 ** rng(2).normal(size=(N, 2))], Y, least=0.8)


def zero_inflated():
    y = np.arange(N) % 2
    means = np.where(y[:, None] == 1, [40, 3, 8, 1], [4, 30, 1, 9])
    counts = rng(3).poisson(means) * (rng(4).random((N, 4)) > 0.3)
    return Case(counts.astype(float), None, mixture=False)


def one_hot():
    y = np.arange(N) % 2
    codes = np.where(rng(5).random((N, 10)) < 0.8, 5 * y[:, None], 0)
    codes = codes + rng(6).integers(0, 5, (N, 10))
    return Case(np.eye(10)[codes].reshape(N, 100), y, mixture=False)


def fewer_rows_than_columns():
    y = np.arange(40) % 2
    return Case(rng(7).normal(size=(40, 100)) + 1.5 * y[:, None], y, mixture=False)


def flags(*, odd):
    """Two flags that are copies of each other, and a measured column."""
    flag, far = rng(8).integers(0, 2, 1000), np.zeros(1000, bool)
    x = np.c_[flag, flag, 10 + rng(9).normal(size=1000)]
    far[77] = odd
    x[far, 2] *= 1000
    return Case(x, flag, far, mixture=False)


def line():
    t = np.arange(1.0, 101.0)
    return Case(np.c_[t, t], mixture=False)


CASES = {
    **{
        f"one row at 1e{power}": with_rows([7], 10.0**power * np.array([[1, -1, 1]]))
        for power in (3, 6, 12)
    },
    **{
        f"one percent of rows at 1e{power}": with_rows(
            [3, 111, 222, 333], 10.0**power * rng(1).normal(size=(4, 3))
        )
        for power in (3, 6, 12)
    },
    "-999 in a column": sentinels(-999),
    "99999 in a column": sentinels(99999),
    "a third of the rows identical": third_identical(),
    "copies and sums of columns": Case(np.c_[X, X[:, 0], X.sum(1)], Y, mixture=False),
    "log-normal columns over six decades": log_normal(),
    "zero-inflated counts": zero_inflated(),
    "100 one-hot columns": one_hot(),
    "fewer rows than columns": fewer_rows_than_columns(),
    "as many rows as clusters": Case(X[[0, 150, 390]], np.arange(3), mixture=False),
    "float16": Case(X.astype(np.float16), Y),
    "flags": flags(odd=False),
    "flags and one far row": flags(odd=True),
    "blobs of 60, 30 and 10 %": Case(*blobs(240, 120, 40, d=2)),
    "blobs of 95, 4 and 1 %": Case(*blobs(1140, 48, 12, d=2)),
    "a line": line(),
}
ALIKE = (
    "one row at 1e3",
    "one row at 1e6",
    "one percent of rows at 1e6",
    "one percent of rows at 1e3",
    "99999 in a column",
    "a line",
    "flags",
    "float16",
    "blobs of 60, 30 and 10 %",
    "log-normal columns over six decades",
)


@pytest.fixture(scope="module")
def fitted():
    """The model of each case, fitted once."""
    models = {}

    def of(name):
        if name not in models:
            case = CASES[name]
            n_clusters = 2 if case.y is None else int(case.y.max()) + 1
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.filterwarnings("ignore", STOPPED)
                models[name] = GEDI(n_clusters, max_iter=SHORT, random_state=0).fit(case.x)
        return models[name]

    return of


@pytest.fixture(scope="module")
def sampled(fitted):
    """Samples of the model of each case, drawn once."""
    samples = {}

    def of(name):
        if name not in samples:
            n = 60 if CASES[name].x.shape[1] > 50 else 200
            samples[name] = fitted(name).sample(n)[0]
        return samples[name]

    return of


def named(condition=lambda case: True):
    """The names of cases, of which some are much like others."""
    names = [name for name, case in CASES.items() if condition(case)]
    return [pytest.param(name, marks=pytest.mark.slow) if name in ALIKE else name for name in names]


@pytest.mark.parametrize("name", named(lambda case: case.y is not None and len(case.x) > 3))
def test_the_usual_rows_have_their_clusters(fitted, name):
    case = CASES[name]
    found = fitted(name).labels_[case.rows]
    assert adjusted_rand_score(case.y[case.rows], found) > case.least


@pytest.mark.parametrize("name", named(lambda case: case.odd.any()))
def test_unusual_rows_have_the_lowest_scores(fitted, name):
    case = CASES[name]
    for scores in (fitted(name).score_samples(case.x), fitted(name).log_density(case.x)):
        assert np.isfinite(scores).all()
    scores = fitted(name).score_samples(case.x)
    assert scores[case.odd].max() < scores[~case.odd].min()
    predicted = fitted(name).predict_proba(case.x)
    assert np.isfinite(predicted).all()


@pytest.mark.parametrize("name", named())
def test_samples_look_like_the_data(sampled, name):
    case = CASES[name]
    usual = case.x[case.rows].astype(float)
    samples = sampled(name)
    assert (samples >= case.x.min(0)).all() and (samples <= case.x.max(0)).all()
    wide = usual.std(0)
    inside = ((samples >= usual.min(0) - wide) & (samples <= usual.max(0) + wide)).all(1)
    assert inside.mean() >= 0.95 - case.odd.sum() / len(case.x)


@pytest.mark.parametrize("name", named(lambda case: case.mixture))
def test_the_log_density_is_that_of_a_mixture_of_the_usual_rows(fitted, name):
    case = CASES[name]
    usual = case.x[case.rows].astype(float)
    mixtures = [GaussianMixture(k, n_init=2, random_state=0).fit(usual) for k in (1, 3, 6)]
    best = min(mixtures, key=lambda mixture: mixture.bic(usual))
    assert fitted(name).log_density(usual).mean() > best.score(usual) - 0.5


@pytest.mark.parametrize(
    "name", [pytest.param("flags", marks=pytest.mark.slow), "flags and one far row"]
)
def test_flags_stay_flags(sampled, name):
    samples = sampled(name)
    assert np.isin(samples[:, :2], [0, 1]).all()
    assert (samples[:, 0] == samples[:, 1]).mean() > 0.98
    assert 0.4 < samples[:, 0].mean() < 0.6


def test_counts_stay_whole_and_zero_stays_as_frequent(sampled):
    x, samples = CASES["zero-inflated counts"].x, sampled("zero-inflated counts")
    assert (samples == samples.round()).all() and samples.min() == 0
    np.testing.assert_allclose((samples == 0).mean(0), (x == 0).mean(0), atol=0.12)


def test_one_hot_columns_stay_zeros_and_ones(sampled):
    samples = sampled("100 one-hot columns")
    assert np.isin(samples, [0, 1]).all()
    assert samples.sum(1).mean() == pytest.approx(10, abs=2)


def test_points_on_a_line_have_the_density_of_the_line(fitted, sampled):
    model, t = fitted("a line"), np.arange(1.0, 101.0)
    mixture = GaussianMixture(1, random_state=0).fit(CASES["a line"].x)
    assert model.log_density(CASES["a line"].x).mean() > mixture.score(np.c_[t, t]) - 6
    assert model.log_density(CASES["a line"].x).mean() > -2.9
    samples = sampled("a line")
    assert np.abs(samples[:, 0] - samples[:, 1]).max() <= 1
    assert 35 < samples[:, 0].mean() < 66 and samples[:, 0].std() > 20
