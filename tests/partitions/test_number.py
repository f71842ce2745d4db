import numpy as np
import pytest
from sklearn.datasets import make_circles, make_moons
from sklearn.metrics import adjusted_rand_score

from gedi.deadline import Deadline
from gedi.partitions import NumberOfClusters, number_of_clusters

LABELS = np.array([0, 1])
CENTRES = np.array([[0, 0], [3, 1], [7, 0], [0, 4], [4, 5], [9, 4], [1, 9], [5, 8], [10, 9]])
BOXES = np.random.default_rng(0).uniform(size=(9, 40, 2))


def blobs(sizes, distance, seed=0):
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(len(sizes)) / len(sizes)
    means = distance * np.stack([np.cos(angle), np.sin(angle)], 1)
    y = np.repeat(np.arange(len(sizes)), sizes)
    return rng.normal(size=(len(y), 2)) + means[y], y


def test_far_apart_blobs_are_counted():
    x, y = blobs([60] * 5, 20)
    found = number_of_clusters(x, seed=0)
    assert found.n_clusters == 5 and found.gaussians == 5 and found.clear
    assert adjusted_rand_score(y, found.labels) == 1
    assert max(found.scores.values()) == 0 and str(found) == "5 clusters were found in the data"


def test_small_clusters_count_and_far_rows_do_not():
    x, y = blobs([475, 20, 5], 20)
    small = number_of_clusters(x, seed=0)
    assert small.n_clusters == 3 and adjusted_rand_score(y, small.labels) == 1
    x, y = blobs([300, 300], 6)
    rows = np.concatenate([x, 500 + 100 * np.random.default_rng(1).normal(size=(4, 2))])
    far = number_of_clusters(rows, seed=0)
    assert far.n_clusters == 2 and adjusted_rand_score(y, far.labels[:600]) == 1


def test_shapes_that_are_not_gaussian_are_counted():
    x, y = make_moons(300, noise=0.05, random_state=0)
    found = number_of_clusters(x, seed=0)
    assert found.n_clusters == 2 and found.gaussians is None
    assert adjusted_rand_score(y, found.labels) == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rings_are_counted_by_the_parts_that_neighbours_connect(seed):
    x, y = make_circles(800, noise=0.05, factor=0.5, random_state=seed)
    found = number_of_clusters(x, seed=seed)
    assert found.n_clusters == found.parts == 2
    assert adjusted_rand_score(y, found.labels) == 1


def test_parts_without_support_of_their_number_are_not_believed(monkeypatch):
    x, _ = blobs([60] * 5, 20)
    monkeypatch.setattr("gedi.partitions.number._separate_parts", lambda z: 3)
    assert number_of_clusters(x, seed=0).n_clusters == 5  # by the Gaussians and the score
    monkeypatch.setattr("gedi.partitions.number.gaussian_peak", lambda *_: None)
    found = number_of_clusters(x, seed=0)
    assert found.n_clusters == 5 and found.scores[3] < -0.3


def test_one_gaussian_is_not_clear():
    found = number_of_clusters(np.random.default_rng(0).normal(size=(200, 2)), seed=0)
    assert found.gaussians == 1 and 1 in found.rivals and not found.clear
    assert "there may be no clusters" in str(found)


def test_the_range_grows_while_its_end_is_the_best(monkeypatch):
    x = np.concatenate([rows + centre for rows, centre in zip(BOXES, CENTRES, strict=True)])
    monkeypatch.setattr("gedi.partitions.number.FIRST", 6)
    found = number_of_clusters(x, seed=0)
    assert found.n_clusters == 9 and max(found.scores) == 12


@pytest.mark.parametrize("rows", [np.arange(3.0)[:, None], np.ones((30, 2)), np.zeros((1, 1))])
def test_too_few_rows_to_compare_are_two_clusters(rows):
    found = number_of_clusters(rows, seed=0)
    assert found.n_clusters == 2 and not found.clear and found.labels.shape == (len(rows),)
    assert "too few rows" in str(found)
    assert found.agreement == pytest.approx(1)


