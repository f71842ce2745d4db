"""Whether neighbours share a cluster: a check of clusters in many features, without labels.

In hundreds of features posteriors are nearly one-hot, and a neighbour in another cluster costs INV
many nats. So the collapse gap is large even for good clusters, and says little. Whether neighbours
share a cluster does not depend on how certain the posteriors are.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gedi.partitions.choice import crossing
from gedi.partitions.mixtures import k_means
from gedi.partitions.neighbours import nearest

__all__ = ["Cohesion", "cohesion"]

_NEIGHBOURS = 10


class Cohesion(NamedTuple):
    """How often neighbours share a cluster, as Cohen's kappa: 1 is always, 0 is at random.

    Attributes:
        found: that of the clusters.
        without_groups: that of k-means in a Gaussian cloud of the same mean and covariance.
    """

    found: float
    without_groups: float

    @property
    def excess(self) -> float:
        """The share of the way from a cloud without groups to perfect agreement, at most 1."""
        return (self.found - self.without_groups) / max(1 - self.without_groups, 1e-12)


def cohesion(x: NDArray[np.float64], clusters: NDArray[np.integer], seed: int) -> Cohesion | None:
    """The cohesion of clusters of points (n, d); None with fewer than two clusters.

        κ = 1 - mean_{i, j near i}[ y_i ≠ y_j ] / ( 1 - Σ_y p_y² )

    over the ten nearest neighbours j of each point, with p_y the share of cluster y. Any partition
    into compact parts has κ > 0, even of points without groups, so that of such points is needed
    for comparison.

    Args:
        x: the points, with distances that mean something.
        clusters: the cluster of each, (n,).
        seed: determines the cloud.
    """
    codes = np.unique(clusters, return_inverse=True)[1]
    n_used = int(codes.max()) + 1
    if n_used < 2 or len(x) <= n_used:
        return None
    # Scores along the principal axes times normal numbers have the covariance of the data.
    centred = x - x.mean(0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    noise = np.random.default_rng(seed).standard_normal((len(x), len(spread)))
    cloud = noise * (spread / np.sqrt(len(x))) @ axes
    return Cohesion(_kappa(x, codes), _kappa(cloud, k_means(cloud, n_used, 1, seed)))


def _kappa(x: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    return 1 - float(crossing(nearest(x, _NEIGHBOURS)[1], codes[None])[0])
