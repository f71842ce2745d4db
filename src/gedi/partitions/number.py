"""How many clusters a table has, and its partition into so many."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gedi import phrases
from gedi.partitions.best import best_partition
from gedi.partitions.choice import NEIGHBOURS, best_score, gaussian_peak, least_rows
from gedi.partitions.columns import comparable
from gedi.partitions.neighbours import nearest
from gedi.partitions.pool import Pool

__all__ = ["NumberOfClusters", "number_of_clusters"]

DOUBT = 0.5  # a number with a lower score, in nats, is not believed
MARGIN = 0.1  # two scores that are closer are about equal
SAMPLE = 1500  # rows on which numbers are compared
FIRST, LAST = 15, 60  # the range grows while its upper end is the best
FAR = 10  # times the distance to neighbours that all but a tenth of the rows have
ROWS = 10  # rows per cluster at least
FINER = 0.04  # of well separated clusters any union scores as well: prefer the finer partition


@dataclass(frozen=True)
class NumberOfClusters:
    """The number of clusters that was found, its rivals, and the partition.

    Attributes:
        n_clusters: the number, at least 2.
        scores: the score of each number that was compared, in nats below the best one (0).
        gaussians: the number of Gaussians that clearly describe held-out rows best; None if no
            number does.
        labels: the partition (n,), from 0.
    """

    n_clusters: int
    scores: dict[int, float]
    gaussians: int | None
    labels: NDArray[np.int64] = field(repr=False)

    @property
    def rivals(self) -> list[int]:
        """Other numbers that are about as good, or the best by one of the two measures.

        They ascend, and 1 is among them if one Gaussian describes the rows best.
        """
        close = {c for c, score in self.scores.items() if score > -MARGIN}
        peak = set() if self.gaussians is None else {self.gaussians}
        return sorted((close | peak) - {self.n_clusters})

    @property
    def clear(self) -> bool:
        """Whether the number has no rivals, and was compared with others."""
        return len(self.scores) > 1 and not self.rivals

    def __str__(self) -> str:
        found = f"{self.n_clusters} clusters were found in the data"
        if self.clear:
            return found
        if not self.rivals:
            return f"{found}, but there are too few rows to compare other numbers"
        numbers = phrases.sentence_list(map(str, self.rivals))
        also = f"not clear: {numbers} would do about as well"
        if self.gaussians == 1:
            also += "; one Gaussian describes the rows best, so there may be no clusters"
        return f"{found} ({also})"


def number_of_clusters(x: NDArray[np.float64], seed: int) -> NumberOfClusters:
    """Find the number of clusters of a table without labels.

    1. If K Gaussians describe held-out rows clearly best (`gaussian_peak`), it is K, unless the
       score of K is more than 0.5 below the best: many Gaussians also fit heavy tails.
    2. Otherwise it is the c for which the best candidate of the pool has the greatest

        log consensus - ½ log(0.02 + crossing) + 0.04 log c

    See `gedi.partitions.choice.choose`. Rows far from all others do not count. Numbers from 2 to
    15 are compared, on at most 1,500 rows, and twice as many while one of the two largest is the
    best, with at least ten rows per cluster.

    Args:
        x: rows (n, d), finite.
        seed: determines the sample and all starts.
    """
    some = x
    if len(x) > SAMPLE:
        some = x[np.sort(np.random.default_rng(seed).choice(len(x), SAMPLE, replace=False))]
    z = _without_far_rows(some)
    limit = min(len(np.unique(z, axis=0)) - 1, len(z) // ROWS, LAST)
    found: dict[int, float] = {}
    most = min(FIRST, limit)
    while most >= 2:
        found |= _scored(z, range(max(found, default=1) + 1, most + 1), seed)
        if most == limit or (found and max(found, key=found.__getitem__) < most - 1):
            break
        most = min(2 * most, limit)
    peak = gaussian_peak(z, most, seed) if found else None
    best = max(found, key=found.__getitem__, default=2)
    relative = {c: score - found[best] for c, score in found.items()}
    number = peak if peak is not None and relative.get(peak, -math.inf) > -DOUBT else best
    return NumberOfClusters(
        n_clusters=number,
        scores=relative,
        gaussians=peak,
        labels=best_partition(x, number, seed),
    )


def _without_far_rows(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The comparable rows that have enough others in reach to be a cluster."""
    z = comparable(x)
    if len(z) < 2:
        return z
    reach = nearest(z, math.ceil(least_rows(len(z))) - 1)[0][:, -1]
    usual = np.quantile(reach, 0.9)
    near = reach <= FAR * usual
    return z if usual == 0 or near.all() else comparable(x[near])


def _scored(z: NDArray[np.float64], numbers: range, seed: int) -> dict[int, float]:
    """The score of the best candidate, by number of clusters."""
    pool = Pool(z, numbers[-1], seed)
    index = pool.neighbours[:, :NEIGHBOURS]
    score = {c: best_score(index, pool.candidates(c)) + FINER * math.log(c) for c in numbers}
    return {c: value for c, value in score.items() if value > -math.inf}
