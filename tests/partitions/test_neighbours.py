import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from gedi.partitions.neighbours import (
    affinity,
    connected,
    eigenmap,
    modularity,
    mutual,
    nearest,
    nearest_by_products,
    parts_of,
    spanning_tree,
)


@pytest.mark.parametrize("d", [2, 12])
def test_nearest_rows_are_those_of_the_sorted_distances(d):
    x = np.random.default_rng(0).normal(size=(40, d))
    distance = squareform(pdist(x)) + np.diag(np.full(40, np.inf))
    found, index = nearest(x, 5)
    np.testing.assert_array_equal(index, distance.argsort(1)[:, :5])
    np.testing.assert_allclose(found, np.sort(distance, 1)[:, :5])


def test_a_row_is_never_its_own_neighbour_among_copies():
    x = np.repeat([[0.0, 0.0], [1.0, 0.0]], 10, axis=0)
    distance, index = nearest(x, 4)
    assert not (index == np.arange(20)[:, None]).any()
    assert distance.max() == 0


def test_there_are_at_most_n_minus_one_neighbours():
    assert nearest(np.arange(4.0)[:, None], 10)[1].shape == (4, 3)


def test_the_spanning_tree_agrees_with_scipy():
    distance = squareform(pdist(np.random.default_rng(0).normal(size=(60, 3))))
    edges = spanning_tree(distance)
    expected = minimum_spanning_tree(distance).tocoo()
    assert {frozenset(edge) for edge in edges.tolist()} == {
        frozenset(edge) for edge in zip(expected.row, expected.col, strict=True)
    }
    assert (np.diff(distance[tuple(edges.T)]) >= 0).all()


def test_the_spanning_tree_connects_copies():
    edges = spanning_tree(np.zeros((4, 4)))
    assert connected(np.zeros((4, 0), np.int64), edges).sum() == 6


def test_affinity_by_hand():
    distance, index = nearest(np.array([[0.0], [1.0], [3.0]]), 1)
    # Scales 1, 1 and 2; 2 is nearest to no row, but 1 is nearest to 2.
    weights = affinity(distance, index).toarray()
    expected = np.zeros((3, 3))
    expected[0, 1] = expected[1, 0] = np.exp(-1)
    expected[1, 2] = expected[2, 1] = np.exp(-4 / 2)
    np.testing.assert_allclose(weights, expected)


@pytest.mark.parametrize("size", [8, 80])  # by all eigenvectors, and by Lanczos
def test_the_eigenmap_of_two_cliques_is_constant_on_each(size):
    clique = np.ones((size, size)) - np.eye(size)
    graph = sparse.csr_matrix(sparse.block_diag([clique, clique]))
    vectors = eigenmap(graph, 2, seed=0)
    first, second = vectors[:size], vectors[size:]
    np.testing.assert_allclose(first, np.broadcast_to(first[0], first.shape), atol=1e-6)
    np.testing.assert_allclose(second, np.broadcast_to(second[0], second.shape), atol=1e-6)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(2), atol=1e-6)


@pytest.mark.parametrize(("n", "k"), [(2500, 7), (5, 4), (5, 9)])  # several parts, and all rows
def test_products_find_the_same_neighbours(n, k):
    x = np.random.default_rng(0).normal(size=(n, 12))
    expected = nearest(x, k)[1]
    for dtype in (torch.float64, torch.float32):
        found = nearest_by_products(torch.from_numpy(x).to(dtype), k)
        assert found.shape == expected.shape
        assert np.mean(np.sort(found, 1) == np.sort(expected, 1)) > 0.999


def test_mutual_neighbours_are_pairs_that_name_each_other():
    index = np.array([[1, 2], [0, 3], [3, 1], [2, 0]])
    assert mutual(index).tolist() == [[0, 1], [2, 3]]


def test_parts_are_what_neighbours_connect_in_either_direction():
    index = np.array([[1], [0], [1], [4], [3]])
    assert sorted(parts_of(index, np.ones((5, 1), bool))) == [2, 3]
    assert sorted(parts_of(index, np.array([1, 1, 0, 1, 1], bool)[:, None])) == [1, 2, 2]


def test_modularity_of_two_triangles_that_one_pair_joins():
    pairs = np.array([[0, 1], [0, 2], [1, 2], [3, 4], [3, 5], [4, 5], [2, 3]])
    assert modularity(np.array([0, 0, 0, 1, 1, 1]), pairs) == pytest.approx(6 / 7 - 1 / 2)
    assert modularity(np.zeros(6, dtype=np.int64), pairs) == pytest.approx(0)
    assert modularity(np.arange(6), pairs) < 0


def test_modularity_ignores_the_numbers_of_clusters():
    rng = np.random.default_rng(0)
    pairs, codes = rng.integers(50, size=(200, 2)), rng.integers(4, size=50)
    assert modularity(codes, pairs) == pytest.approx(
        modularity(np.array([7, 2, 0, 3])[codes], pairs)
    )
