"""Scores of clusters: exact values and invariances."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gedi.evaluation.clustering import (
    accuracy,
    agreement,
    ari,
    cluster_sizes,
    confusion,
    match,
    nmi,
)

LABELS = np.array([0, 0, 0, 1, 1, 2])
CLUSTERS = np.array([2, 2, 1, 0, 0, 1])


@st.composite
def pairs(draw):
    n = draw(st.integers(1, 30))
    codes = st.lists(st.integers(0, 4), min_size=n, max_size=n)
    return np.array(draw(codes)), np.array(draw(codes))


def test_agreement_is_all_three_figures():
    assert agreement(LABELS, CLUSTERS) == {
        "NMI": nmi(LABELS, CLUSTERS),
        "ARI": ari(LABELS, CLUSTERS),
        "accuracy": accuracy(LABELS, CLUSTERS),
    }


def test_exact_values():
    assert accuracy(LABELS, CLUSTERS) == pytest.approx(5 / 6)
    np.testing.assert_array_equal(match(LABELS, CLUSTERS), [1, 2, 0])
    np.testing.assert_array_equal(
        confusion(LABELS, CLUSTERS, 3, 4), [[0, 1, 2, 0], [2, 0, 0, 0], [0, 1, 0, 0]]
    )
    np.testing.assert_array_equal(cluster_sizes(CLUSTERS, 4), [2, 2, 2, 0])
    assert isinstance(accuracy(LABELS, CLUSTERS), float)


def test_information_and_rand_index():
    assert nmi(LABELS, (LABELS + 1) % 3) == pytest.approx(1.0)
    assert ari(LABELS, (LABELS + 1) % 3) == pytest.approx(1.0)
    halves, crossed = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert nmi(halves, crossed) == pytest.approx(0.0)
    assert ari(halves, crossed) == pytest.approx(-0.5)
    # I = log 2 and H = log 4, log 2: the mean of the entropies is the norm.
    assert nmi(np.array([0, 1, 2, 3]), halves) == pytest.approx(2 / 3)


def test_a_matching_is_better_than_a_greedy_one():
    # Greedily cluster 0 takes class 0 (5 rows) and leaves 0 right ones for cluster 1.
    counts = {(0, 0): 5, (1, 0): 4, (0, 1): 4}
    labels = np.concatenate([np.full(n, label) for (label, _), n in counts.items()])
    clusters = np.concatenate([np.full(n, cluster) for (_, cluster), n in counts.items()])
    assert accuracy(labels, clusters) == pytest.approx(8 / 13)


def test_more_clusters_than_classes_and_fewer():
    assert accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 2])) == 0.75
    np.testing.assert_array_equal(match(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 2])), [0, -1, 1])
    assert accuracy(np.array([0, 1, 2, 2]), np.zeros(4, dtype=int)) == 0.5
    np.testing.assert_array_equal(match(np.array([0, 1, 2, 2]), np.zeros(4, dtype=int)), [2])


@given(pair=pairs())
@settings(deadline=None)
def test_accuracy_is_that_of_the_best_of_all_matchings(pair):
    labels, clusters = pair
    best = max(np.mean(np.array(p)[clusters] == labels) for p in permutations(range(5)))
    assert accuracy(labels, clusters) == pytest.approx(best)
    assert (match(labels, clusters)[clusters] == labels).mean() == pytest.approx(best)


@given(pair=pairs(), order=st.permutations(range(5)))
@settings(deadline=None)
def test_scores_do_not_depend_on_names(pair, order):
    labels, clusters = pair
    renamed = np.array(order)[clusters]
    for score in (accuracy, nmi, ari):
        assert score(labels, renamed) == pytest.approx(score(labels, clusters), abs=1e-9)
        assert score(renamed, labels) == pytest.approx(score(labels, clusters), abs=1e-9)


@given(pair=pairs())
@settings(deadline=None)
def test_confusion_counts_every_row(pair):
    labels, clusters = pair
    counts = confusion(labels, clusters, 5, 6)
    np.testing.assert_array_equal(counts.sum(axis=0), cluster_sizes(clusters, 6))
    np.testing.assert_array_equal(counts.sum(axis=1), cluster_sizes(labels, 5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nmi(LABELS, CLUSTERS[:3]), r"got \(\(6,\), \(3,\)\)"),
        (lambda: ari(LABELS[:0], CLUSTERS[:0]), "at least 1 row"),
        (
            lambda: accuracy(LABELS, CLUSTERS - 1),
            "clusters: .* codes from 0 to 1, got -1 to 1",
        ),
        (
            lambda: confusion(LABELS, CLUSTERS, 2, 3),
            "labels: .* codes from 0 to 1, got 0 to 2",
        ),
        (lambda: cluster_sizes(CLUSTERS, 2), "clusters: .* codes from 0 to 1, got 0 to 2"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
