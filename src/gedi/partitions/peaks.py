"""Clusters as the most prominent peaks of a density."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

__all__ = ["log_density", "prominent_peaks"]


def log_density(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus the log of the root mean square distance to the k nearest rows, (n, k) -> (n,).

    This is the distance to a measure (Chazal, Cohen-Steiner, Mérigot, Foundations of Computational
    Mathematics 2011).
    """
    return np.asarray(-np.log(np.maximum(np.sqrt((distance**2).mean(1)), 1e-12)))


def prominent_peaks(
    graph: sparse.csr_matrix, height: NDArray[np.float64], n_clusters: int, least: int
) -> NDArray[np.int64] | None:
    """Peaks of a density on a graph, joined until n_clusters of them are left (ToMATo).

    Rows are visited from dense to sparse, and each joins the peak of its densest neighbour. Where
    two peaks meet at a row s, they merge, and the lower one p has the prominence

        (height_p - height_s) * (number of rows of p so far),   0 for fewer rows than `least`

    and the n_clusters - 1 most prominent merges are left out (Chazal, Guibas, Oudot, Skraba,
    Journal of the ACM 2013, https://doi.org/10.1145/2535927, without the number of rows).

    Args:
        graph: symmetric and connected (n, n); only the places of its stored entries are used.
        height: log-density (n,).
        n_clusters: the number of peaks.
        least: the least number of rows of a peak.

    Returns:
        Labels (n,), from 0; None where there are too few peaks.
    """
    edges, prominence = _climb(graph, height, least)
    order = np.argsort(-prominence, kind="stable")
    if np.count_nonzero(prominence > 0) < n_clusters - 1:
        return None
    kept = edges[order[n_clusters - 1 :]].T
    forest = sparse.csr_matrix((np.ones(kept.shape[1]), kept), graph.shape)
    return np.asarray(connected_components(forest, directed=False)[1], np.int64)


def _climb(
    graph: sparse.csr_matrix, height: NDArray[np.float64], least: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A spanning tree (n - 1, 2) and the prominence of the merge that each edge is, (n - 1,).

    It is 0 where a single row joins the peak of its densest neighbour.
    """
    n = len(height)
    order = np.argsort(-height, kind="stable")
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    size, root = [1] * n, list(range(n))
    edges: list[tuple[int, int]] = []
    prominence: list[float] = []
    for i in order.tolist():
        near = graph.indices[graph.indptr[i] : graph.indptr[i + 1]]
        near = near[rank[near] < rank[i]]
        for j in near[rank[near].argsort()].tolist():
            top, low = sorted((_find(root, i), _find(root, j)), key=rank.__getitem__)
            if top == low:
                continue
            edges.append((i, j))
            rise = (height[low] - height[i]) * size[low] if size[low] >= least else 0.0
            prominence.append(float(rise))
            root[low] = top
            size[top] += size[low]
    return np.array(edges), np.array(prominence)


def _find(root: list[int], i: int) -> int:
    """The peak of a row; this shortens the path for the next call."""
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i
