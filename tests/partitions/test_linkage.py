import numpy as np
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import pdist, squareform

from gedi.partitions.linkage import genie, longest_cuts, ward
from gedi.partitions.neighbours import spanning_tree

# Rows 0-1-2-3-4-5 in a row, with the shortest edge first.
PATH = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]])


def gini(labels):
    size = np.bincount(labels)
    return np.abs(size[:, None] - size).sum() / 2 / ((len(size) - 1) * len(labels))


def same_partition(a, b):
    np.testing.assert_array_equal(a[:, None] == a, b[:, None] == b)


def test_genie_without_a_limit_is_single_linkage():
    x = np.random.default_rng(0).normal(size=(50, 2))
    expected = cut_tree(linkage(x, "single"), 4).ravel()
    same_partition(genie(spanning_tree(squareform(pdist(x))), 4, limit=1.0), expected)


def test_genie_by_hand():
    tree = np.array([[0, 1], [2, 3], [1, 2], [4, 5], [3, 4]])
    # The sizes 2, 2, 1, 1 have index 4 / (3 * 6): above the limit, the single rows join first.
    even = genie(tree, 3, limit=0.2)
    np.testing.assert_array_equal(even, [0, 0, 1, 1, 2, 2])
    assert gini(even) == 0
    uneven = genie(tree, 3, limit=0.23)
    np.testing.assert_array_equal(uneven, [0, 0, 0, 0, 1, 2])
    assert gini(uneven) == 0.5


def test_a_path_grows_from_its_shortest_edge():
    np.testing.assert_array_equal(genie(PATH, 3, limit=0.1), [0, 0, 0, 0, 1, 2])


def test_ward_is_scipys():
    x = np.random.default_rng(0).normal(size=(60, 2))
    same_partition(ward(pdist(x), 4), cut_tree(linkage(x, "ward"), 4).ravel())
    assert ward(np.zeros(10), 3).max() == 2  # copies of one row


def test_longest_cuts_leave_enough_rows_on_both_sides():
    np.testing.assert_array_equal(longest_cuts(PATH, 2, least=1), [0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(longest_cuts(PATH, 2, least=2), [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(longest_cuts(PATH, 3, least=2), [0, 0, 1, 1, 2, 2])
    assert longest_cuts(PATH, 3, least=3) is None


def test_longest_cuts_of_single_rows_are_single_linkage():
    x = np.random.default_rng(1).normal(size=(60, 2))
    expected = cut_tree(linkage(x, "single"), 5).ravel()
    same_partition(longest_cuts(spanning_tree(squareform(pdist(x))), 5, least=1), expected)
