import warnings

import numpy as np
import pytest
from sklearn.datasets import make_circles, make_moons
from sklearn.metrics import adjusted_rand_score

from gedi.deadline import Deadline
from gedi.partitions import best_partition


def spirals(rng):
    turn = np.sqrt(np.tile(np.linspace(0.05, 1, 150), (3, 1))) * 7
    angle = turn + np.array([0, 2, 4])[:, None] * np.pi / 3
    x = np.stack([turn * np.cos(angle), turn * np.sin(angle)], -1).reshape(-1, 2)
    return x + 0.05 * rng.normal(size=x.shape), np.repeat([0, 1, 2], 150)


def blobs(rng):
    y = np.repeat([0, 1, 2], [300, 150, 50])
    return rng.normal(size=(500, 2)) + np.array([[0, 0], [9, 0], [0, 9]])[y], y


TABLES = {
    "moons": make_moons(400, noise=0.05, random_state=0),
    "circles": make_circles(400, noise=0.03, factor=0.5, random_state=0),
    "spirals": spirals(np.random.default_rng(0)),
    "blobs of 60, 30 and 10 %": blobs(np.random.default_rng(0)),
}


@pytest.fixture(autouse=True)
def without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("name", TABLES)
def test_clusters_of_all_shapes_are_found_exactly(name):
    x, y = TABLES[name]
    labels = best_partition(x, y.max() + 1, seed=0).labels
    assert labels.dtype == np.int64
    assert adjusted_rand_score(y, labels) == 1


@pytest.mark.parametrize("far", [1e3, 1e12])
def test_far_rows_are_no_cluster(far):
    x, y = TABLES["blobs of 60, 30 and 10 %"]
    labels = best_partition(np.concatenate([x, [[far, 0], [-far, far]]]), 3, seed=0).labels
    assert adjusted_rand_score(y, labels[:500]) == 1


def test_the_order_of_rows_only_renumbers():
    x, _ = TABLES["spirals"]
    order = np.random.default_rng(1).permutation(len(x))
    labels = best_partition(x, 3, seed=0).labels
    assert adjusted_rand_score(labels[order], best_partition(x[order], 3, seed=0).labels) == 1


def test_scale_and_origin_of_columns_do_not_matter():
    x, y = TABLES["moons"]
    labels = best_partition(x * [1e-6, 1e6] + [0, 1e6], 2, seed=0).labels
    assert adjusted_rand_score(y, labels) == 1


def test_the_seed_determines_the_labels():
    x = np.random.default_rng(0).normal(size=(150, 3))
    one, other = best_partition(x, 4, seed=1), best_partition(x, 4, seed=1)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.agreement == other.agreement


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize(
    ("x", "n_clusters"),
    [
        pytest.param(normal(1, 2), 2, id="one row"),
        pytest.param(normal(4, 2), 4, id="n = c"),
        pytest.param(normal(4, 3), 3, id="n = c + 1"),
        pytest.param(normal(30, 1), 4, id="one column"),
        pytest.param(normal(10, 50), 3, id="n < d"),
        pytest.param(normal(30, 200), 3, id="many columns"),
        pytest.param(normal(60, 1) * [1, 0] + [0, 3], 3, id="constant column"),
        pytest.param(np.ones((20, 3)), 3, id="constant columns"),
        pytest.param(np.repeat(normal(5, 2), 20, 0), 3, id="repeated rows"),
        pytest.param(np.repeat(normal(5, 2), 20, 0), 7, id="fewer distinct rows"),
        pytest.param(np.concatenate([np.zeros((200, 2)), normal(4, 2)]), 3, id="mostly copies"),
        pytest.param(np.concatenate([np.zeros((500, 2)), normal(9, 2)]), 5, id="copies, sampled"),
        pytest.param(normal(40, 2) * 1e12, 3, id="large"),
        pytest.param(1e15 + normal(40, 2), 3, id="far from the origin"),
        pytest.param(normal(9, 2), 1, id="one cluster"),
        pytest.param(normal(110, 3), 105, id="almost as many clusters as rows"),
    ],
)
def test_all_clusters_are_used_as_far_as_there_are_distinct_rows(x, n_clusters, monkeypatch):
    monkeypatch.setattr("gedi.partitions.best.SAMPLE", 400)
    labels, agreement = best_partition(x, n_clusters, seed=0)
    assert 0 <= agreement <= 1 + 1e-9
    assert labels.shape == (len(x),)
    n_distinct = len(np.unique(x, axis=0))
    np.testing.assert_array_equal(np.unique(labels), np.arange(min(n_clusters, n_distinct)))


def test_rows_beyond_the_sample_follow_their_neighbours(monkeypatch):
    monkeypatch.setattr("gedi.partitions.best.SAMPLE", 300)
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [700, 300])
    x = rng.normal(size=(1000, 2)) + 12 * y[:, None]
    assert adjusted_rand_score(y, best_partition(x, 2, seed=0).labels) == 1


def test_without_time_a_few_rows_decide():
    x, y = make_moons(2000, noise=0.05, random_state=0)
    labels = best_partition(x, 2, seed=0, deadline=Deadline(0.0)).labels
    assert adjusted_rand_score(y, labels) > 0.9
