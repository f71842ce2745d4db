"""Growth: the clusters of a trained model, and new ones among new rows, from which to start.

A training on grown data starts from a partition: rows that the model knows have its clusters, so
that nothing is forgotten, and dense groups of rows that it does not know are new clusters. Whether
there are such rows is a test: the held-out p-values of rows like those of the training are uniform,

    #{i : p_i <= a} - a n  >  3 sqrt( a (1 - a) n (1 + n / m) ),

with n new rows and m held-out ones. The groups are clusters of HDBSCAN (Campello et al., PAKDD
2013) on old and new rows together, most of whose rows are unknown: scattered outliers are noise.
New clusters among the rows of old ones are not found in this way.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from gedi.data.dataset import Values
from gedi.data.points import Points
from gedi.errors import DataError, RunError
from gedi.training.starts import Partition, principal_axes
from gedi.training.trained import TrainedModel
from gedi.untrusted import refuse_special

__all__ = ["Carried", "carried_partition", "carry", "load_carried", "save_carried"]

_ROWS = 2500  # of old and of new rows in the partition, at most
_UNKNOWN = 0.01  # p-value up to which the model does not know a row
_LEAST = 10  # rows of a new cluster
_LEAST_SHARE = 0.01  # of the new rows in it
_AXES = 50  # principal axes along which rows are compared, with more features


class Carried(NamedTuple):
    """Clusters of some rows, from which a training starts.

    Attributes:
        rows: their places in the data, (m,).
        codes: their clusters, (m,).
        shares: the share of all rows in each cluster, (c,).
    """

    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    shares: NDArray[np.float64]

    @property
    def n_clusters(self) -> int:
        """The number of clusters, c."""
        return len(self.shares)


def carry(trained: TrainedModel, x: Values, n_before: int, *, seed: int) -> Carried:
    """The clusters of a trained model and new ones, for some of the old and the new rows.

    Args:
        trained: the model.
        x: old rows, then new rows, in the user's units, (n, d).
        n_before: the number of old rows.
        seed: determines which of the rows are used.

    Raises:
        DataError: for a model without p-values, as of images; without rows that it knows; or
            for fewer than 10 new rows.
    """
    if trained.outliers is None:
        raise DataError("expected a model of rows of numbers, which knows how unusual rows are")
    if len(x) - n_before < _LEAST:
        raise DataError(
            f"expected at least {_LEAST} new rows, got {len(x) - n_before}: wait for more; until "
            "then, `gedi predict` finds their clusters"
        )
    rng = np.random.default_rng(seed)
    old, new = np.arange(n_before), np.arange(n_before, len(x))
    old, new = (np.sort(rng.permutation(rows)[:_ROWS]) for rows in (old, new))
    rows = np.concatenate([old, new])
    points = np.asarray(x[rows])
    codes = trained.predict(points).clusters.copy()
    is_new = rows >= n_before
    p = trained.outlier_p_values(trained.outlier_scores(points))
    m = len(trained.outliers.held_out)
    level = max(_UNKNOWN, 1.5 / (m + 1))
    unknown = is_new & (p <= level)
    n = len(new)
    chance = level * n + 3 * math.sqrt(level * (1 - level) * n * (1 + n / m))
    n_clusters = trained.n_clusters
    if unknown.sum() > chance:
        groups = _groups(trained, points, unknown, max(_LEAST, int(_LEAST_SHARE * n)), seed)
        for group in groups:
            codes[group] = n_clusters
            unknown[group] = False
            n_clusters += 1
    if unknown.all():
        raise DataError("none of the rows is known to the model, or in a group: train again")
    counts = [np.bincount(codes[side], minlength=n_clusters) for side in (~is_new, is_new)]
    sizes = [n_before, len(x) - n_before]
    shares = sum(
        size * count / max(1, count.sum()) for size, count in zip(sizes, counts, strict=True)
    )
    shares = np.maximum(shares, 1.0)  # a cluster without rows counts as one row
    return Carried(rows[~unknown], codes[~unknown], shares / shares.sum())


def _groups(
    trained: TrainedModel, x: Values, unknown: NDArray[np.bool_], least: int, seed: int
) -> list[NDArray[np.bool_]]:
    """Masks of dense groups of rows (m, d), most of which the model does not know."""
    from sklearn.cluster import HDBSCAN  # noqa: PLC0415 - only updates need it

    z = trained.scaling(x)
    if z.shape[1] > _AXES:
        axes = principal_axes(z, _AXES, seed)
        z = (z - axes.centre) @ axes.axes
    found = HDBSCAN(min_cluster_size=least, copy=True).fit_predict(z.double().numpy())
    groups = [found == group for group in range(found.max() + 1)]
    return [group for group in groups if unknown[group].mean() > 0.5]


def carried_partition(carried: Carried, data: Points) -> Partition:
    """The partition from which a network starts.

    Args:
        carried: the clusters of some points.
        data: all points.
    """
    x = data[torch.from_numpy(carried.rows).to(data.device)]
    log_shares = torch.from_numpy(carried.shares).log().float()
    return Partition(x, torch.from_numpy(carried.codes).to(x.device), log_shares)


def save_carried(carried: Carried, file: Path) -> None:
    """Write the clusters from which a training starts."""
    save_file({name: np.ascontiguousarray(v) for name, v in carried._asdict().items()}, file)


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
        found = Carried(**load_file(file))
        rows, codes, shares = found
        if [array.ndim for array in found] != [1, 1, 1] or len(rows) != len(codes):
            raise ValueError("expected places and clusters of rows, and shares of clusters")
        if [array.dtype.name for array in found] != ["int64", "int64", "float64"]:
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
