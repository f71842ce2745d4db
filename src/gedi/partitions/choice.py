"""The choice among partitions: how well methods agree, and how few neighbours are separated."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gedi.partitions.mixtures import Kind, fitted, k_means, kinds
from gedi.partitions.neighbours import nearest
from gedi.partitions.pool import Candidate

__all__ = ["agreement", "choose", "consensus", "crossing", "gaussian_kind"]

NEIGHBOURS = 5
FAR_ROWS = 5  # a cluster with fewer rows consists of far rows
FAR_SHARE = 1 / 200  # so does a cluster with a smaller share of the rows
SUBSAMPLE = 800  # rows on which numbers of Gaussians are compared
FOLDS = 5


def choose(z: NDArray[np.float64], candidates: Sequence[Candidate], seed: int) -> Candidate:
    """The best of some partitions into equally many clusters.

    1. Candidates with a cluster of fewer than max(5, n / 200) rows are left out, because such
       clusters are outliers. If all have one, those with the largest smallest cluster stay.
    2. If as many Gaussians as clusters describe held-out rows best (`gaussian_kind`), the mixture
       of that kind with the greatest likelihood is chosen.
    3. Otherwise the candidate with the greatest consensus / (0.02 + crossing)^½ is chosen.

    Args:
        z: rows (n, d) of standardised columns.
        candidates: at least one.
        seed: determines the rows that are held out.
    """
    n_clusters = int(candidates[0].labels.max()) + 1
    smallest = np.array([np.bincount(candidate.labels).min() for candidate in candidates])
    least = min(max(FAR_ROWS, FAR_SHARE * len(z)), smallest.max())
    allowed = smallest >= least
    kind = gaussian_kind(z, n_clusters, seed)
    mixtures = [c for c, a in zip(candidates, allowed, strict=True) if a and c.kind == kind]
    if kind is not None and mixtures:
        return max(mixtures, key=lambda c: fitted(z, c.labels, kind, 10)[0].log_density(z).mean())
    labels = np.stack([candidate.labels for candidate in candidates])
    shared = consensus(agreement(labels), [candidate.family for candidate in candidates])
    parted = crossing(nearest(z, NEIGHBOURS)[1], labels)
    score = np.maximum(shared, 1e-3) / np.sqrt(0.02 + parted)
    return candidates[int(np.where(allowed, score, -np.inf).argmax())]


def agreement(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The adjusted Rand index of each pair of m partitions, (m, n) -> (m, m).

        ARI = ( Σ_ab C(n_ab, 2) - e ) / ( (A + B) / 2 - e ),   e = A B / C(n, 2),

    where n_ab is the number of rows in cluster a of one and b of the other, A = Σ_a C(n_a, 2) and
    B = Σ_b C(n_b, 2) (Hubert, Arabie, Journal of Classification 1985,
    https://doi.org/10.1007/BF01908075).

    Args:
        labels: partitions (m, n), with labels from 0.
    """
    m, n = labels.shape
    c = int(labels.max()) + 1
    column = labels + c * np.arange(m)[:, None]
    member = sparse.csr_matrix(
        (np.ones(m * n), column.T.ravel(), np.arange(0, m * n + 1, m)), (n, m * c)
    )
    counts = (member.T @ member).tocoo()
    both = np.bincount(
        counts.row // c * m + counts.col // c, counts.data * (counts.data - 1) / 2, m * m
    ).reshape(m, m)
    alone = both.diagonal()
    expected = np.outer(alone, alone) / (n * (n - 1) / 2)
    most = (alone[:, None] + alone) / 2
    trivial = most == expected  # both are one cluster, or all clusters are single rows
    return np.where(trivial, 1.0, (both - expected) / np.where(trivial, 1.0, most - expected))


def consensus(agreement: NDArray[np.float64], families: Sequence[str]) -> NDArray[np.float64]:
    """How well the other families reproduce each partition, (m,).

        mean over the other families F of max_{j in F} agreement_ij;   0 without other families

    Args:
        agreement: the adjusted Rand index of each pair of partitions (m, m).
        families: the family of each partition (m).
    """
    family = np.array(families)
    names = np.unique(family)
    best = np.stack([agreement[:, family == name].max(1) for name in names], 1)
    other = family[:, None] != names
    return np.asarray((best * other).sum(1) / np.maximum(other.sum(1), 1))


def crossing(index: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of neighbours in different clusters, relative to random labels.

        crossing = mean_{i, j near i}[ y_i ≠ y_j ] / ( 1 - Σ_y p_y² )

    which is 1 minus Cohen's kappa of the two labels.

    Args:
        index: the neighbours of each row (n, k).
        labels: partitions (m, n), with labels from 0.

    Returns:
        One number (m,) for each partition.
    """
    parted = [(y[index] != y[:, None]).mean() for y in labels]
    chance = [1 - ((np.bincount(y) / len(y)) ** 2).sum() for y in labels]
    return np.array(parted) / np.maximum(chance, 1e-12)


def gaussian_kind(z: NDArray[np.float64], n_clusters: int, seed: int) -> Kind | None:
    """The kind of covariances with which n_clusters Gaussians describe the rows best.

    Mixtures of K = 1, c, c + 1, c + 2, 2c and 3c Gaussians are compared by their mean log p(x) in
    five-fold cross-validation on at most 800 rows. That K = c is the best supports the belief that
    each cluster is a Gaussian.

    Args:
        z: rows (n, d) of standardised columns.
        n_clusters: the number of clusters c, at least 2.
        seed: determines the folds and the starts.

    Returns:
        The best mixture's kind if its K is c and it gains two standard errors on one Gaussian,
        otherwise None.
    """
    rng = np.random.default_rng(seed)
    if len(z) > SUBSAMPLE:
        z = z[rng.choice(len(z), SUBSAMPLE, replace=False)]
    held_out = _held_out(z, n_clusters, rng.permutation(len(z)) % FOLDS, seed)
    mean = {key: values.mean() for key, values in held_out.items()}
    best = max(mean, key=mean.__getitem__)
    one = max((key for key in mean if key[0] == 1), key=mean.__getitem__)
    gain = held_out[best] - held_out[one]
    clear = best[0] == n_clusters and gain.mean() > 2 * gain.std() / np.sqrt(len(z))
    return best[1] if clear else None


def _held_out(
    z: NDArray[np.float64], n_clusters: int, fold: NDArray[np.int64], seed: int
) -> dict[tuple[int, Kind], NDArray[np.float64]]:
    """Log p(x_i) (n,) under the mixture fitted to the other folds, by number and kind."""
    n, d = z.shape
    most = min(max(n // 6, n_clusters), n - np.bincount(fold).max())
    numbers = {1, n_clusters, n_clusters + 1, n_clusters + 2, 2 * n_clusters, 3 * n_clusters}
    values: dict[tuple[int, Kind], NDArray[np.float64]] = {}
    for k, f in product(sorted(k for k in numbers if k <= most), range(FOLDS)):
        rows, rest = z[fold != f], z[fold == f]
        start = k_means(rows, k, 2, seed)
        for kind in kinds(d):
            if kind != "full" or k * (d + 3) <= n:
                mixture = fitted(rows, start, kind, 30)[0]
                values.setdefault((k, kind), np.empty(n))[fold == f] = mixture.log_density(rest)
    return values
