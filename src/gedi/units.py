"""Whether the columns of a table are measured in the same unit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["share_unit"]

_LEAST = 4  # columns, with fewer of which equal ranges may be chance


def share_unit(x: NDArray[Any]) -> bool:
    """Whether all columns have one unit, as pixels, ratings and flags do.

    This is so if at least half of the columns that vary have the same least and the same greatest
    value, and no other column goes beyond them. Dividing each column by its own spread would then
    make noise of those that hardly vary.

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
    return bool(within and 2 * counts.max() >= varies.sum())
