"""Growth: the clusters of a trained model, and new ones among new rows, from which to start.

A training on grown data starts from a partition: rows that the model knows have its clusters, so
that nothing is forgotten, and dense groups of rows where no old ones are, are new clusters. A new
row is unknown if its k nearest neighbours among old and new rows are all new, with the least k from
10 on for which

    (1 - s)^k <= 0.001,    s: the share of old rows,

which hardly happens by chance where old and new rows are mixed. A group is a connected component of
the graph of the five nearest neighbours of unknown rows; more than 70 % of the neighbours of its
rows are in it, unlike in a cluster that grew, some of whose rows have only new neighbours too.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from scipy.sparse.csgraph import connected_components

from gedi.data.dataset import Values
from gedi.data.points import Points
from gedi.errors import DataError, RunError
from gedi.partitions.neighbours import connected, nearest
from gedi.training.starts import FoundNumber, Partition, principal_axes
from gedi.training.trained import TrainedModel
from gedi.untrusted import refuse_special

__all__ = ["Carried", "carried_partition", "carry", "load_carried", "of_found", "save_carried"]

_ROWS = 2500  # of old and of new rows in the partition, at most
_CHANCE = 0.001  # that a row has only new neighbours among mixed rows
_NEAREST = 10  # neighbours that decide whether a row is unknown, at least
_JOINED = 5  # nearest unknown rows that are in one group with a row
_INSIDE = 0.7  # share of the neighbours of a group that are in it
_LEAST = 10  # rows of a new cluster
_LEAST_SHARE = 0.01  # of the new rows in it
_TIES = 1e-6  # by which rows that are the same are told apart, in scaled units
_NO_EDGES = np.empty((0, 2), np.int64)  # beside those of neighbours
_AXES = 50  # principal axes along which rows are compared, with more features


class Carried(NamedTuple):
    """Clusters of some rows, from which a training starts.

    Attributes:
        rows: their places in the data, (m,).
        codes: their clusters, (m,).
        shares: the share of all rows in each cluster, (c,).
        agreement: that of the partition; see `gedi.training.starts.Partition`.
    """

    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    shares: NDArray[np.float64]
    agreement: float | None = None

    @property
    def n_clusters(self) -> int:
        """The number of clusters, c."""
        return len(self.shares)


def carry(
    trained: TrainedModel, x: Values, n_before: int, *, seed: int, n_seen: int | None = None
) -> Carried:
    """The clusters of a trained model and new ones, for some of the old and the new rows.

    Args:
        trained: the model.
        x: old rows, then new rows, in the user's units, (n, d).
        n_before: the number of old rows.
        seed: determines which of the rows are used.
        n_seen: the number of rows of which the old ones are a sample; None if they are all.

    Raises:
        DataError: for a model without p-values, as of images, or for fewer than 10 new rows.
    """
    if trained.outliers is None:
        raise DataError("expected a model of rows of numbers, which knows how unusual rows are")
    if len(x) - n_before < _LEAST:
        raise DataError(
            f"expected at least {_LEAST} new rows, got {len(x) - n_before}: wait for more; until "
            "then, the model predicts their clusters"
        )
    rng = np.random.default_rng(seed)
    old, new = np.arange(n_before), np.arange(n_before, len(x))
    old, new = (np.sort(rng.permutation(rows)[:_ROWS]) for rows in (old, new))
    rows = np.concatenate([old, new])
    points = np.asarray(x[rows])
    codes = trained.clusters(points)
    is_new = rows >= n_before
    groups, unknown = _appeared(trained, points, is_new, seed)
    in_group = groups >= 0
    codes[in_group] = trained.n_clusters + groups[in_group]
    n_clusters = trained.n_clusters + int(groups.max()) + 1
    strays = unknown & ~in_group
    counts = [np.bincount(codes[side], minlength=n_clusters) for side in (~is_new, is_new)]
    sizes = [n_before if n_seen is None else n_seen, len(x) - n_before]
    shares = sum(
        size * count / max(1, count.sum()) for size, count in zip(sizes, counts, strict=True)
    )
    shares = np.maximum(shares, 1.0)  # a cluster without rows counts as one row
    return Carried(rows[~strays], codes[~strays], shares / shares.sum())


def _appeared(
    trained: TrainedModel, x: Values, is_new: NDArray[np.bool_], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The new group of each row (m, d), -1 for none; and whether it is unknown."""
    scaled = trained.scaling(x)
    if scaled.shape[1] > _AXES:
        axes = principal_axes(scaled, _AXES, seed)
        scaled = (scaled - axes.centre) @ axes.axes
    z = scaled.double().numpy()
    z = z + _TIES * np.random.default_rng(seed).normal(size=z.shape)
    k = max(_NEAREST, math.ceil(math.log(_CHANCE) / math.log(is_new.mean())))
    _, index = nearest(z, k)
    unknown = is_new & is_new[index].all(1)
    groups = np.full(len(z), -1)
    places = np.flatnonzero(unknown)
    least = max(_LEAST, int(_LEAST_SHARE * is_new.sum()))
    if len(places) < least:
        return groups, unknown
    _, joined = nearest(z[places], _JOINED)
    _, parts = connected_components(connected(joined, _NO_EDGES), directed=False)
    n_groups = 0
    for part in range(parts.max() + 1):
        members = places[parts == part]
        if len(members) >= least and np.isin(index[members], members).mean() > _INSIDE:
            groups[members] = n_groups
            n_groups += 1
    return _with_borders(groups, index, is_new), unknown


