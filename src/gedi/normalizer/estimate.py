"""An estimate of log Z: its value, its error, and whether it can be trusted."""

import math
from typing import Literal, NamedTuple

from torch import Tensor

__all__ = ["CHUNK_POINTS", "LogNormalizer", "check_corners"]

CHUNK_POINTS = 65_536  # given to an energy at once
_MOST_ERROR = 0.2
_LEAST_ESS = 30.0


class LogNormalizer(NamedTuple):
    """log Z of an energy over a box.

    Attributes:
        value: log Z, in nats.
        error: one standard error of it, in nats.
        ess: effective sample size (Kish) of the weights behind it; infinite for the grid.
        method: "grid", "annealing" or "base".
    """

    value: float
    error: float
    ess: float
    method: Literal["grid", "annealing", "base"]

    @property
    def trusted(self) -> bool:
        """Whether the value is finite, its error at most 0.2 nats and the sample size at least 30.

        With a smaller sample size the estimate rests on a few points, and its error is unknown too.
        """
        return math.isfinite(self.value) and self.error <= _MOST_ERROR and self.ess >= _LEAST_ESS


def check_corners(low: Tensor, high: Tensor) -> int:
    """Returns the number of dimensions of a box, which must not be empty.

    Raises:
        ValueError: for corners of other shapes, or an empty box.
    """
    if low.ndim != 1 or low.shape != high.shape or len(low) == 0:
        raise ValueError(
            f"expected corners of shape (d,), got {tuple(low.shape)} and {tuple(high.shape)}"
        )
    if not bool((low < high).all()):
        raise ValueError(f"the box is empty: low {low.tolist()}, high {high.tolist()}")
    return len(low)
