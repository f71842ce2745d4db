"""How many clusters? Trainings on halves of the data at each number, and what they agree on.

A number of clusters that is in the data is found again in another half of them, from another start:
what two trainings call one cluster is the same (the adjusted Rand index between them is near 1).
And the clusters tell much of a point that they were not trained on, of log c nats at most:

    told = log c - gap,

with the collapse gap on the other half. Up to the number that is in the data, finer clusters tell
more, as much as log c grows; beyond it boundaries run through clusters, where points change sides
under the views and other halves draw them elsewhere, and what is told grows no more.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from gedi import phrases
from gedi.data import Values
from gedi.errors import DataError, SettingsError
from gedi.evaluation.measures import usual_gap
from gedi.training.trained import TrainedModel

__all__ = ["Advice", "Cell", "Row", "Train", "advise", "check_sweep", "half", "rows_of", "sweep"]

STABLE = 0.9  # adjusted Rand index, from where on halves say the same
_REAL = 0.7  # of the growth of log c, from where on a finer number tells more
_IDLE = 0.3  # up to where it does not

Train = Callable[[int, NDArray[np.int64], int], TrainedModel]
"""From a number of clusters, the rows to train on, and a seed, to a model."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One training of a sweep: at one number of clusters, on one half of the points.

    Args:
        n_clusters: c.
        part: which half, from 0 on.
        collapse_gap: in nats, on the points of the other half, under the default views.
        log_density: mean over the other half, in nats; NaN where log Z is not known.
        n_unseen: points of the other half.
        clusters: of all points, (n,).
    """

    n_clusters: int
    part: int
    collapse_gap: float
    log_density: float
    n_unseen: int
    clusters: NDArray[np.int64]


class Row(NamedTuple):
    """What the trainings at one number of clusters say together.

    Attributes:
        n_clusters: c.
        n_cells: trainings.
        collapse_gap: mean over them, in nats, less the (c - 1) / 2m that m points leave by chance.
        told: log c less that, in nats.
        told_spread: standard deviation over the trainings.
        stability: mean adjusted Rand index of each two; NaN for one training.
        least_stability: of the two that differ most.
        used: clusters that hold a point, the mean over the trainings.
        log_density: mean over them, in nats; NaN where log Z is not known.
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
    """A suggestion, or that there is none.

    Attributes:
        n_clusters: the number that stands out; None where it is not clear.
        text: what that rests on, in sentences.
    """

    n_clusters: int | None
    text: str


def check_sweep(n_points: int, n_clusters: Sequence[int], n_parts: int) -> list[int]:
    """The numbers of clusters in ascending order, each once.

    Args:
        n_points: n.
        n_clusters: to try.
        n_parts: halves to train on at each.

    Raises:
        SettingsError: for numbers below 2, none at all, or fewer than 2 parts.
        DataError: for fewer points in a half than clusters.
    """
    wanted = sorted(set(n_clusters))
    if not wanted or wanted[0] < 2:
        raise SettingsError(
            f"n_clusters: expected whole numbers of at least 2, got {list(n_clusters)}"
        )
    if n_parts < 2:
        raise SettingsError(f"n_parts: expected at least 2, whose clusters compare, got {n_parts}")
    if n_points // 2 < wanted[-1]:
        raise DataError(
            f"expected at least {2 * wanted[-1]} points for {wanted[-1]} clusters in each half, "
            f"got {n_points}"
        )
    return wanted


