import numpy as np
import pytest

from gedi.evaluation.cohesion import Cohesion, cohesion
from gedi.partitions.mixtures import k_means

RNG = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(4), 100)
X = 3.0 * np.eye(20)[GROUPS] * 20**0.5 + RNG.normal(size=(400, 20))


def test_neighbours_in_far_groups_agree_perfectly():
    found = cohesion(X, GROUPS, 0)
    assert found is not None
    assert found.found == 1.0
    assert found.excess == 1.0


def test_random_clusters_agree_as_by_chance():
    found = cohesion(X, RNG.permutation(GROUPS), 0)
    assert found is not None
    assert abs(found.found) < 0.1
    assert found.excess < 0


def test_half_of_a_group_in_another_cluster_by_hand():
    # Neighbours lie in one group. Half of one group is labelled at random as another cluster, so
    # that half of its neighbours disagree: an eighth of all.
    codes = GROUPS.copy()
    codes[:100] = RNG.permutation(np.repeat([0, 4], 50))
    found = cohesion(X, codes, 0)
    assert found is not None
    chance = 1 - 3 / 16 - 2 / 64
    assert found.found == pytest.approx(1 - 0.25 * 0.5 / chance, abs=0.01)


def test_a_cloud_without_groups_has_no_excess():
    cloud = RNG.normal(size=(1500, 20)) * np.linspace(0.2, 2, 20)
    found = cohesion(cloud, k_means(cloud, 6, 3, 0), 0)
    assert found is not None
    assert found.found > 0.2
    assert abs(found.excess) < 0.1


def test_the_names_of_clusters_and_units_do_not_matter():
    one, other = cohesion(X, GROUPS, 0), cohesion(1000 * X - 5, 7 * (3 - GROUPS), 0)
    assert one == pytest.approx(other)


def test_a_single_cluster_has_no_cohesion():
    assert cohesion(X, np.zeros(400, np.int64), 0) is None


def test_excess():
    assert Cohesion(0.8, 0.5).excess == pytest.approx(0.6)
