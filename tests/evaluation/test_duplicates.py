"""Near duplicates among rows of features."""

import numpy as np

from gedi.evaluation.duplicates import most_similar, near_duplicates


def test_pairs_are_found_with_their_cosine():
    x = np.random.default_rng(0).normal(size=(1500, 40))
    x[700] = 3 * x[20]
    x[1400] = x[900] + 0.02 * x[901]
    pairs, n = near_duplicates(x)
    assert [(pair.first, pair.second) for pair in pairs] == [(20, 700), (900, 1400)]
    assert pairs[0].cosine == 1.0 and 0.99 < pairs[1].cosine < 1 and n == 2


def test_each_row_is_in_one_pair():
    x = np.tile(np.eye(3), (4, 1))
    pairs, n = near_duplicates(x, n_pairs=20)
    rows = [row for pair in pairs for row in pair[:2]]
    assert len(rows) == len(set(rows)) and n == 9
    assert near_duplicates(np.eye(5)) == ([], 0)


def test_the_most_similar_row_is_that_in_the_same_direction():
    x = np.array([[10.0, 1.0], [1.0, 10.0], [10.0, 10.0], [-10.0, 1.0]])
    assert most_similar(x, np.array([[30.0, 28.0], [-1.0, 0.2]])).tolist() == [2, 3]