def half(n_points: int, part: int, seed: int) -> NDArray[np.int64]:
    """Rows of one half of the points, ascending; parts 0 and 1, 2 and 3, ... share none.

    Args:
        n_points: n.
        part: which.
        seed: of all halves.
    """
    order = np.random.default_rng([seed, part // 2]).permutation(n_points)
    middle = n_points // 2
    return np.sort(order[:middle] if part % 2 == 0 else order[middle:])


def sweep(
    train: Train,
    x: Values,
    n_clusters: Sequence[int],
    *,
    image_shape: tuple[int, int, int] | None = None,
    n_parts: int = 3,
    seed: int = 0,
    done: Mapping[tuple[int, int], Cell] | None = None,
) -> Iterator[Cell]:
    """Train on halves of the points at each number of clusters.

    All numbers come once before any comes again, so that what is there when a sweep is stopped can
    be compared.

    Args:
        train: trains one cell.
        x: points in the user's units, (n, d).
        n_clusters: to try.
        image_shape: (C, H, W) if the points are images.
        n_parts: halves to train on at each.
        seed: of halves and trainings.
        done: cells by their number of clusters and part, which are taken as they are.

    Yields:
        Cells, the taken ones as well.

    Raises:
        SettingsError: see `check_sweep`.
        DataError: see `check_sweep`.
    """
    wanted = check_sweep(len(x), n_clusters, n_parts)
    known = done or {}
    for part in range(n_parts):
        rows = half(len(x), part, seed)
        for c in wanted:
            if (c, part) in known:
                yield known[c, part]
                continue
            trained = train(c, rows, seed + part)
            yield _measured(trained, x, np.setdiff1d(np.arange(len(x)), rows), image_shape, part)


def _measured(
    trained: TrainedModel,
    x: Values,
    unseen: NDArray[np.int64],
    image_shape: tuple[int, int, int] | None,
    part: int,
) -> Cell:
    prediction = trained.predict(x)
    known = trained.normalizer is not None and trained.normalizer.trusted
    return Cell(
        n_clusters=trained.n_clusters,
        part=part,
        collapse_gap=usual_gap(trained, x[unseen], image_shape),
        log_density=float(prediction.log_density[unseen].mean()) if known else math.nan,
        n_unseen=len(unseen),
        clusters=prediction.clusters,
    )


def rows_of(cells: Sequence[Cell]) -> list[Row]:
    """One row for each number of clusters, ascending."""
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

    It is the smallest beyond which clusters tell hardly more: less than 0.3 of what log c grows by,
    while the step to it from the number tried before tells 0.7 of that or more. And its clusters
    must be found again in other halves. The largest number tried never stands out: nobody knows
    what comes after it.

    Args:
        rows: of a sweep, by number of clusters.
    """
    if len(rows) < 2:
        return Advice(None, "Not clear: one number alone compares with nothing. Try several.")
    if any(row.n_cells < 2 for row in rows):
        return Advice(None, "Not clear yet: some numbers were trained only once. Go on.")
    place = next(k for k in range(len(rows)) if _largest_gain(rows[k], rows[k + 1 :]) < _REAL)
    best, finer = rows[place], rows[place + 1 :]
    evidence = (
        f"{best.n_clusters} clusters tell {best.told:.2f} nats of a point that was not trained on, "
        f"of at most {math.log(best.n_clusters):.2f}, and trainings on other halves of the data "
        f"agree to {best.stability:.2f} (adjusted Rand index)"
    )
    if not finer:
        return Advice(
            None, f"Not clear: {evidence}, but that is the largest number tried. Try larger ones."
        )
    reached = _gain(rows[place - 1], best) if place else best.told / math.log(best.n_clusters)
    if reached < _REAL or best.stability < STABLE:
        stable = max(rows, key=lambda row: row.stability)
        return Advice(
            None,
            f"Not clear: beyond {best.n_clusters} little is gained, but {evidence}; for clusters "
            f"that are in the data that is too little. What is found again best is "
            f"{stable.n_clusters}, to {stable.stability:.2f}. There may be no clusters of about "
            "equal size; else try longer trainings, a prior that is learned, or other views.",
        )
    rivals = [row.n_clusters for row in finer if _gain(best, row) > _IDLE]
    if rivals:
        numbers = phrases.sentence_list(map(str, [best.n_clusters, *rivals]))
        return Advice(
            None,
            f"Not clear between {numbers}: {evidence}, and finer clusters tell somewhat more. "
            "Choose by what the groups are for, and look at their members.",
        )
    return Advice(
        best.n_clusters,
        f"{best.n_clusters} stands out among the numbers tried: {evidence}; finer clusters tell "
        "hardly more. That supposes clusters as large as the prior says, and views that leave them "
        "alone; it does not say that the groups mean anything: look at their members.",
    )


def _gain(coarse: Row, fine: Row) -> float:
    """What finer clusters tell more, as a share of what log c grows by."""
    return (fine.told - coarse.told) / math.log(fine.n_clusters / coarse.n_clusters)


def _largest_gain(coarse: Row, finer: Sequence[Row]) -> float:
    return max((_gain(coarse, fine) for fine in finer), default=-math.inf)
