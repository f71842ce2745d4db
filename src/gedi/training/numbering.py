"""Numbering: clusters get the numbers that an earlier model gave them.

The numbers of clusters are arbitrary, so a second training on more data numbers them differently.
This module matches them. Two clusters are the same if they share most of their points,

    shared_ij = Σ_x w(x) [x is in old i and in new j],    w(x) = max_y p_old(y|x) max_y p(y|x),
    overlap_ij = shared_ij / (old_i + new_j - shared_ij),

and the Hungarian method pairs them so that the sum of shared_ij is largest. Points count in
proportion to the certainty of both models; with a product of all posteriors, fuzzy clusters would
not match themselves. Any pair that overlaps by more than a half is in that pairing, and only such a
pair counts as the same cluster (Hennig, Computational Statistics & Data Analysis 52, 2007, calls
the others dissolved).

Points that the earlier model does not know are left out, because it puts them in some cluster too.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Generator

from gedi.data.dataset import Values
from gedi.data.points import Points, affordable
from gedi.errors import DataError
from gedi.model import renumber_head
from gedi.training.trained import TrainedModel

__all__ = ["Numbering", "Reference", "aligned", "describe", "matched", "recall"]

_POINTS = 5_000  # points that are compared
_FEWEST = 0.05  # if a smaller share of them is known, all are used
_UNUSUAL = 0.05  # p-value up to which a point is an outlier to the earlier model
_SAME = 0.5  # overlap above which two clusters are the same


@dataclass(frozen=True)
class Reference:
    """The predictions of an earlier model for some points.

    Args:
        rows: their places in the data, (m,).
        posteriors: p_old(y|x), (m, c_old).
        name: the name of the earlier model, for reports.
    """

    rows: NDArray[np.int64]
    posteriors: NDArray[np.floating]
    name: str = "before"


@dataclass(frozen=True)
class Numbering:
    """The correspondence between the clusters of a model and those of an earlier one.

    Attributes:
        order: the place of each cluster in the network before it got its number, (c,).
        former: the number of the same cluster in the earlier model, -1 where there is none, (c,).
        overlap: the overlap with the paired cluster, from 0 to 1, (c,).
        n_before: the number of clusters of the earlier model, c_old.
        name: the name of the earlier model.
    """

    order: NDArray[np.int64]
    former: NDArray[np.int64]
    overlap: NDArray[np.float64]
    n_before: int
    name: str = "before"


def recall(
    trained: TrainedModel,
    x: Values,
    *,
    seed: int,
    limit: float = math.inf,
    names: Sequence[str] = (),
    known_names: Sequence[str] = (),
    name: str = "before",
) -> Reference:
    """The predictions of an earlier model for up to 5,000 random points that it knows.

    Args:
        trained: the earlier model.
        x: points in the user's units, (n, d).
        seed: determines the random points.
        limit: the energy in nats above which the model does not know a point.
        names: the names of the columns of x; may be empty.
        known_names: the names of the columns that the model was trained on, in any order; may be
            empty.
        name: the name of the model, for reports.

    Raises:
        DataError: for points that the model cannot read.
    """
    columns = _columns(x.shape[1], trained.box.low.numel(), names, known_names, name)
    generator = Generator().manual_seed(seed)
    most = affordable(_POINTS, x.shape[1])
    rows = torch.randperm(len(x), generator=generator)[:most].sort().values.numpy()
    points = np.asarray(x[rows] if columns is None else x[rows][:, columns])
    prediction = trained.predict(points)
    known = trained.box.contains(trained.scaling(points)).numpy() & (prediction.energy <= limit)
    if trained.outliers is not None:
        known &= trained.outlier_p_values(trained.outlier_scores(points)) > _UNUSUAL
    if known.mean() < _FEWEST:  # too few to rely on
        known[:] = True
    return Reference(rows[known], prediction.probabilities[known], name)


def _columns(
    n: int, n_known: int, names: Sequence[str], known_names: Sequence[str], name: str
) -> list[int] | None:
    """Places of the columns that the earlier model reads; None for all columns in order."""
    if names and known_names:
        missing = [column for column in known_names if column not in names]
        if missing:
            raise DataError(
                f"{name}: was trained on columns that these data lack, so clusters cannot keep "
                f"their numbers: {', '.join(missing[:12])}; leave out `like`, or add them"
            )
        return None if names == known_names else [names.index(column) for column in known_names]
    if n != n_known:
        raise DataError(
            f"{name}: was trained on {n_known} features, and these data have {n}, so clusters "
            "cannot keep their numbers; leave out `like`, or change the data to that shape"
        )
    return None


def matched(before: NDArray[np.floating], now: NDArray[np.floating], name: str = "") -> Numbering:
    """Give clusters the numbers of the same clusters of an earlier model.

    A pair keeps its number if that is below c; all other clusters get the free numbers, from the
    largest cluster to the smallest.

    Args:
        before: p_old(y|x) of points, (m, c_old).
        now: p(y|x) of the same points, (m, c).
        name: the name of the earlier model.
    """
    n_before, n_now = before.shape[1], now.shape[1]
    shared = np.zeros((n_before, n_now))
    np.add.at(shared, (before.argmax(1), now.argmax(1)), before.max(1) * now.max(1))
    sizes = shared.sum(0)
    union = shared.sum(1, keepdims=True) + sizes - shared
    overlap = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    pairs = list(zip(*linear_sum_assignment(shared, maximize=True), strict=True))
    pairs.sort(key=lambda pair: -overlap[pair])
    places: dict[int, int] = {int(old): int(new) for old, new in pairs if old < n_now}
    free = [number for number in range(n_now) if number not in places]
    rest = [int(new) for new in np.argsort(-sizes, kind="stable") if new not in places.values()]
    places |= dict(zip(free, rest, strict=True))
    order = np.array([places[number] for number in range(n_now)], np.int64)
    former, how_much = np.full(n_now, -1), np.zeros(n_now)
    for old, new in pairs:
        former[new] = old if overlap[old, new] > _SAME else -1
        how_much[new] = overlap[old, new]
    return Numbering(order, former[order], how_much[order], n_before, name)


@torch.no_grad()
def aligned(
    trained: TrainedModel, reference: Reference, data: Points
) -> tuple[TrainedModel, Numbering]:
    """A trained model whose clusters have the numbers of an earlier one.

    Returns:
        The renumbered model, and the correspondence of its clusters to the earlier ones.
    """
    z = data[torch.from_numpy(reference.rows).to(data.device)].cpu()
    now = torch.cat([trained.model.posterior(part) for part in torch.split(z, 500)])
    numbering = matched(reference.posteriors, now.double().numpy(), reference.name)
    order = torch.from_numpy(numbering.order)
    model = renumber_head(copy.deepcopy(trained.model), order)
    outliers = copy.deepcopy(trained.outliers)
    if outliers is not None:
        outliers.clusters = order.argsort()[outliers.clusters]
    log_prior = trained.log_prior[order]
    return replace(trained, model=model, log_prior=log_prior, outliers=outliers), numbering


def describe(numbering: Numbering) -> str:
    """A sentence on which clusters correspond to earlier ones, with their overlap."""
    same = numbering.former == np.arange(len(numbering.former))
    parts = []
    if same.any():
        kept = [f"{i} ({numbering.overlap[i]:.2f})" for i in np.flatnonzero(same)]
        parts.append(f"kept, with their overlap from 0 to 1: {', '.join(kept)}")
    moved = np.flatnonzero((numbering.former >= 0) & ~same)
    if len(moved):
        pairs = [f"{numbering.former[i]} is now {i} ({numbering.overlap[i]:.2f})" for i in moved]
        parts.append(f"moved, as there are fewer clusters: {', '.join(pairs)}")
    new = [str(i) for i in np.flatnonzero(numbering.former < 0)]
    if new:
        parts.append(f"new, or another than before: {', '.join(new)}")
    gone = sorted(set(range(numbering.n_before)) - set(numbering.former.tolist()))
    if gone:
        parts.append(f"gone: {', '.join(map(str, gone))}")
    return f"Numbers of clusters as in {numbering.name}: {'; '.join(parts)}."
