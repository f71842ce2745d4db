"""An estimate of log Z, with its error and whether it can be trusted."""

import math
from typing import Literal, NamedTuple

from torch import Tensor

__all__ = ["CHUNK_POINTS", "LogNormalizer", "check_corners"]

CHUNK_POINTS = 65_536  # points for which energies are computed at once
_MOST_ERROR = 0.2
_LEAST_ESS = 30.0


class LogNormalizer(NamedTuple):
    """log Z of an energy over a box.

    Attributes:
        value: log Z, in nats.
        error: its standard error, in nats.
        ess: the effective sample size (Kish) of the weights; infinite for the grid.
        method: "grid", "annealing" or "base"; "exact" if Z is known.
    """

    value: float
    error: float
    ess: float
    method: Literal["grid", "annealing", "base", "exact"]

    @property
    def trusted(self) -> bool:
        """Whether the value is finite, its error at most 0.2 nats and the sample size at least 30.

        With a smaller sample size, the estimate depends on a few points, and its error is not known
        either.
        """
        return math.isfinite(self.value) and self.error <= _MOST_ERROR and self.ess >= _LEAST_ESS


def check_corners(low: Tensor, high: Tensor) -> int:
    """Check that a box is not empty, and return its number of dimensions.

    Args:
        low: the lower corner, (d,).
        high: the upper corner, (d,).

    Raises:
        ValueError: if the corners have other shapes, or the box is empty.
    """
    if low.ndim != 1 or low.shape != high.shape or len(low) == 0:
        raise ValueError(
            f"expected corners of shape (d,), got {tuple(low.shape)} and {tuple(high.shape)}"
        )
    if not bool((low < high).all()):
        raise ValueError(
            f"expected a box with low < high, got low {low.tolist()}, high {high.tolist()}"
        )
    return len(low)