def _with_borders(
    groups: NDArray[np.int64], index: NDArray[np.int64], is_new: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Groups (m,) with the new rows most of whose neighbours are in one."""
    n_groups = groups.max() + 1
    if n_groups == 0:
        return groups
    votes = np.stack([(groups[index] == group).mean(1) for group in range(n_groups)], 1)
    joins = is_new & (groups < 0) & (votes.max(1) > 0.5)
    return np.where(joins, votes.argmax(1), groups)


def carried_partition(carried: Carried, data: Points) -> Partition:
    """The partition from which a network starts.

    Args:
        carried: the clusters of some points.
        data: all points.
    """
    x = data[torch.from_numpy(carried.rows).to(data.device)]
    log_shares = torch.from_numpy(carried.shares).log().float()
    codes = torch.from_numpy(carried.codes).to(x.device)
    return Partition(x, codes, log_shares, carried.agreement)


def of_found(found: FoundNumber) -> Carried:
    """The partition that came with the number of clusters, to start from it again."""
    number = found.number
    counts = np.bincount(number.labels, minlength=number.n_clusters).clip(1)
    return Carried(found.rows, number.labels, counts / counts.sum(), number.agreement)


def save_carried(carried: Carried, file: Path) -> None:
    """Write the clusters from which a training starts.

    Raises:
        OSError: if the disk is full.
    """
    values = {name: value for name, value in carried._asdict().items() if value is not None}
    file.write_bytes(save({name: np.ascontiguousarray(value) for name, value in values.items()}))


def load_carried(file: Path, n_rows: int) -> Carried:
    """Read a file that `save_carried` wrote.

    Args:
        file: the path of the file.
        n_rows: the number of rows of the data.

    Raises:
        RunError: if the file cannot be read, or belongs to other data.
    """
    try:
        refuse_special(file)
        arrays = load_file(file)
        agreement = arrays.pop("agreement", None)
        found = Carried(**arrays, agreement=None if agreement is None else float(agreement.item()))
        rows, codes, shares, _ = found
        if [array.ndim for array in found[:3]] != [1, 1, 1] or len(rows) != len(codes):
            raise ValueError("expected places and clusters of rows, and shares of clusters")
        if [array.dtype.name for array in found[:3]] != ["int64", "int64", "float64"]:
            raise ValueError("expected whole numbers, and shares in 64 bits")
        if not ((rows >= 0) & (rows < n_rows)).all():
            raise ValueError(f"rows: expected places from 0 to {n_rows - 1}")
        if not ((codes >= 0) & (codes < len(shares))).all():
            raise ValueError(f"codes: expected clusters from 0 to {len(shares) - 1}")
        if not (np.isfinite(shares).all() and (shares > 0).all()):
            raise ValueError("shares: expected positive numbers")
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
    return found
