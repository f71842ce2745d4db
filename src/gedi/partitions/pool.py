"""Candidates for the best partition: families of methods that assume different things."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics.pairwise import euclidean_distances

from gedi.partitions.columns import WIDE
from gedi.partitions.linkage import genie, longest_cuts, ward
from gedi.partitions.mixtures import Kind, fitted, k_means, kinds, merged
from gedi.partitions.neighbours import affinity, connected, eigenmap, nearest, spanning_tree
from gedi.partitions.peaks import log_density, prominent_peaks

__all__ = ["Candidate", "candidates"]

SPECTRAL = (5, 10, 20)  # neighbours
PEAKS = (6, 10, 20)  # neighbours
GINI_LIMITS = (0.1, 0.3)
LEAST_SHARES = (0.05, 0.15, 0.3)  # of the mean number of rows in a cluster
STARTS = ("k-means", "spectral-10")  # of the mixtures


@dataclass(frozen=True)
class Candidate:
    """A partition and the method that found it.

    Attributes:
        family: the idea behind the method; methods of one family tend to agree.
        name: the method.
        labels: (n,), each of 0, 1, ..., c - 1 at least once.
        kind: the covariances, for a mixture with one component per cluster.
    """

    family: str
    name: str
    labels: NDArray[np.int64]
    kind: Kind | None = None


def candidates(z: NDArray[np.float64], n_clusters: int, seed: int) -> list[Candidate]:
    """All partitions that have exactly n_clusters clusters; there may be none.

    With more than 100 columns these are k-means, Ward, normalised cuts and mixtures of diagonal
    Gaussians.

    Args:
        z: rows (n, d) of standardised columns, n above n_clusters. Time and memory grow with n²:
            3,000 rows take seconds.
        n_clusters: the number of clusters c, at least 2.
        seed: determines the starts of k-means and of the eigenvectors.
    """
    wide = z.shape[1] > WIDE
    # A product of matrices is faster, but inexact for nearly equal rows.
    distance = euclidean_distances(z) if wide else squareform(pdist(z))
    distances, index = nearest(z, max(SPECTRAL + PEAKS))
    found = [*_central(z, distance, n_clusters, seed)]
    found += _spectral(distances, index, n_clusters, seed)
    if not wide:
        edges = spanning_tree(distance)
        found += _linked(edges, n_clusters)
        found += _peaks(distances, index, edges, n_clusters)
        found += _merged(z, n_clusters, seed)
    found = [c for c in found if c.labels.max() + 1 == n_clusters]
    return found + [c for c in _mixtures(z, found) if c.labels.max() + 1 == n_clusters]


def _candidate(
    family: str, name: str, labels: NDArray[np.int64], kind: Kind | None = None
) -> Candidate:
    return Candidate(family, name, np.unique(labels, return_inverse=True)[1], kind)


def _central(
    z: NDArray[np.float64], distance: NDArray[np.float64], n_clusters: int, seed: int
) -> Iterator[Candidate]:
    """Clusters with the least squares about their means."""
    yield _candidate("central", "k-means", k_means(z, n_clusters, 5, seed))
    labels = ward(squareform(distance, checks=False), n_clusters)
    yield _candidate("central", "Ward", labels)


def _spectral(
    distances: NDArray[np.float64], index: NDArray[np.int64], n_clusters: int, seed: int
) -> Iterator[Candidate]:
    """Normalised cuts of neighbour graphs, by k-means on the eigenmap's rows at unit length.

    (Ng, Jordan, Weiss, NIPS 2001.)
    """
    for k in SPECTRAL:
        rows = eigenmap(affinity(distances[:, :k], index[:, :k]), n_clusters, seed)
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        yield _candidate("spectral", f"spectral-{k}", k_means(rows, n_clusters, 5, seed))


def _linked(edges: NDArray[np.int64], n_clusters: int) -> Iterator[Candidate]:
    """Single linkage without its small clusters."""
    for limit in GINI_LIMITS:
        yield _candidate("Genie", f"Genie-{limit}", genie(edges, n_clusters, limit))
    for share in LEAST_SHARES:
        labels = longest_cuts(edges, n_clusters, _least(share, len(edges) + 1, n_clusters))
        if labels is not None:
            yield _candidate("longest cuts", f"longest-cuts-{share}", labels)


def _peaks(
    distances: NDArray[np.float64],
    index: NDArray[np.int64],
    edges: NDArray[np.int64],
    n_clusters: int,
) -> Iterator[Candidate]:
    """Peaks of the density."""
    least = _least(min(LEAST_SHARES), len(index), n_clusters)
    for k in PEAKS:
        graph = connected(index[:, :k], edges)
        labels = prominent_peaks(graph, log_density(distances[:, :k]), n_clusters, least)
        if labels is not None:
            yield _candidate("peaks", f"peaks-{k}", labels)


def _least(share: float, n: int, n_clusters: int) -> int:
    """The least number of rows in a cluster, as a share of the mean number."""
    return max(3, int(share * n / n_clusters))


def _merged(z: NDArray[np.float64], n_clusters: int, seed: int) -> Iterator[Candidate]:
    """Mixtures with several components per cluster."""
    for factor in (2, 4):
        n_components = min(factor * n_clusters + 2, len(z) // 10)
        if n_components > n_clusters:
            start = k_means(z, n_components, 1, seed)
            kind: Kind = "full" if z.shape[1] <= 10 else "diag"
            responsibility = fitted(z, start, kind, 40)[1]
            yield _candidate("merged", f"merged-{factor}", merged(responsibility, n_clusters))


def _mixtures(z: NDArray[np.float64], found: list[Candidate]) -> Iterator[Candidate]:
    """Mixtures with one component per cluster, from some of the other partitions."""
    for start in found:
        if start.name in STARTS:
            for kind in kinds(z.shape[1]):
                labels = fitted(z, start.labels, kind)[1].argmax(1)
                yield _candidate("mixture", f"{kind}-mixture-from-{start.name}", labels, kind)
