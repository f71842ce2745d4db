"""A suggested number of clusters, from trainings on halves of the data.

If the data have c clusters, trainings on different halves find the same ones: the adjusted Rand
index between two trainings is near 1. In addition, the clusters carry information about points that
were not trained on, at most log c nats:

    told = log c - gap,

where the collapse gap is measured on the other half. Up to the number of clusters in the data,
`told` grows as fast as log c. Beyond it, boundaries cut through clusters: points near a boundary
change sides under the views, each half places the boundary elsewhere, and `told` stops growing.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from sklearn.metrics import adjusted_rand_score

from gedi import phrases
from gedi.sweeps.halves import Cell

__all__ = ["Advice", "Row", "advise", "rows_of"]

_STABLE = 0.9  # adjusted Rand index above which halves agree
_REAL = 0.7  # share of the growth of log c above which a finer number gains information
_IDLE = 0.3  # share below which it does not


class Row(NamedTuple):
    """The trainings at one number of clusters, summarised.

    Attributes:
        n_clusters: number of clusters, c.
        n_cells: number of trainings.
        collapse_gap: mean over the trainings, in nats, minus the (c - 1) / 2m that m points leave
            by chance.
        told: log c minus the collapse gap, in nats.
        told_spread: its standard deviation over the trainings.
        stability: mean adjusted Rand index over pairs of trainings; NaN for one training.
        least_stability: the lowest adjusted Rand index of a pair.
        used: number of clusters that hold a point, averaged over the trainings.
        log_density: mean over the trainings, in nats; NaN if log Z is not known.
    """

    n_clusters: int
    n_cells: int
    collapse_gap: float
    told: float
    told_spread: float
    stability: float
    least_stability: float
    used: float
    log_density: float


class Advice(NamedTuple):
    """The suggested number of clusters, if there is one.

    Attributes:
        n_clusters: the number that stands out; None if it is not clear.
        text: the reasons, in sentences.
    """

    n_clusters: int | None
    text: str


def rows_of(cells: Sequence[Cell]) -> list[Row]:
    """One row for each number of clusters, in ascending order."""
    return [
        _row([cell for cell in cells if cell.n_clusters == c])
        for c in sorted({cell.n_clusters for cell in cells})
    ]


def _row(cells: Sequence[Cell]) -> Row:
    c = cells[0].n_clusters
    gaps = [cell.collapse_gap - (c - 1) / (2 * cell.n_unseen) for cell in cells]
    agreements = [
        float(adjusted_rand_score(a.clusters, b.clusters)) for a, b in combinations(cells, 2)
    ]
    gap = max(0.0, float(np.mean(gaps)))
    return Row(
        n_clusters=c,
        n_cells=len(cells),
        collapse_gap=gap,
        told=math.log(c) - gap,
        told_spread=float(np.std(gaps)),
        stability=float(np.mean(agreements)) if agreements else math.nan,
        least_stability=min(agreements, default=math.nan),
        used=float(np.mean([len(np.unique(cell.clusters)) for cell in cells])),
        log_density=float(np.mean([cell.log_density for cell in cells])),
    )


def advise(rows: Sequence[Row]) -> Advice:
    """The number of clusters that stands out, or why none does.

    It is the smallest number beyond which `told` hardly grows: by less than 0.3 of the growth of
    log c, after at least 0.7 of it in the step from the number tried before. In addition, its
    clusters must be found again in other halves. The largest number tried never stands out, as
    nothing is known about larger ones.

    Args:
        rows: of a sweep, in ascending order of the number of clusters.
    """
    if len(rows) < 2:
        return Advice(None, "Not clear: one number cannot be compared with others. Try several.")
    if any(row.n_cells < 2 for row in rows):
        return Advice(
            None, "Not clear yet: some numbers were trained only once. Continue the sweep."
        )
    place = next(k for k in range(len(rows)) if _largest_gain(rows[k], rows[k + 1 :]) < _REAL)
    best, finer = rows[place], rows[place + 1 :]
    evidence = (
        f"{best.n_clusters} clusters carry {best.told:.2f} nats of information about a point that "
        f"was not trained on, of at most {math.log(best.n_clusters):.2f}, and trainings on "
        f"different halves of the data agree with an adjusted Rand index of {best.stability:.2f}"
    )
    if not finer:
        return Advice(
            None, f"Not clear: {evidence}, but that is the largest number tried. Try larger ones."
        )
    reached = _gain(rows[place - 1], best) if place else best.told / math.log(best.n_clusters)
    if reached < _REAL or best.stability < _STABLE:
        stable = max(rows, key=lambda row: row.stability)
        return Advice(
            None,
            f"Not clear: more than {best.n_clusters} clusters gain little, but {evidence}; that is "
            f"too little for clusters that are in the data. The most stable number is "
            f"{stable.n_clusters}, with an index of {stable.stability:.2f}. Perhaps there are no "
            "clusters of similar size; otherwise try longer trainings, a learned prior, or other "
            "views.",
        )
    rivals = [row.n_clusters for row in finer if _gain(best, row) > _IDLE]
    if rivals:
        numbers = phrases.sentence_list(map(str, [best.n_clusters, *rivals]))
        return Advice(
            None,
            f"Not clear between {numbers}: {evidence}, and finer clusters carry somewhat more. "
            "Look at the members of the groups, and choose by what you need them for.",
        )
    return Advice(
        best.n_clusters,
        f"{best.n_clusters} stands out among the numbers tried: {evidence}; finer clusters carry "
        "hardly more. This assumes that clusters have the sizes of the prior and that views do not "
        "change clusters. Whether the groups mean anything is another question: look at their "
        "members.",
    )


def _gain(coarse: Row, fine: Row) -> float:
    """The growth of `told` with finer clusters, as a share of the growth of log c."""
    return (fine.told - coarse.told) / math.log(fine.n_clusters / coarse.n_clusters)


def _largest_gain(coarse: Row, finer: Sequence[Row]) -> float:
    return max((_gain(coarse, fine) for fine in finer), default=-math.inf)
