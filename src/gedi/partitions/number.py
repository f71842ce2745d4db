"""How many clusters a table has, and its partition into so many."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gedi import phrases
from gedi.deadline import Deadline, growing
from gedi.partitions.best import best_partition
from gedi.partitions.choice import NEIGHBOURS, best_score, gaussian_peak, least_rows
from gedi.partitions.columns import comparable
from gedi.partitions.mixtures import k_means
from gedi.partitions.neighbours import modularity, mutual, nearest, parts_of
from gedi.partitions.pool import Pool

__all__ = ["NumberOfClusters", "number_of_clusters"]

DOUBT = 0.5  # a number with a lower score, in nats, is not believed
TORN = 0.3  # a number of separate parts of the data with a lower score is not believed
SEPARATE = 10  # neighbours by which rows are in one part
MARGIN = 0.1  # two scores that are closer are about equal
SAMPLE = 1500  # rows on which numbers are compared
FIRST, LAST = 15, 60  # the range grows while its upper end is the best
FAR = 10  # times the distance to neighbours that all but a tenth of the rows have
ROWS = 10  # rows per cluster at least
HASTY = 150  # rows on which numbers are compared at least when time is short
SEARCH = 0.8  # share of the time for the search; the rest is for the partition
SAMPLE_ON_AXES = 3000  # rows on which numbers are compared along principal axes
MUTUAL = 20  # neighbours in the graph of these rows
STARTS = 3  # of k-means for each number
SHARPNESS = 5.0  # a modularity 2 % below the best is a score 0.1 below
BEYOND = 4  # numbers above the best that are clearly worse end the search
LISTED = 4  # rivals in a sentence
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
        agreement: that of `BestPartition`, at this number.
        parts: the number of parts of the data that no neighbours connect; None if they were not
            looked for, as with many features.
        stopped: whether the time was up before all numbers, and the Gaussians, were compared.
        rows: the number of rows on which numbers were compared, if there was no time for more;
            otherwise None.
    """

    n_clusters: int
    scores: dict[int, float]
    gaussians: int | None
    labels: NDArray[np.int64] = field(repr=False)
    agreement: float = 1.0
    parts: int | None = 1
    stopped: bool = False
    rows: int | None = None

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
        """Whether the number has the greatest score, and something else gives the same number.

        That is the number of separate parts of the data, or of Gaussians; with many features, that
        no other number is about as good. There must have been time to compare all numbers.
        """
        if len(self.scores) < 2 or self.stopped or self.rows:
            return False
        return self.confirmed and self.scores[self.n_clusters] == max(self.scores.values())

    @property
    def confirmed(self) -> bool:
        """Whether separate parts or Gaussians give the same number, or nothing else is as good."""
        if self.parts is None:
            return not self.rivals
        return self.n_clusters in (self.parts, self.gaussians)

    def __str__(self) -> str:
        found = f"{self.n_clusters} clusters were found in the data"
        if self.clear:
            return found
        if len(self.scores) < 2 and not (self.stopped or self.rows):
            return f"{found}, but there are too few rows to compare other numbers"
        doubts = []
        if not (self.confirmed or self.rivals or self.stopped or self.rows):
            doubts.append("neither gaps between clusters nor Gaussians give the same number")
        if self.rows:
            doubts.append(f"there was time to look at {self.rows:,} rows only")
        if self.stopped:
            n = len(self.scores)
            compared = "one number had" if n == 1 else f"{n} numbers had"
            doubts.append(f"the time was up when {compared} been compared")
        if self.rivals:
            numbers = phrases.sentence_list(map(str, self.rivals))
            if len(self.rivals) > LISTED:
                numbers = f"numbers from {self.rivals[0]} to {self.rivals[-1]}"
            doubts.append(f"{numbers} would do about as well")
        if self.gaussians == 1:
            doubts.append("one Gaussian describes the rows best, so there may be no clusters")
        return f"{found} (not clear: {'; '.join(doubts)})"


@dataclass(frozen=True)
class _Comparison:
    """The scores of numbers of clusters, and the rest as in `NumberOfClusters`."""

    scores: dict[int, float]
    gaussians: int | None
    parts: int | None
    stopped: bool


