"""Clusters from trees: Ward, Genie, and the longest cuts between clusters of a minimum size."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.cluster.hierarchy import linkage
from scipy.sparse.csgraph import breadth_first_order, connected_components

__all__ = ["cut_edges", "cut_tree", "genie", "longest_cuts", "ward_tree"]


def ward_tree(distance: NDArray[np.float64]) -> NDArray[np.int64]:
    """The merges (n - 1, 2) of clusters, each time with the least gain in squares about the means.

    Merge i joins two of the clusters 0, ..., n - 1 (rows) and n + j (of merge j < i) (Ward, Journal
    of the American Statistical Association 1963).

    Args:
        distance: Euclidean, condensed (n (n - 1) / 2,) as from scipy's pdist.
    """
    return np.asarray(linkage(distance, "ward")[:, :2], np.int64)


def cut_tree(merges: NDArray[np.int64], n_clusters: int) -> NDArray[np.int64]:
    """The clusters after all but the last n_clusters - 1 merges.

    Args:
        merges: of a tree (n - 1, 2), as from `ward_tree`.
        n_clusters: at most n.

    Returns:
        Labels (n,), from 0.
    """
    n = len(merges) + 1
    joined = merges[: n - n_clusters]
    parent = np.repeat(np.arange(n, n + len(joined)), 2)
    return _components(np.stack([parent, joined.ravel()], 1), 2 * n)[:n]


def cut_edges(edges: NDArray[np.int64], n_clusters: int) -> NDArray[np.int64]:
    """The clusters when all but the last n_clusters - 1 edges of a tree join their ends.

    Args:
        edges: (n - 1, 2), in the order in which they join.
        n_clusters: at most n.

    Returns:
        Labels (n,), from 0.
    """
    n = len(edges) + 1
    return _components(edges[: n - n_clusters], n)


def _components(edges: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    graph = sparse.csr_matrix((np.ones(len(edges)), edges.T), (n, n))
    label: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return label


def genie(edges: NDArray[np.int64], limit: float) -> NDArray[np.int64]:
    """The order of edges in single linkage under a limit on the Gini index of the cluster sizes.

        G = Σ_{i<j} |s_i - s_j| / ((m - 1) n)   for sizes s_1, ..., s_m

    While G is above the limit, the shortest edge at a smallest cluster is joined, otherwise the
    shortest edge (Gagolewski, Bartoszuk, Cena, Information Sciences 2016,
    https://doi.org/10.1016/j.ins.2016.05.003).

    Args:
        edges: a minimum spanning tree (n - 1, 2), the shortest edge first.
        limit: in [0, 1]; 1 is single linkage.

    Returns:
        The edges (n - 1, 2) in the order in which they join.
    """
    n = len(edges) + 1
    ends = edges.copy()  # the clusters that each edge connects
    size = np.ones(n)  # 0 for clusters that were joined to another
    unused = np.ones(n - 1, bool)
    order = np.empty(n - 1, np.int64)
    difference = 0.0  # Σ_{i<j} |s_i - s_j|
    for i, m in enumerate(range(n, 1, -1)):
        choice = unused
        if difference > limit * (m - 1) * n:
            choice = unused & (size == size[size > 0].min())[ends].any(1)
        order[i] = edge = int(choice.argmax())
        a, b = ends[edge]
        difference += _change(size[size > 0], size[a], size[b])
        size[a], size[b] = size[a] + size[b], 0
        unused[edge] = False
        ends[ends == b] = a
    return edges[order]


def _change(size: NDArray[np.float64], a: float, b: float) -> float:
    """The change of Σ_{i<j} |s_i - s_j| when two clusters with a and b rows become one."""
    gained = np.abs(size - (a + b)).sum() - (a + b)
    lost = np.abs(size - a).sum() + np.abs(size - b).sum() - abs(a - b)
    return float(gained - lost)


def longest_cuts(edges: NDArray[np.int64], n_clusters: int, least: int) -> NDArray[np.int64] | None:
    """Single linkage with a minimum size: cut the longest edges with enough rows on both sides.

    Args:
        edges: a minimum spanning tree (n - 1, 2), the shortest edge first.
        n_clusters: the number of parts.
        least: the least number of rows in a part.

    Returns:
        Labels (n,), from 0; None where the tree has too few such cuts.
    """
    order, parent = _rooted(edges)
    size = np.ones(len(order), np.int64)  # rows below each row, itself included
    for i in order[:0:-1]:
        size[parent[i]] += size[i]
    top = np.zeros(len(order), bool)  # the uppermost row of each part
    top[order[0]] = True
    for a, b in edges[::-1]:
        if top.sum() == n_clusters:
            break
        below = b if parent[b] == a else a
        path = _way_up(below, parent, top)
        if min(size[below], size[path[-1]] - size[below]) >= least:
            top[below] = True
            size[path] -= size[below]
    if top.sum() < n_clusters:
        return None
    label = np.cumsum(top) - 1
    for i in order:
        if not top[i]:
            label[i] = label[parent[i]]
    return label


def _rooted(edges: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows from the root downwards (n,), and the parent of each row (n,), by row."""
    n = len(edges) + 1
    graph = sparse.csr_matrix((np.ones(n - 1), edges.T), (n, n))
    order, parent = breadth_first_order(graph, 0, directed=False)
    return order, parent


def _way_up(row: int, parent: NDArray[np.int64], top: NDArray[np.bool_]) -> list[int]:
    """The rows above a row, up to the uppermost of its part."""
    path = [int(parent[row])]
    while not top[path[-1]]:
        path.append(int(parent[path[-1]]))
    return path
