"""Clusters as the most prominent peaks of a density."""

from operator import itemgetter

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["log_density", "prominent_peaks"]

Merge = tuple[float, int, int]


def log_density(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus the log of the root mean square distance to the k nearest rows, (n, k) -> (n,).

    This is the distance to a measure (Chazal, Cohen-Steiner, Mérigot, Foundations of Computational
    Mathematics 2011).
    """
    return np.asarray(-np.log(np.maximum(np.sqrt((distance**2).mean(1)), 1e-12)))


def prominent_peaks(
    graph: sparse.csr_matrix,
    height: NDArray[np.float64],
    n_clusters: int,
    least: int,
) -> NDArray[np.int64] | None:
    """Peaks of a density on a graph, joined until n_clusters of them are left (ToMATo).

    Rows come from dense to thin, and each joins the peak of its densest neighbour. Where two peaks
    meet at a row s, the lower one p merges with the prominence

        (height_p - height_s) * (number of rows of p so far),   0 for fewer rows than `least`

    and the n_clusters - 1 most prominent merges are undone (Chazal, Guibas, Oudot, Skraba, Journal
    of the ACM 2013, https://doi.org/10.1145/2535927, without the number of rows).

    Args:
        graph: symmetric and connected (n, n); only which entries are stored counts.
        height: log-density (n,).
        n_clusters: the number of peaks.
        least: the least number of rows of a peak.

    Returns:
        Labels (n,), from 0; None where there are too few peaks.
    """
    order = np.argsort(-height, kind="stable")
    denser, merges = _climb(graph, height, order, least)
    merges.sort(key=itemgetter(0), reverse=True)
    undone, done = merges[: n_clusters - 1], merges[n_clusters - 1 :]
    if len(undone) < n_clusters - 1 or (undone and undone[-1][0] <= 0):
        return None
    peak = np.arange(len(height))
    for _, lower, higher in done:
        peak[lower] = higher
    label = np.empty(len(height), np.int64)
    above = np.where(denser == np.arange(len(height)), peak, denser)
    for i in order:  # the row above comes first
        label[i] = i if above[i] == i else label[above[i]]
    return np.unique(label, return_inverse=True)[1]


def _climb(
    graph: sparse.csr_matrix,
    height: NDArray[np.float64],
    order: NDArray[np.int64],
    least: int,
) -> tuple[NDArray[np.int64], list[Merge]]:
    """Each row's densest neighbour (n,), itself at a peak, and all merges of peaks.

    A merge is its prominence, the lower peak and the higher one.
    """
    n = len(height)
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    denser, size, root = np.arange(n), [1] * n, list(range(n))
    merges: list[Merge] = []
    for i in order.tolist():
        near = graph.indices[graph.indptr[i] : graph.indptr[i + 1]]
        near = near[rank[near] < rank[i]]
        if not len(near):
            continue
        denser[i] = near[rank[near].argmin()]
        top = root[i] = _find(root, int(denser[i]))
        size[top] += 1
        for j in near.tolist():
            other = _find(root, j)
            if other == top:
                continue
            top, low = (top, other) if rank[top] < rank[other] else (other, top)
            prominence = (height[low] - height[i]) * size[low] if size[low] >= least else 0.0
            merges.append((float(prominence), low, top))
            root[low] = top
            size[top] += size[low]
    return denser, merges


def _find(root: list[int], i: int) -> int:
    """The peak that a row belongs to, with shorter ways for the next time."""
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i
