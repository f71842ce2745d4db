"""Neighbours and linear probes: hand-made embeddings, and cases in which each fails."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from gedi.evaluation.embedding import knn_accuracy, linear_probe_accuracy

X = np.array([[1.0, 0.0], [3.0, 0.3], [0.0, 1.0], [0.2, 5.0], [0.0, 2.0]])
Y = np.array([0, 0, 1, 1, 1])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_neighbours_by_hand():
    queries = np.array([[9.0, 1.0], [1.0, 9.0], [1.0, 0.2], [0.1, 0.0]])
    assert knn_accuracy(X, Y, queries, np.array([0, 1, 0, 0]), k=1) == 1.0
    assert knn_accuracy(X, Y, queries, np.array([1, 1, 0, 0]), k=1) == 0.75
    # All five vote, three of them for 1.
    assert knn_accuracy(X, Y, queries, np.array([0, 1, 0, 0]), k=5) == 0.25


def test_neighbours_by_direction_not_by_distance():
    # The query is near the first point in distance, and near the second in direction.
    train = np.array([[1.0, 0.5], [0.0, 50.0]])
    assert knn_accuracy(train, np.array([0, 1]), np.array([[0.0, 1.0]]), np.array([1]), k=1) == 1.0


def test_probe_separates_what_a_plane_separates():
    x = torch.randn(400, 3, generator=seeded()).numpy()
    # Features of very different size, which matter all the same once standardised.
    scales = np.array([1e-3, 1.0, 1e3])
    plane = (x.sum(1) > 0).astype(int)
    got = linear_probe_accuracy(
        x[:300] * scales, plane[:300], x[300:] * scales, plane[300:], generator=seeded()
    )
    assert got > 0.95
    corners = (x[:, 0] * x[:, 1] > 0).astype(int)
    chance = linear_probe_accuracy(
        x[:300], corners[:300], x[300:], corners[300:], generator=seeded()
    )
    assert chance < 0.7


def test_probe_is_fitted_to_a_limited_number_of_points():
    x = torch.randn(2000, 2, generator=seeded()).numpy()
    y = (x[:, 0] > 0).astype(int)
    few = [
        linear_probe_accuracy(x, y, x, y, most_points=8, generator=seeded(seed))
        for seed in (1, 1, 2)
    ]
    assert few[0] == few[1] and few[0] != few[2]
    assert linear_probe_accuracy(x, y, x, y, generator=seeded()) > max(few)


def test_both_read_digits():
    x, y = load_digits(return_X_y=True)
    assert knn_accuracy(x[:1200], y[:1200], x[1200:], y[1200:], k=5) > 0.93
    assert linear_probe_accuracy(x[:1200], y[:1200], x[1200:], y[1200:], generator=seeded()) > 0.88
    shuffled = y[torch.randperm(len(y), generator=seeded()).numpy()]
    assert knn_accuracy(x[:1200], shuffled[:1200], x[1200:], y[1200:], k=5) < 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, Y[:3], X, Y), r"train embedding \(n, e\) and train labels .*got \(5, 2\) and \(3,\)"),
        ((X, Y, X[:, 0], Y), r"expected embedding \(n, e\) and labels \(n,\), got \(5,\)"),
        ((X[:0], Y[:0], X, Y), "at least 1 row in the train embedding"),
        ((X, Y, X[:0], Y[:0]), "at least 1 row in the embedding"),
        ((X, Y, X * np.nan, Y), "finite values in the embedding, got NaN"),
        ((X, Y, X[:, :1], Y), "the same width, got 2 and 1"),
    ],
)
def test_mistakes_of_both(arguments, message):
    with pytest.raises(ValueError, match=message):
        knn_accuracy(*arguments, k=1)
    with pytest.raises(ValueError, match=message):
        linear_probe_accuracy(*arguments, generator=seeded())


def test_mistakes_of_one():
    for k in (0, 6):
        with pytest.raises(ValueError, match=f"k from 1 to 5, the number of neighbours, got {k}"):
            knn_accuracy(X, Y, X, Y, k=k)
    with pytest.raises(ValueError, match="at least 2 classes to fit the probe to, got 1"):
        linear_probe_accuracy(X, 0 * Y, X, Y, generator=seeded())
