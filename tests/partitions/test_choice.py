import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from gedi.partitions.choice import (
    _scores,
    agreement,
    choose,
    consensus,
    crossing,
    expected_agreement,
    gaussian_kind,
)
from gedi.partitions.neighbours import nearest
from gedi.partitions.pool import Candidate


def test_agreement_is_the_adjusted_rand_index():
    labels = np.random.default_rng(0).integers(0, 4, (5, 60))
    labels[3] = labels[2] // 2
    expected = [[adjusted_rand_score(a, b) for a in labels] for b in labels]
    np.testing.assert_allclose(agreement(labels), expected)


def test_consensus_by_hand():
    agree = np.array([[1.0, 0.9, 0.2, 0.6], [0.9, 1.0, 0.4, 0.8], [0.2, 0.4, 1.0, 0.3],
                      [0.6, 0.8, 0.3, 1.0]])  # fmt: skip
    # Two of one family: its better one counts for the others.
    np.testing.assert_allclose(
        consensus(agree, ["a", "a", "b", "c"]), [(0.2 + 0.6) / 2, 0.6, (0.4 + 0.3) / 2, 0.55]
    )
    np.testing.assert_array_equal(consensus(agree[:2, :2], ["a", "a"]), [0, 0])


def test_crossing_by_hand():
    index = np.array([[1], [0], [1], [2]])
    # Only row 2 has its neighbour in the other cluster: 1/4, of 1/2 by chance.
    np.testing.assert_allclose(crossing(index, np.array([[0, 0, 1, 1], [0, 0, 0, 0]])), [0.5, 0])


@pytest.mark.parametrize(("scale", "kind"), [([1, 1], "spherical"), ([1, 0.2], "tied")])
def test_gaussians_are_recognised(scale, kind):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(200, 2)) * scale + m for m in (0, [6, 0], [0, 7])])
    x = x @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    assert gaussian_kind(x / x.std(), 3, seed=0) == kind


def test_a_ring_is_no_gaussian_and_one_is_not_two():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 400)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1) * np.repeat([[1], [2]], 200, 0)
    assert gaussian_kind(ring + 0.05 * rng.normal(size=(400, 2)), 2, seed=0) is None
    assert gaussian_kind(rng.normal(size=(400, 2)), 2, seed=0) is None


def test_clusters_of_few_rows_are_left_out():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(300, 2)) + np.repeat([[0], [3]], 150, 0)
    halves = np.repeat([0, 1], 150)
    few = np.where(np.arange(300) < 4, 1, 0)
    chosen = choose(
        x, [Candidate("a", "1", few), Candidate("b", "2", few), Candidate("c", "3", halves)], 0
    )
    assert chosen.name == "3"
    assert choose(x, [Candidate("a", "1", few)], 0).name == "1"


def test_agreement_is_expected_where_methods_agree_and_not_in_noise():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 150)
    blobs = rng.normal(size=(300, 2)) + 12 * y[:, None]
    same = [Candidate(family, family, y) for family in "abc"]
    assert expected_agreement(blobs, same, same[0]) == pytest.approx(1)
    noise = rng.normal(size=(300, 2))
    cuts = [
        Candidate(name, name, (noise @ axis > 0).astype(np.int64))
        for name, axis in {"a": [1, 0], "b": [0, 1], "c": [1, 1]}.items()
    ]
    assert 0.2 < expected_agreement(noise, cuts, cuts[0]) < 0.7
    weights = np.exp(_scores(nearest(noise, 5)[1], cuts) / 0.3)
    shared = [adjusted_rand_score(cuts[0].labels, cut.labels) for cut in cuts]
    by_hand = np.average(shared, weights=weights)
    assert expected_agreement(noise, cuts, cuts[0]) == pytest.approx(by_hand)
    # A cluster of far rows is no rival.
    far = Candidate("d", "far", (np.arange(300) < 3).astype(np.int64))
    assert expected_agreement(blobs, [*same, far], same[0]) == pytest.approx(1)
