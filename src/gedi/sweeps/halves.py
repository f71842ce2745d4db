"""Trainings on halves of the data at several numbers of clusters.

Two trainings on different halves, from different starts, can be compared through the clusters that
they give to all points, and each is measured on the half that it was not trained on.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gedi.data.dataset import Values
from gedi.errors import DataError, SettingsError
from gedi.evaluation.measures import usual_gap
from gedi.training.trained import TrainedModel

__all__ = ["Cell", "Train", "check_sweep", "half", "sweep"]

Train = Callable[[int, NDArray[np.int64], int], TrainedModel]
"""Trains a model, given a number of clusters, the rows to train on, and a seed."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One training of a sweep: at one number of clusters, on one half of the points.

    Args:
        n_clusters: number of clusters, c.
        part: number of the half, from 0.
        collapse_gap: in nats, on the points of the other half, under the default views.
        log_density: mean over the other half, in nats; NaN if log Z is not known.
        n_unseen: number of points in the other half.
        clusters: clusters of all points, (n,).
    """

    n_clusters: int
    part: int
    collapse_gap: float
    log_density: float
    n_unseen: int
    clusters: NDArray[np.int64]


def check_sweep(n_points: int, n_clusters: Sequence[int], n_parts: int) -> list[int]:
    """Returns the numbers of clusters in ascending order without duplicates.

    Raises:
        SettingsError: for numbers below 2, no numbers, or fewer than 2 parts.
        DataError: if a half has fewer points than clusters.
    """
    wanted = sorted(set(n_clusters))
    if not wanted or wanted[0] < 2:
        raise SettingsError(
            f"n_clusters: expected whole numbers of at least 2, got {list(n_clusters)}"
        )
    if n_parts < 2:
        raise SettingsError(
            f"n_parts: expected at least 2, so that clusters can be compared, got {n_parts}"
        )
    if n_points // 2 < wanted[-1]:
        raise DataError(
            f"expected at least {2 * wanted[-1]} points for {wanted[-1]} clusters in each half, "
            f"got {n_points}"
        )
    return wanted


def half(n_points: int, part: int, seed: int) -> NDArray[np.int64]:
    """Rows of one half of the points, ascending; halves 0 and 1, 2 and 3, ... are disjoint."""
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

    Every number is trained once before any is trained again, so a sweep that is stopped early can
    be compared too.

    Args:
        train: trains one cell.
        x: points in the user's units, (n, d).
        n_clusters: numbers of clusters to try.
        image_shape: (C, H, W) if the points are images.
        n_parts: number of halves to train on at each.
        seed: of halves and trainings.
        done: cells by number of clusters and part, which are not trained again.

    Yields:
        All cells, including those in `done`.

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
