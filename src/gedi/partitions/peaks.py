"""Clusters as the most prominent peaks of a density."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

__all__ = ["Merges", "log_density", "peak_merges", "prominent_peaks"]


def log_density(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus the log of the root mean square distance to the k nearest rows, (n, k) -> (n,).

    This is the distance to a measure (Chazal, Cohen-Steiner, Mérigot, Foundations of Computational
    Mathematics 2011).
    """
    return np.asarray(-np.log(np.maximum(np.sqrt((distance**2).mean(1)), 1e-12)))


class Merges(NamedTuple):
    """A tree on the rows of a density's graph, whose edges are merges of peaks.

    Attributes:
        edges: (n - 1, 2).
        prominence: of the lower of two peaks that an edge merges (n - 1,); 0 for an edge that
            connects a row to its densest neighbour.
        rows: the number of rows of the lower peak (n - 1,).
    """

    edges: NDArray[np.int64]
    prominence: NDArray[np.float64]
    rows: NDArray[np.int64]


def prominent_peaks(merges: Merges, n_clusters: int, least: int) -> NDArray[np.int64] | None:
    """Peaks of a density, joined until the n_clusters most prominent ones are left.

    Args:
        merges: see `peak_merges`.
        n_clusters: the number of peaks.
        least: the least number of rows of a peak.

    Returns:
        Labels (n,), from 0; None where there are too few peaks.
    """
    prominence = np.where(merges.rows >= least, merges.prominence, 0.0)
    order = np.argsort(-prominence, kind="stable")
    if np.count_nonzero(prominence > 0) < n_clusters - 1:
        return None
    kept = merges.edges[order[n_clusters - 1 :]].T
    n = len(order) + 1
    forest = sparse.csr_matrix((np.ones(kept.shape[1]), kept), (n, n))
    return np.asarray(connected_components(forest, directed=False)[1], np.int64)


def peak_merges(graph: sparse.csr_matrix, height: NDArray[np.float64]) -> Merges:
    """The merges of peaks of a density on a graph (ToMATo).

    Rows come from dense to thin, and each joins the peak of its densest neighbour. Where two peaks
    meet at a row s, they merge, and the lower one p has the prominence

        (height_p - height_s) * (number of rows of p so far)

    (Chazal, Guibas, Oudot, Skraba, Journal of the ACM 2013, https://doi.org/10.1145/2535927,
    without the number of rows).

    Args:
        graph: symmetric and connected (n, n); only which entries are stored counts.
        height: log-density (n,).
    """
    n = len(height)
    order = np.argsort(-height, kind="stable")
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    size, root = [1] * n, list(range(n))
    edges: list[tuple[int, int]] = []
    prominence: list[float] = []
    rows: list[int] = []
    for i in order.tolist():
        near = graph.indices[graph.indptr[i] : graph.indptr[i + 1]]
        near = near[rank[near] < rank[i]]
        for j in near[rank[near].argsort()].tolist():
            top, low = sorted((_find(root, i), _find(root, j)), key=rank.__getitem__)
            if top == low:
                continue
            edges.append((i, j) if low == i else (low, top))
            prominence.append(float((height[low] - height[i]) * size[low]))
            rows.append(size[low])
            root[low] = top
            size[top] += size[low]
    return Merges(np.array(edges), np.array(prominence), np.array(rows))


def _find(root: list[int], i: int) -> int:
    """The peak that a row belongs to, with shorter ways for the next time."""
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i
