"""Gaussian mixtures by EM from a partition, and clusters of several components."""

import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from gedi.partitions.columns import WIDE

__all__ = ["Kind", "Mixture", "fitted", "k_means", "kinds", "merged"]

Kind = Literal["full", "tied", "diag", "spherical"]
DIAGONAL: tuple[Kind, ...] = ("diag", "spherical")

VARIANCE = 1e-3  # added to each variance; the columns have variance 1
TOLERANCE = 1e-3  # nats per row


@dataclass(frozen=True)
class Mixture:
    """p(x) = Σ_y π_y N(x; μ_y, Σ_y).

    Attributes:
        weights: π (c,).
        means: μ (c, d).
        covariances: Σ (c, d, d), (1, d, d) if all share one, or their diagonals (c, d).
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]

    def log_joint(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log p(x_i, y), (n, d) -> (n, c)."""
        diagonal = self.covariances.ndim == 2
        square, log_det = (self._diagonal if diagonal else self._full)(x)
        log_normal = -0.5 * (square + log_det + x.shape[1] * np.log(2 * np.pi))
        return np.asarray(log_normal + np.log(self.weights + 1e-12))

    def log_density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log p(x_i), (n, d) -> (n,)."""
        return _log_sum(self.log_joint(x))

    def _diagonal(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Squared Mahalanobis distances (n, c) and log-determinants (c,)."""
        precision = 1 / self.covariances
        middle = (self.means**2 * precision).sum(1)
        square = x**2 @ precision.T - 2 * x @ (self.means * precision).T + middle
        return square, np.log(self.covariances).sum(1)

    def _full(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Squared Mahalanobis distances (n, c) and log-determinants (c,), or (1,) if tied."""
        root = np.linalg.cholesky(self.covariances)
        means = [self.means] if len(root) == 1 else self.means[:, None]
        square = [
            cdist(x @ inverse.T, mean @ inverse.T, "sqeuclidean")
            for mean, inverse in zip(means, np.linalg.inv(root), strict=True)
        ]
        return np.hstack(square), 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(1)


def kinds(n_rows: int, n_columns: int, n_components: int) -> tuple[Kind, ...]:
    """The kinds of covariances to try.

    From 100 columns on only diagonal ones, and full ones only with d + 3 rows for each component.
    """
    if n_columns >= WIDE:
        return DIAGONAL
    enough = n_components * (n_columns + 3) <= n_rows
    return get_args(Kind) if enough else ("tied", *DIAGONAL)


def fitted(
    x: NDArray[np.float64], labels: NDArray[np.int64], kind: Kind, iterations: int = 50
) -> tuple[Mixture, NDArray[np.float64]]:
    """Fit a mixture by EM from a partition, until an iteration gains under 0.001 nats per row.

    Args:
        x: rows (n, d), of standardised columns.
        labels: the partition (n,), from 0.
        kind: the kind of covariances, named as in scikit-learn.
        iterations: the most iterations.

    Returns:
        The mixture, and the responsibilities p(y|x_i) (n, c).
    """
    responsibility = np.eye(labels.max() + 1)[labels]
    last = -np.inf
    for _ in range(iterations):
        mixture = _maximised(x, responsibility, kind)
        joint = mixture.log_joint(x)
        log_density = _log_sum(joint)
        responsibility = np.exp(joint - log_density[:, None])
        if log_density.mean() - last < TOLERANCE:
            break
        last = log_density.mean()
    return mixture, responsibility


def _maximised(x: NDArray[np.float64], r: NDArray[np.float64], kind: Kind) -> Mixture:
    """The mixture of greatest likelihood for responsibilities r (n, c).

    Full covariances are averages with the tied one, which counts as d + 1 rows, so that a cluster
    with few rows has one too.
    """
    n, d = x.shape
    total = r.sum(0) + 1e-9
    means = (r.T @ x) / total[:, None]
    if kind in DIAGONAL:
        variances = np.maximum((r.T @ x**2) / total[:, None] - means**2, 0)
        if kind == "spherical":
            variances = np.repeat(variances.mean(1, keepdims=True), d, 1)
        return Mixture(total / n, means, variances + VARIANCE)
    if kind == "tied":
        covariances = ((x.T @ x - (means.T * total) @ means) / n)[None]
    else:
        scatter = np.stack([((x - m).T * w) @ (x - m) for m, w in zip(means, r.T, strict=True)])
        tied = scatter.sum(0) / n
        covariances = (scatter + (d + 1) * tied) / (total + d + 1)[:, None, None]
    return Mixture(total / n, means, covariances + VARIANCE * np.eye(d))


def _log_sum(joint: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log Σ_y exp of finite values (n, c) -> (n,); scipy's takes longer than the densities."""
    most = joint.max(1)
    return np.asarray(most + np.log(np.exp(joint - most[:, None]).sum(1)))


def merged(responsibility: NDArray[np.float64], n_clusters: int) -> NDArray[np.int64]:
    """Clusters of several components: the two that overlap most are joined repeatedly.

        overlap(a, b) = Σ_i r_ia r_ib ( 1 / Σ_i r_ia + 1 / Σ_i r_ib )

    This is the probability that a row of a is assigned to b, plus that of the reverse.

    Args:
        responsibility: r (n, m) of m components.
        n_clusters: the number of clusters that are left.

    Returns:
        Labels (n,), from 0.
    """
    r = responsibility[:, responsibility.sum(0) > 0.5]
    while r.shape[1] > n_clusters:
        share = 1 / r.sum(0)
        overlap = (r.T @ r) * (share[:, None] + share)
        np.fill_diagonal(overlap, -1)
        a, b = np.unravel_index(overlap.argmax(), overlap.shape)
        r[:, a] += r[:, b]
        r = np.delete(r, b, 1)
    return np.asarray(r.argmax(1))


def k_means(x: NDArray[np.float64], n_clusters: int, restarts: int, seed: int) -> NDArray[np.int64]:
    """Labels (n,) of the best of several runs of k-means; fewer clusters if rows are copies.

    Args:
        x: rows (n, d), n at least n_clusters.
        n_clusters: the number of means.
        restarts: the number of runs.
        seed: determines their starts.
    """
    with warnings.catch_warnings():  # fewer distinct rows than clusters
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(n_clusters, n_init=restarts, random_state=seed).fit(x)
    return np.asarray(model.labels_, np.int64)
