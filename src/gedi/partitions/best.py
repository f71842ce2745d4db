"""The best partition of a table into a given number of clusters."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from gedi.deadline import Deadline, growing
from gedi.partitions.choice import choose, expected_agreement
from gedi.partitions.columns import comparable
from gedi.partitions.pool import Pool

__all__ = ["BestPartition", "best_partition"]

SAMPLE = 3000  # rows that are partitioned; the others follow their nearest ones
HASTY = 300  # rows that are partitioned at least when time is short
NEAREST = 5


class BestPartition(NamedTuple):
    """The best partition, and how far another seed is expected to agree with it.

    Attributes:
        labels: (n,), each of 0, 1, ..., c - 1 at least once unless there are fewer distinct rows.
        agreement: see `gedi.partitions.choice.expected_agreement`; 1 if there is no choice.
    """

    labels: NDArray[np.int64]
    agreement: float = 1.0


def best_partition(
    x: NDArray[np.float64],
    n_clusters: int,
    seed: int,
    *,
    one_unit: bool = False,
    deadline: Deadline = Deadline(),
) -> BestPartition:
    """Clusters of rows: the best of a pool of partitions, chosen without labels.

    Of more than 3,000 rows, a random sample is partitioned, and the others take the label of most
    of their five nearest rows in it. With as many clusters as distinct rows or more, each distinct
    row is a cluster.

    Args:
        x: rows (n, d), finite.
        n_clusters: the number of clusters, at least 1.
        seed: determines the sample and all starts.
        one_unit: whether all columns have one unit, as principal components do.
        deadline: when it is near, fewer rows are partitioned, 300 at least.
    """
    distinct, which = np.unique(x, axis=0, return_inverse=True)
    which = which.reshape(-1)
    if n_clusters == 1:
        return BestPartition(np.zeros(len(x), np.int64))
    if len(distinct) <= n_clusters:
        return BestPartition(which)
    z = comparable(x, one_unit=one_unit)
    chosen, picked = None, np.arange(len(z))
    for m in growing(min(len(z), SAMPLE), max(HASTY, 10 * n_clusters), deadline):
        rows = np.arange(len(z))
        if m < len(z):
            rows = np.sort(np.random.default_rng(seed).choice(len(z), m, replace=False))
        pool = Pool(z[rows], n_clusters, seed).candidates(n_clusters)
        if pool:
            best = choose(z[rows], pool, seed)
            chosen = BestPartition(best.labels, expected_agreement(z[rows], pool, best))
            picked = rows
    if (
        chosen is None
    ):  # nearly all rows are copies of a few: cut the sorted distinct rows into runs
        return BestPartition(which * n_clusters // len(distinct))
    if len(z) == len(picked):
        return chosen
    return chosen._replace(labels=_extended(z, picked, chosen.labels))


def _extended(
    z: NDArray[np.float64], picked: NDArray[np.int64], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Labels of all rows (n,) by those of the picked ones (m,), which keep theirs."""
    nearby = KNeighborsClassifier(NEAREST).fit(z[picked], labels)
    extended = np.asarray(nearby.predict(z), np.int64)
    extended[picked] = labels
    return extended
