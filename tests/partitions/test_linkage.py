import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist, squareform

from gedi.partitions.linkage import cut_edges, cut_tree, genie, longest_cuts, ward_tree
from gedi.partitions.neighbours import spanning_tree

# Rows 0-1-2-3-4-5 in a row, with the shortest edge first.
PATH = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]])


def gini(labels):
    size = np.bincount(labels)
    return np.abs(size[:, None] - size).sum() / 2 / ((len(size) - 1) * len(labels))


def scipy_clusters(x, method, n_clusters):
    return hierarchy.cut_tree(hierarchy.linkage(x, method), n_clusters).ravel()


def same_partition(a, b):
    np.testing.assert_array_equal(a[:, None] == a, b[:, None] == b)


def test_genie_without_a_limit_is_single_linkage():
    x = np.random.default_rng(0).normal(size=(50, 2))
    expected = scipy_clusters(x, "single", 4)
    same_partition(cut_edges(genie(spanning_tree(squareform(pdist(x))), limit=1.0), 4), expected)


def test_genie_by_hand():
    tree = np.array([[0, 1], [2, 3], [1, 2], [4, 5], [3, 4]])
    # The sizes 2, 2, 1, 1 have index 4 / (3 * 6): above the limit, the single rows join first.
    even = cut_edges(genie(tree, limit=0.2), 3)
    np.testing.assert_array_equal(even, [0, 0, 1, 1, 2, 2])
    assert gini(even) == 0
    uneven = cut_edges(genie(tree, limit=0.23), 3)
    np.testing.assert_array_equal(uneven, [0, 0, 0, 0, 1, 2])
    assert gini(uneven) == 0.5


def test_a_path_grows_from_its_shortest_edge():
    np.testing.assert_array_equal(cut_edges(genie(PATH, limit=0.1), 3), [0, 0, 0, 0, 1, 2])


def test_ward_is_scipys():
    x = np.random.default_rng(0).normal(size=(60, 2))
    same_partition(cut_tree(ward_tree(pdist(x)), 4), scipy_clusters(x, "ward", 4))
    assert cut_tree(ward_tree(np.zeros(10)), 3).max() == 2  # copies of one row


def test_longest_cuts_leave_enough_rows_on_both_sides():
    np.testing.assert_array_equal(longest_cuts(PATH, 2, least=1), [0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(longest_cuts(PATH, 2, least=2), [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(longest_cuts(PATH, 3, least=2), [0, 0, 1, 1, 2, 2])
    assert longest_cuts(PATH, 3, least=3) is None


def test_longest_cuts_of_single_rows_are_single_linkage():
    x = np.random.default_rng(1).normal(size=(60, 2))
    expected = scipy_clusters(x, "single", 5)
    same_partition(longest_cuts(spanning_tree(squareform(pdist(x))), 5, least=1), expected)