def test_rivals_are_within_the_margin():
    found = NumberOfClusters(3, {2: -0.05, 3: 0.0, 4: -0.4}, None, LABELS)
    assert found.rivals == [2] and not found.clear
    assert str(found) == "3 clusters were found in the data (not clear: 2 would do about as well)"
    assert NumberOfClusters(3, {2: -0.2, 3: 0.0}, None, LABELS).rivals == []
    # The peak of the Gaussians decided against the score.
    assert NumberOfClusters(3, {2: 0.0, 3: -0.4}, 3, LABELS).rivals == [2]


@pytest.mark.parametrize(
    ("number", "gaussians", "parts", "clear"),
    [
        (3, 3, 1, True),
        (3, None, 3, True),
        (3, None, 1, False),  # only the score says so
        (3, None, None, False),  # many features, and 2 is about as good
        (4, None, None, False),
        (4, 4, 1, False),  # the score says 3
    ],
)
def test_a_number_is_clear_if_the_score_and_something_else_give_it(number, gaussians, parts, clear):
    scores = {2: -0.05, 3: 0.0, 4: -0.4}
    found = NumberOfClusters(number, scores, gaussians, LABELS, parts=parts)
    assert found.clear == clear and ("not clear" in str(found)) == (not clear)


def test_without_rivals_a_number_needs_something_else_only_in_tables():
    scores = {2: -0.2, 3: 0.0}
    assert NumberOfClusters(3, scores, None, LABELS, parts=None).clear
    alone = NumberOfClusters(3, scores, None, LABELS)
    assert not alone.clear and "neither gaps between clusters nor Gaussians" in str(alone)


def test_many_gaussians_that_no_other_method_finds_are_not_believed(monkeypatch):
    x, _ = make_moons(200, noise=0.05, random_state=0)
    monkeypatch.setattr("gedi.partitions.number.gaussian_peak", lambda z, most, seed, deadline: 9)
    found = number_of_clusters(x, seed=0)
    assert found.n_clusters == 2 and 9 in found.rivals


def test_a_stopped_search_says_so():
    x, y = blobs([250] * 4, 20)
    late = number_of_clusters(x, seed=0, deadline=Deadline(0.0))
    assert late.n_clusters == 2 and late.stopped and not late.clear
    assert "(not clear: there was time to look at 150 rows only; the time was up" in str(late)
    assert len(np.unique(late.labels)) == 2 and len(late.labels) == len(y)
    never = number_of_clusters(x, seed=0, deadline=Deadline.after(1e6))
    assert never.n_clusters == 4 and never.clear and never.rows is None
    assert adjusted_rand_score(y, never.labels) == 1


def test_numbers_are_compared_while_there_is_time(monkeypatch):
    moves = iter(range(10**6))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(moves)))
    found = number_of_clusters(blobs([60] * 5, 20)[0], seed=0, deadline=Deadline(12.0))
    assert found.stopped and 1 < len(found.scores) < 14 and 6 in found.scores
    assert list(found.scores) == sorted(found.scores)
    assert f"the time was up when {len(found.scores)} numbers" in str(found)


@pytest.mark.parametrize("n_groups", [pytest.param(3, marks=pytest.mark.slow), 17])
def test_groups_along_principal_axes_are_counted_by_modularity(n_groups):
    rng = np.random.default_rng(0)
    y = rng.integers(n_groups, size=900)
    x = rng.normal(size=(900, 40)) + 2.0 * rng.normal(size=(n_groups, 40))[y]
    found = number_of_clusters(x, seed=0, one_unit=True)
    assert found.n_clusters == n_groups and found.gaussians is None
    assert set(range(n_groups - 1, n_groups + 2)) <= set(found.scores)
    assert adjusted_rand_score(y, found.labels) > 0.95


def test_the_search_along_axes_stops_when_the_time_is_up():
    x = np.random.default_rng(0).normal(size=(400, 20))
    found = number_of_clusters(x, seed=0, one_unit=True, deadline=Deadline.after(1e-9))
    assert found.stopped and not found.clear and found.n_clusters >= 2


def test_many_rivals_are_a_range():
    scores = {c: 0.0 if c == 8 else -0.05 for c in range(4, 13)}
    sentence = str(NumberOfClusters(8, scores, None, LABELS))
    assert "numbers from 4 to 12 would do about as well" in sentence
