"""Agreement of clusters with known labels, which are never used for training."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

__all__ = [
    "accuracy",
    "agreement",
    "ari",
    "cluster_sizes",
    "confusion",
    "match",
    "nmi",
    "symbol_accuracy",
]

Codes = NDArray[np.integer]


def agreement(labels: Codes, clusters: Codes) -> dict[str, float]:
    """All measures of agreement: "NMI", "ARI" and "accuracy".

    Args:
        labels: classes (n,), codes from 0.
        clusters: clusters (n,), codes from 0.

    Raises:
        ValueError: if there are no rows, the lengths differ, or codes are negative.
    """
    return {
        "NMI": nmi(labels, clusters),
        "ARI": ari(labels, clusters),
        "accuracy": accuracy(labels, clusters),
    }


def nmi(labels: Codes, clusters: Codes) -> float:
    """The normalised mutual information 2 I(Y; C) / (H(Y) + H(C)), in [0, 1].

    Args:
        labels: classes (n,).
        clusters: clusters (n,).

    Raises:
        ValueError: no rows, or lengths that differ.
    """
    _check_pair(labels, clusters)
    return float(normalized_mutual_info_score(labels, clusters))


def ari(labels: Codes, clusters: Codes) -> float:
    """The Rand index adjusted for chance: 1 for equal partitions, 0 on average for random ones.

    Args:
        labels: classes (n,).
        clusters: clusters (n,).

    Raises:
        ValueError: no rows, or lengths that differ.
    """
    _check_pair(labels, clusters)
    return float(adjusted_rand_score(labels, clusters))


def accuracy(labels: Codes, clusters: Codes) -> float:
    """The share of rows whose cluster is matched to their class, for the best matching.

    The matching is one-to-one. If there are more clusters than classes, the rows of unmatched
    clusters count as wrong.

    Args:
        labels: classes (n,), codes from 0.
        clusters: clusters (n,), codes from 0.

    Raises:
        ValueError: if there are no rows, the lengths differ, or codes are negative.
    """
    return float(np.mean(match(labels, clusters)[clusters] == labels))


def symbol_accuracy(labels: Codes, clusters: Codes) -> float:
    """The share of rows whose cluster number is their class number, without a matching.

    Args:
        labels: classes (n,), codes from 0.
        clusters: clusters (n,), codes from 0.

    Raises:
        ValueError: if there are no rows, or the lengths differ.
    """
    _check_pair(labels, clusters)
    return float(np.mean(np.asarray(labels) == np.asarray(clusters)))


def match(labels: Codes, clusters: Codes) -> NDArray[np.int64]:
    """The one-to-one matching of clusters to classes with the highest accuracy.

    Args:
        labels: classes (n,), codes from 0.
        clusters: clusters (n,), codes from 0.

    Returns:
        The class of each cluster, (largest cluster code + 1,); -1 for unmatched clusters. It is a
        permutation if there are as many classes as clusters. `match(...)[clusters]` are predicted
        labels.

    Raises:
        ValueError: if there are no rows, the lengths differ, or codes are negative.
    """
    _check_pair(labels, clusters)
    counts = confusion(labels, clusters, int(np.max(labels)) + 1, int(np.max(clusters)) + 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    classes = np.full(counts.shape[1], -1, dtype=np.int64)
    classes[columns] = rows
    return classes


def confusion(labels: Codes, clusters: Codes, n_classes: int, n_clusters: int) -> NDArray[np.int64]:
    """The number of rows of each class (first axis) in each cluster (second axis).

    Args:
        labels: classes (n,), codes from 0.
        clusters: clusters (n,), codes from 0.
        n_classes: the number of classes, including empty ones.
        n_clusters: the number of clusters, including empty ones.

    Returns:
        Counts (n_classes, n_clusters).

    Raises:
        ValueError: if there are no rows, the lengths differ, or codes are out of range.
    """
    _check_pair(labels, clusters)
    _check_codes(labels, n_classes, "labels")
    _check_codes(clusters, n_clusters, "clusters")
    cells = np.asarray(labels, dtype=np.int64) * n_clusters + np.asarray(clusters)
    return np.bincount(cells, minlength=n_classes * n_clusters).reshape(n_classes, n_clusters)


def cluster_sizes(clusters: Codes, n_clusters: int) -> NDArray[np.int64]:
    """The number of rows in each cluster, including empty ones, (n_clusters,).

    Raises:
        ValueError: if codes are out of range.
    """
    _check_codes(clusters, n_clusters, "clusters")
    return np.bincount(clusters, minlength=n_clusters)


def _check_pair(labels: Codes, clusters: Codes) -> None:
    shapes = np.shape(labels), np.shape(clusters)
    if shapes[0] != shapes[1] or len(shapes[0]) != 1:
        raise ValueError(f"expected labels and clusters of one shape (n,), got {shapes}")
    if shapes[0] == (0,):
        raise ValueError("expected at least 1 row, got 0")


def _check_codes(codes: Codes, n: int, name: str) -> None:
    if len(codes) and (np.min(codes) < 0 or np.max(codes) >= n):
        raise ValueError(
            f"{name}: expected codes from 0 to {n - 1}, got {np.min(codes)} to {np.max(codes)}"
        )
