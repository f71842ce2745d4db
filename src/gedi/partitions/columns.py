"""Columns on a common scale, for distances between rows."""

import numpy as np
from numpy.typing import NDArray

from gedi.units import share_unit

__all__ = ["WIDE", "clipped", "comparable", "standardised"]

WIDE = 100  # columns from which distances and covariances are too uninformative for most methods

REACH = 20.0
SENTINELS, REPEATED = 2, 3  # distinct far values of a column, at most; rows with them, at least
CONSTANT = 1e-12


def comparable(x: NDArray[np.float64], *, one_unit: bool = False) -> NDArray[np.float64]:
    """Rows whose distances mean something: columns clipped and standardised.

    Columns of one unit keep their proportions and are divided by their common spread.

    Args:
        x: rows (n, d).
        one_unit: whether the columns are known to have one unit.

    Returns:
        Rows (n, number of columns that vary); one column of zeros if none does.
    """
    bounded = clipped(x)
    z = standardised(bounded)
    if not (one_unit or share_unit(x)):
        return z
    spread = bounded.std(0)
    spread = spread[spread > CONSTANT * (1 + np.abs(bounded).max(0))]
    return np.asarray(z * spread / np.sqrt(np.mean(spread**2))) if len(spread) else z


def clipped(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bound each column to [q_10 - 20 w, q_90 + 20 w] with w = q_90 - q_10, its quantiles.

    For a normal column these are ± 52 standard deviations. A column with w = 0 stays as it is.
    Where all values beyond the bounds are one or two that repeat, such as -999, they stand for
    missing values and become the median.

    Args:
        x: rows (n, d).
    """
    # Both quantiles are values of the inner rows: interpolation would mix in the far ones.
    low = np.quantile(x, 0.1, axis=0, method="higher")
    high = np.quantile(x, 0.9, axis=0, method="lower")
    reach = np.where(high > low, REACH * (high - low), np.inf)
    bounded = np.clip(x, low - reach, high + reach)
    beyond = bounded != x
    for j in np.flatnonzero(beyond.sum(0) >= REPEATED):
        far = beyond[:, j]
        if len(np.unique(x[far, j])) <= SENTINELS:
            bounded[far, j] = np.median(x[~far, j])
    return bounded


def standardised(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns with mean 0 and standard deviation 1, without the constant ones.

    Args:
        x: rows (n, d).

    Returns:
        Rows (n, number of columns that vary); one column of zeros if none does.
    """
    scale = x.std(0)
    varies = scale > CONSTANT * (1 + np.abs(x).max(0))
    if not varies.any():
        return np.zeros((len(x), 1))
    return np.asarray((x[:, varies] - x[:, varies].mean(0)) / scale[varies])
