"""The choice among partitions: how well methods agree, and how few neighbours are separated."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gedi.deadline import Deadline
from gedi.partitions.columns import WIDE
from gedi.partitions.mixtures import Kind, fitted, k_means, kinds
from gedi.partitions.neighbours import nearest
from gedi.partitions.pool import Candidate

__all__ = [
    "NEIGHBOURS",
    "agreement",
    "best_score",
    "choose",
    "consensus",
    "crossing",
    "expected_agreement",
    "gaussian_kind",
    "gaussian_peak",
    "least_rows",
]

NEIGHBOURS = 5
FAR_ROWS = 5  # a cluster with fewer rows consists of far rows
FAR_SHARE = 1 / 200  # so does a cluster with a smaller share of the rows
SUBSAMPLE = 800  # rows on which numbers of Gaussians are compared
FOLDS = 5
STANDARD_ERRORS = 3.0  # by which the best number of Gaussians exceeds all smaller ones
BEYOND = 3  # numbers of Gaussians above the best that gain nothing
AS_GOOD = 0.3  # nats of the score by which another partition is e times less likely to be chosen


def choose(z: NDArray[np.float64], candidates: Sequence[Candidate], seed: int) -> Candidate:
    """The best of some partitions into equally many clusters.

    1. Candidates with a cluster of fewer than max(5, n / 200) rows are left out, because such
       clusters are outliers. If all have one, those with the largest smallest cluster stay.
    2. If as many Gaussians as clusters describe held-out rows best (`gaussian_kind`), the mixture
       of that kind with the greatest likelihood is chosen, except with 100 columns or more.
    3. Otherwise the candidate with the greatest consensus / (0.02 + crossing)^½ is chosen.

    Args:
        z: rows (n, d) of standardised columns.
        candidates: at least one.
        seed: determines the rows that are held out.
    """
    n_clusters = int(candidates[0].labels.max()) + 1
    smallest = _smallest(candidates)
    allowed = smallest >= min(least_rows(len(z)), smallest.max())
    # Diagonal Gaussians alone, which is what wide tables get, say little.
    kind = gaussian_kind(z, n_clusters, seed) if z.shape[1] < WIDE else None
    mixtures = [c for c, a in zip(candidates, allowed, strict=True) if a and c.kind == kind]
    if kind is not None and mixtures:
        return max(mixtures, key=lambda c: fitted(z, c.labels, kind, 10)[0].log_density(z).mean())
    score = _scores(nearest(z, NEIGHBOURS)[1], candidates)
    return candidates[int(np.where(allowed, score, -np.inf).argmax())]


def expected_agreement(
    z: NDArray[np.float64], candidates: Sequence[Candidate], chosen: Candidate
) -> float:
    """How far other partitions that are about as good agree with the chosen one, up to 1.

        Σ_j w_j ARI(j, chosen),   w_j ∝ exp( s_j / 0.3 ),   s: the score of `best_score`

    Another seed finds slightly other candidates, so that scores change and one of these may be
    chosen.

    Args:
        z: rows (n, d) of standardised columns.
        candidates: partitions into equally many clusters.
        chosen: one of them.
    """
    index = nearest(z, NEIGHBOURS)[1]
    smallest = _smallest(candidates)
    allowed = smallest >= min(least_rows(len(z)), smallest.max())
    score = np.where(allowed, _scores(index, candidates), -np.inf)
    weight = np.exp((score - score.max()) / AS_GOOD)
    place = next(j for j, candidate in enumerate(candidates) if candidate is chosen)
    shared = agreement(np.stack([candidate.labels for candidate in candidates]))[place]
    return float(shared @ weight / weight.sum())


def best_score(index: NDArray[np.int64], candidates: Sequence[Candidate]) -> float:
    """The greatest score of partitions without far rows as a cluster, in nats.

        log consensus - ½ log(0.02 + crossing)

    Args:
        index: the neighbours of each row (n, k).
        candidates: partitions into equally many clusters; minus infinity if none is left.
    """
    if not candidates:
        return -np.inf
    allowed = _smallest(candidates) >= least_rows(len(index))
    return float(np.where(allowed, _scores(index, candidates), -np.inf).max())


def _smallest(candidates: Sequence[Candidate]) -> NDArray[np.int64]:
    """The number of rows in the smallest cluster of each partition (m,)."""
    return np.array([np.bincount(candidate.labels).min() for candidate in candidates])


def least_rows(n_rows: int) -> float:
    """The number of rows below which a cluster consists of far rows."""
    return max(FAR_ROWS, FAR_SHARE * n_rows)


def _scores(index: NDArray[np.int64], candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    labels = np.stack([candidate.labels for candidate in candidates])
    shared = consensus(agreement(labels), [candidate.family for candidate in candidates])
    parted = crossing(index, labels)
    return np.asarray(np.log(np.maximum(shared, 1e-3)) - 0.5 * np.log(0.02 + parted))


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
    each cluster is a Gaussian. The first K that does better ends the comparison.

    Args:
        z: rows (n, d) of standardised columns.
        n_clusters: the number of clusters c, at least 2.
        seed: determines the folds and the starts.

    Returns:
        The best mixture's kind if its K is c and it gains two standard errors on one Gaussian,
        otherwise None.
    """
    z, fold = _folds(z, seed)
    most = min(max(len(z) // 6, n_clusters), len(z) - np.bincount(fold).max())
    if n_clusters > most:
        return None
    own = _held_out(z, n_clusters, fold, seed)
    kind = max(own, key=lambda kind: own[kind].mean())
    for k in (1, 2 * n_clusters, 3 * n_clusters, n_clusters + 1, n_clusters + 2):
        if k > most:
            continue
        other = max(_held_out(z, k, fold, seed).values(), key=np.mean)
        if other.mean() > own[kind].mean() or (k == 1 and _gain(own[kind], other) <= 2):
            return None
    return kind


def gaussian_peak(
    z: NDArray[np.float64], most: int, seed: int, deadline: Deadline = Deadline()
) -> int | None:
    """The number of Gaussians that clearly describes held-out rows best.

    The mean log p(x) in five-fold cross-validation on at most 800 rows is compared for 1, 2, ...
    Gaussians, until three more than the best gain nothing. If clusters are Gaussians, all smaller
    numbers are clearly worse than the true one, and larger ones are no better. If they have other
    shapes, more and more Gaussians gain less and less.

    Args:
        z: rows (n, d) of standardised columns.
        most: the largest number of interest.
        seed: determines the folds and the starts.
        deadline: of the comparison.

    Returns:
        The best number, if it gains more than three standard errors on each smaller one and is
        at most `most`; otherwise None, as when the time is up.
    """
    z, fold = _folds(z, seed)
    limit = min(most + BEYOND, len(z) - int(np.bincount(fold).max()))
    best: list[NDArray[np.float64]] = []  # log p(x_i) under 1, 2, ... Gaussians of the best kind
    place = 0
    for k in range(1, limit + 1):
        if deadline.passed:
            break
        best.append(max(_held_out(z, k, fold, seed).values(), key=np.mean))
        if best[-1].mean() > best[place].mean():
            place = k - 1
        if k - 1 - place == BEYOND:
            clear = all(_gain(best[place], other) > STANDARD_ERRORS for other in best[:place])
            return place + 1 if clear else None
    return None


def _folds(z: NDArray[np.float64], seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """At most 800 of the rows, and the fold of each."""
    rng = np.random.default_rng(seed)
    if len(z) > SUBSAMPLE:
        z = z[rng.choice(len(z), SUBSAMPLE, replace=False)]
    return z, rng.permutation(len(z)) % FOLDS


def _gain(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The mean of a - b (n,) in standard errors."""
    gain = a - b
    return float(gain.mean() / max(gain.std() / math.sqrt(len(gain)), 1e-12))


def _held_out(
    z: NDArray[np.float64], k: int, fold: NDArray[np.int64], seed: int
) -> dict[Kind, NDArray[np.float64]]:
    """Log p(x_i) (n,) under mixtures of k Gaussians fitted to the other folds, by their kind."""
    n, d = z.shape
    values: dict[Kind, NDArray[np.float64]] = {}
    for f in range(FOLDS):
        rows, rest = z[fold != f], z[fold == f]
        start = k_means(rows, k, 2, seed)
        for kind in kinds(n, d, k):
            mixture = fitted(rows, start, kind, 30)[0]
            values.setdefault(kind, np.empty(n))[fold == f] = mixture.log_density(rest)
    return values