def number_of_clusters(
    x: NDArray[np.float64],
    seed: int,
    *,
    one_unit: bool = False,
    deadline: Deadline = Deadline(),
) -> NumberOfClusters:
    """Find the number of clusters of a table without labels.

    Each number c has a score, which is that of the best candidate of the pool:

        log consensus - ½ log(0.02 + crossing) + 0.04 log c

    1. If K Gaussians describe held-out rows clearly best (`gaussian_peak`), and K has the greatest
       score, it is K.
    2. Otherwise, if K >= 2 parts of the data are connected by the 10 nearest neighbours of their
       rows and not with each other, it is K, unless the score of K is more than 0.3 below the best:
       most methods cut rings, which are one part each, into arcs, and so agree on too many.
    3. Otherwise, if K Gaussians describe held-out rows clearly best, it is K, unless the score of K
       is more than 0.5 below the best: many Gaussians also fit heavy tails.
    4. Otherwise it is the number with the greatest score.

    See `gedi.partitions.choice.choose`. Rows far from all others do not count, and parts with so
    few rows neither. Numbers from 2 to 15 are compared, on at most 1,500 rows, and twice as many
    while one of the two largest is the best, with at least ten rows per cluster.

    Along the principal axes of many features families of methods agree too much on few clusters.
    There it is the c for which k-means has the greatest modularity in the graph of mutual
    neighbours of at most 3,000 rows, and scores are 5 log Q. Numbers grow by about a tenth, until
    four above the best are clearly worse; then those around the best are compared one by one.

    Args:
        x: rows (n, d), finite.
        seed: determines the sample and all starts.
        one_unit: whether all columns have one unit, as principal components do.
        deadline: when it is near, numbers are compared on fewer rows, 150 at least, and if that
            does not suffice, only some of them.
    """
    search = deadline.share(SEARCH)
    found, rows, usual = None, 0, min(len(x), SAMPLE_ON_AXES if one_unit else SAMPLE)
    compare = _compared_on_axes if one_unit else _compared
    first = usual if usual <= 2 * HASTY else HASTY
    for m in growing(usual, first, search, power=1.0):
        some = x
        if m < len(x):
            some = x[np.sort(np.random.default_rng(seed).choice(len(x), m, replace=False))]
        compared = compare(_without_far_rows(some, one_unit), seed, search)
        if found is None or not compared.stopped:
            found, rows = compared, m
    assert found is not None  # there is always a first round
    best = max(found.scores, key=found.scores.__getitem__, default=2)
    relative = {c: score - found.scores[best] for c, score in found.scores.items()}
    number = _decided(best, relative, found)
    partition = best_partition(x, number, seed, one_unit=one_unit, deadline=deadline)
    return NumberOfClusters(
        n_clusters=number,
        scores=relative,
        gaussians=found.gaussians,
        labels=partition.labels,
        agreement=partition.agreement,
        parts=found.parts,
        stopped=found.stopped,
        rows=rows if rows < usual else None,
    )


def _decided(best: int, relative: dict[int, float], found: _Comparison) -> int:
    """The number by the scores, the separate parts and the Gaussians, in this order of trust."""
    peak, parts = found.gaussians, found.parts
    if peak != best:
        if parts is not None and parts >= 2 and relative.get(parts, -math.inf) > -TORN:
            return parts
        if peak is not None and relative.get(peak, -math.inf) > -DOUBT:
            return peak
    return best


def _compared(z: NDArray[np.float64], seed: int, deadline: Deadline) -> _Comparison:
    """Compare numbers from 2 on while there is time."""
    limit = min(len(np.unique(z, axis=0)) - 1, len(z) // ROWS, LAST)
    found: dict[int, float] = {}
    most = min(FIRST, limit)
    while most >= 2:
        found |= _scored(z, range(max(found, default=1) + 1, most + 1), seed, deadline)
        best = max(found, key=found.__getitem__, default=most)
        if most == limit or best < most - 1 or deadline.passed:
            break
        most = min(2 * most, limit)
    peak = gaussian_peak(z, most, seed, deadline) if found else None
    return _Comparison(found, peak, _separate_parts(z), deadline.passed)


def _separate_parts(z: NDArray[np.float64]) -> int:
    """The number of parts that neighbours do not connect, without those of a few far rows."""
    if len(z) <= SEPARATE:
        return 1
    distance, index = nearest(z, SEPARATE)
    # The tenth neighbour of a row in a small cluster lies in another one.
    near = distance <= FAR * max(np.quantile(distance[:, -1], 0.9), 1e-12)
    return int((parts_of(index, near) >= least_rows(len(z))).sum())


def _compared_on_axes(z: NDArray[np.float64], seed: int, deadline: Deadline) -> _Comparison:
    """Compare numbers by modularity while there is time."""
    limit = min(len(np.unique(z, axis=0)) - 1, len(z) // ROWS)
    pairs = mutual(nearest(z, MUTUAL)[1])
    found: dict[int, float] = {}

    def compare(number: int) -> None:
        if number not in found and not deadline.passed:
            shared = modularity(k_means(z, number, STARTS, seed), pairs)
            found[number] = SHARPNESS * math.log(max(shared, 1e-3))

    number, best = 2, 2
    while number <= limit and not deadline.passed:
        compare(number)
        best = max(found, key=found.__getitem__)
        larger = [score for c, score in found.items() if c > best]
        if len(larger) >= BEYOND and max(larger[-BEYOND:]) < found[best] - MARGIN:
            break
        number = max(number + 1, round(1.1 * number))
    for number in range(round(best / 1.1), min(round(1.1 * best), limit) + 1):
        compare(max(2, number))
    return _Comparison(dict(sorted(found.items())), None, None, deadline.passed)


def _without_far_rows(x: NDArray[np.float64], one_unit: bool) -> NDArray[np.float64]:
    """The comparable rows that have enough others in reach to be a cluster."""
    z = comparable(x, one_unit=one_unit)
    if len(z) < 2:
        return z
    reach = nearest(z, math.ceil(least_rows(len(z))) - 1)[0][:, -1]
    usual = np.quantile(reach, 0.9)
    near = reach <= FAR * usual
    return z if usual == 0 or near.all() else comparable(x[near], one_unit=one_unit)


def _scored(
    z: NDArray[np.float64], numbers: range, seed: int, deadline: Deadline
) -> dict[int, float]:
    """The score of the best candidate, by number of clusters; the first in any case."""
    pool = Pool(z, numbers[-1], seed)
    index = pool.neighbours[:, :NEIGHBOURS]
    score: dict[int, float] = {}
    # Coarsely at first, in case the time is up before all of them are compared.
    for c in (*numbers[::4], *numbers[2::4], *numbers[1::2]):
        score[c] = best_score(index, pool.candidates(c)) + FINER * math.log(c)
        if deadline.passed:
            break
    return {c: value for c, value in sorted(score.items()) if value > -math.inf}
