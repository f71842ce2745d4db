"""Candidates for the best partition: families of methods that assume different things."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics.pairwise import euclidean_distances

from gedi.partitions.columns import WIDE
from gedi.partitions.linkage import cut_edges, cut_tree, genie, longest_cuts, ward_tree
from gedi.partitions.mixtures import Kind, fitted, k_means, kinds, merged
from gedi.partitions.neighbours import affinity, connected, eigenmap, nearest, spanning_tree
from gedi.partitions.peaks import Merges, log_density, peak_merges, prominent_peaks

__all__ = ["Candidate", "Pool"]

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


class Pool:
    """Partitions of the same rows into any numbers of clusters.

    Distances, neighbours, trees and eigenvectors are computed once, so a further number of
    clusters costs a fraction of the first.

    From 100 columns on the candidates are k-means, Ward, normalised cuts and mixtures of
    diagonal Gaussians.

    Args:
        z: rows (n, d) of standardised columns. Time and memory grow with n²: 3,000 rows take
            seconds.
        most: the largest number of clusters that will be asked for, below n.
        seed: determines the starts of k-means and of the eigenvectors.

    Attributes:
        z: the rows.
        neighbours: the 20 nearest rows of each, the nearest first (n, 20).
    """

    def __init__(self, z: NDArray[np.float64], most: int, seed: int) -> None:
        self.z, self._seed = z, seed
        wide = z.shape[1] >= WIDE
        # A product of matrices is faster, but inexact for nearly equal rows.
        distance = euclidean_distances(z) if wide else squareform(pdist(z))
        distances, self.neighbours = nearest(z, max(SPECTRAL + PEAKS))
        self._ward = ward_tree(squareform(distance, checks=False))
        self._maps = {
            k: eigenmap(affinity(distances[:, :k], self.neighbours[:, :k]), most, seed)
            for k in SPECTRAL
        }
        self._edges: NDArray[np.int64] | None = None
        self._genie: dict[float, NDArray[np.int64]] = {}
        self._peaks: dict[int, Merges] = {}
        if not wide:
            self._edges = spanning_tree(distance)
            self._genie = {limit: genie(self._edges, limit) for limit in GINI_LIMITS}
            self._peaks = {
                k: peak_merges(
                    connected(self.neighbours[:, :k], self._edges), log_density(distances[:, :k])
                )
                for k in PEAKS
            }

    def candidates(self, n_clusters: int) -> list[Candidate]:
        """All partitions that have exactly n_clusters clusters; there may be none.

        Args:
            n_clusters: from 2 to `most`.
        """
        found = [*self._central(n_clusters), *self._spectral(n_clusters)]
        if self._edges is not None:
            found += [*self._linked(self._edges, n_clusters), *self._peaked(n_clusters)]
            found += _merged(self.z, n_clusters, self._seed)
        found = [c for c in found if c.labels.max() + 1 == n_clusters]
        return found + [c for c in _mixtures(self.z, found) if c.labels.max() + 1 == n_clusters]

    def _central(self, n_clusters: int) -> Iterator[Candidate]:
        """Clusters with the least squares about their means."""
        yield _candidate("central", "k-means", k_means(self.z, n_clusters, 5, self._seed))
        yield _candidate("central", "Ward", cut_tree(self._ward, n_clusters))

    def _spectral(self, n_clusters: int) -> Iterator[Candidate]:
        """Normalised cuts of neighbour graphs, by k-means on the eigenmap's rows at unit length.

        (Ng, Jordan, Weiss, NIPS 2001.)
        """
        for k, vectors in self._maps.items():
            rows = vectors[:, :n_clusters]
            rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
            yield _candidate("spectral", f"spectral-{k}", k_means(rows, n_clusters, 5, self._seed))

    def _linked(self, edges: NDArray[np.int64], n_clusters: int) -> Iterator[Candidate]:
        """Single linkage without its small clusters."""
        for limit, order in self._genie.items():
            yield _candidate("Genie", f"Genie-{limit}", cut_edges(order, n_clusters))
        for share in LEAST_SHARES:
            labels = longest_cuts(edges, n_clusters, _least(share, len(self.z), n_clusters))
            if labels is not None:
                yield _candidate("longest cuts", f"longest-cuts-{share}", labels)

    def _peaked(self, n_clusters: int) -> Iterator[Candidate]:
        """Peaks of the density."""
        least = _least(min(LEAST_SHARES), len(self.z), n_clusters)
        for k, merges in self._peaks.items():
            labels = prominent_peaks(merges, n_clusters, least)
            if labels is not None:
                yield _candidate("peaks", f"peaks-{k}", labels)


def _candidate(
    family: str, name: str, labels: NDArray[np.int64], kind: Kind | None = None
) -> Candidate:
    return Candidate(family, name, np.unique(labels, return_inverse=True)[1], kind)


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
            for kind in kinds(len(z), z.shape[1], start.labels.max() + 1):
                labels = fitted(z, start.labels, kind)[1].argmax(1)
                yield _candidate("mixture", f"{kind}-mixture-from-{start.name}", labels, kind)
