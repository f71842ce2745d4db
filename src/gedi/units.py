"""Whether the columns of a table are measured in the same unit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["common_spread", "share_unit"]

_LEAST = 4  # columns, with fewer of which equal ranges may be chance
_MANY = 100  # columns above which similar widths show one unit
_SIMILAR, _COMPARABLE = 10.0, 100.0  # ratios of the widths of most columns
_MOST = 0.9  # of the columns
_NORMAL = 3.92  # deviations between these quantiles
_QUANTILES = (0.025, 0.975)


def share_unit(x: NDArray[Any]) -> bool:
    """Whether all columns have one unit, as pixels, ratings, flags and features of a network do.

    Dividing each column by its own spread would then make noise of those that hardly vary. This is
    so in two cases. First, at least half of the columns that vary have the same least and the same
    greatest value, and no other column goes beyond them. Second, there are more than 100 columns,
    and the widths of nine tenths of them, between their 2.5 and 97.5 % quantiles, differ by less
    than a factor of ten; or of a hundred if nine tenths begin at zero, as counts and the features
    of many networks do.

    Args:
        x: rows (n, d).
    """
    low, high = x.min(0), x.max(0)
    varies = low < high
    if varies.sum() < _LEAST:
        return False
    ends, counts = np.unique(np.stack([low, high])[:, varies], axis=1, return_counts=True)
    least, greatest = ends[:, counts.argmax()]
    within = low.min() >= least and high.max() <= greatest
    if within and 2 * counts.max() >= varies.sum():
        return True
    if varies.sum() <= _MANY:
        return False
    narrow, wide = np.quantile(_widths(x)[varies], [0.05, 0.95])
    from_zero = low.min() >= 0 and (low[varies] == 0).mean() >= _MOST
    return bool(wide < (_COMPARABLE if from_zero else _SIMILAR) * narrow)


def common_spread(x: NDArray[Any]) -> float:
    """The root of the mean square deviation of the columns, which few far rows do not move.

    Args:
        x: rows (n, d) of columns that share a unit.
    """
    robust = float(np.sqrt(np.mean((_widths(x) / _NORMAL) ** 2)))
    return robust or float(np.sqrt(x.var(0).mean())) or 1.0


def _widths(x: NDArray[Any]) -> NDArray[np.float64]:
    """The distance of outer quantiles of each column, (n, d) -> (d,)."""
    below, above = np.quantile(x, _QUANTILES, axis=0)
    return np.asarray(above - below)
