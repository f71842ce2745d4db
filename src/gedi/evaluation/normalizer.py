"""What is known of a normalising constant: its value, how far off it may be, whether to use it."""

import math
from typing import Literal, NamedTuple

from gedi.evaluation.density import grid_log_normalizer
from gedi.model.box import Box
from gedi.sampling import Energy

__all__ = ["LogNormalizer", "gridded_log_normalizer"]

_MOST_ERROR = 0.2
_LEAST_ESS = 30.0


class LogNormalizer(NamedTuple):
    """log Z of an energy over a box.

    Attributes:
        value: log Z, in nats.
        error: one standard error of it, in nats.
        ess: effective sample size (Kish) of the weights behind it; infinite for the grid.
        method: "grid" or "annealing".
    """

    value: float
    error: float
    ess: float
    method: Literal["grid", "annealing"]

    @property
    def trusted(self) -> bool:
        """Whether the value is finite, its error at most 0.2 nats and the sample size at least 30.

        With fewer, a handful of points carry the estimate, and its error is not known either.
        """
        return math.isfinite(self.value) and self.error <= _MOST_ERROR and self.ess >= _LEAST_ESS


def gridded_log_normalizer(energy: Energy, box: Box, n_cells: int = 400) -> LogNormalizer:
    """Log Z in one or two dimensions, by the midpoint rule.

    Its error is the difference to the rule with half as many cells, so that a density with parts
    narrower than a cell is not trusted.

    Args:
        energy: maps points (n, d) to energies (n,), in nats.
        box: over which Z is.
        n_cells: number of cells along each dimension.

    Raises:
        ValueError: more than two dimensions, an empty box, or fewer than two cells.
    """
    if n_cells < 2:
        raise ValueError(f"expected at least 2 cells, got {n_cells}")
    fine = float(grid_log_normalizer(energy, box.low, box.high, n_cells))
    coarse = float(grid_log_normalizer(energy, box.low, box.high, n_cells // 2))
    return LogNormalizer(fine, abs(fine - coarse), math.inf, "grid")
