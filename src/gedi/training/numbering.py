"""Numbering: clusters get the numbers that an earlier model gave them.

Numbers of clusters are names without meaning, so a second training, of data that have grown, gives
others. Here they are matched: two clusters are the same where they share most of their points,

    shared_ij = Σ_x w(x) [x is in i of old and in j],    w(x) = max_y p_old(y|x) max_y p(y|x),
    overlap_ij = shared_ij / (old_i + new_j - shared_ij),

and the Hungarian method pairs them so that the most is shared in all. Points count as far as both
models are sure of them; a product of all posteriors instead would find fuzzy clusters unlike
themselves. Any pair that overlaps by more than a half is in that pairing whatever the others are,
and only such a pair counts as the same cluster (Hennig, Computational Statistics & Data Analysis
52, 2007, calls the others dissolved).

Points unlike all that the earlier model has seen are left out, as it calls them something, too.
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

__all__ = ["Numbering", "Reference", "aligned", "matched", "recall", "told"]

_POINTS = 5_000  # that are compared
_FEWEST = 0.05  # share of them that has to be known for known and unknown to be told apart
_SAME = 0.5  # overlap


@dataclass(frozen=True)
class Reference:
    """What an earlier model says of some points.

    Args:
        rows: their places in the data, (m,).
        posteriors: p_old(y|x), (m, c_old).
        name: of the earlier model, for reports.
    """

    rows: NDArray[np.int64]
    posteriors: NDArray[np.floating]
    name: str = "before"


@dataclass(frozen=True)
class Numbering:
    """Which cluster is which of the earlier model's.

    Attributes:
        order: the place that each cluster had in the network before it got its number, (c,).
        former: the number of the same cluster in the earlier model, -1 where there is none, (c,).
        overlap: with the cluster it was paired with, from 0 to 1, (c,).
        n_before: c_old.
        name: of the earlier model.
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
    """What an earlier model says of up to 5,000 points that it knows, at random.

    Args:
        trained: the earlier model.
        x: points in the user's units, (n, d).
        seed: which of them.
        limit: energy, in nats, above which points are unlike those that it was trained on.
        names: of the columns of x; may be empty.
        known_names: of the columns that the model was trained on, in any order; may be empty.
        name: of the model, for reports.

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
    if known.mean() < _FEWEST:  # then that tells nothing
        known[:] = True
    return Reference(rows[known], prediction.probabilities[known], name)


def _columns(
    n: int, n_known: int, names: Sequence[str], known_names: Sequence[str], name: str
) -> list[int] | None:
    """Places of the columns that the earlier model reads; None where they are all, in order."""
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
            "cannot keep their numbers; leave out `like`, or bring the data to that shape"
        )
    return None


def matched(before: NDArray[np.floating], now: NDArray[np.floating], name: str = "") -> Numbering:
    """Number clusters as an earlier model did, where they are the same.

    A pair keeps its number if there is one of that number; all others get the free ones, from the
    largest cluster to the smallest.

    Args:
        before: p_old(y|x) of points, (m, c_old).
        now: p(y|x) of the same points, (m, c).
        name: of the earlier model.
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

    Args:
        trained: on the CPU; it is not changed.
        reference: what the earlier model says of some of the data.
        data: what the model was trained on, scaled.
    """
    z = data[torch.from_numpy(reference.rows).to(data.device)].cpu()
    now = torch.cat([trained.model.posterior(part) for part in torch.split(z, 500)])
    numbering = matched(reference.posteriors, now.double().numpy(), reference.name)
    order = torch.from_numpy(numbering.order)
    model = renumber_head(copy.deepcopy(trained.model), order)
    return replace(trained, model=model, log_prior=trained.log_prior[order]), numbering


def told(numbering: Numbering) -> str:
    """In a sentence: which clusters are those of before, and how sure that is."""
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
