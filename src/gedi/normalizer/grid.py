"""log Z in one or two dimensions, by the midpoint rule on a grid.

log Z = logsumexp_cells( -E(midpoint) ) + log(volume of a cell)
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gedi.model.box import Box
from gedi.normalizer.estimate import CHUNK_POINTS, LogNormalizer, check_corners
from gedi.sampling import Energy

__all__ = ["grid_log_normalizer", "gridded_log_normalizer"]


def gridded_log_normalizer(energy: Energy, box: Box, n_cells: int = 400) -> LogNormalizer:
    """Compute log Z of one energy on a grid, with an error.

    The error is the difference from the value on a grid with half as many cells along each
    dimension. A density with details narrower than a cell is therefore not trusted.

    Args:
        energy: maps points (n, d) to energies (n,) in nats.
        box: the domain of Z.
        n_cells: the number of cells along each dimension.

    Raises:
        ValueError: if there are more than two dimensions, the box is empty, or there are fewer than
            two cells.
    """
    if n_cells < 2:
        raise ValueError(f"expected at least 2 cells, got {n_cells}")
    fine = float(grid_log_normalizer(energy, box.low, box.high, n_cells))
    coarse = float(grid_log_normalizer(energy, box.low, box.high, n_cells // 2))
    return LogNormalizer(fine, abs(fine - coarse), math.inf, "grid")


@torch.no_grad()
def grid_log_normalizer(
    energy: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, n_cells: int = 400
) -> Tensor:
    """Compute log Z on a grid, of one energy or of several that are evaluated on the same points.

    Points have the dtype and the device of the box; sums are computed in float64.

    Args:
        energy: maps points (n, d) to energies (..., n) in nats.
        low: the lower corner of the box, (d,).
        high: the upper corner of the box, (d,).
        n_cells: the number of cells along each dimension.

    Returns:
        log Z in nats, float64, (...); of shape () for a single energy.

    Raises:
        ValueError: if there are more than two dimensions, the box is empty, or there are no cells.
    """
    dims = check_corners(low, high)
    if dims > 2:
        raise ValueError(
            f"expected at most 2 dimensions, got {dims}, for which a grid needs {n_cells}^{dims} "
            "points: use annealed_log_normalizer"
        )
    if n_cells < 1:
        raise ValueError(f"expected at least 1 cell, got {n_cells}")
    origin = low.double()
    width = (high.double() - origin) / n_cells
    strides = n_cells ** torch.arange(dims, device=low.device)
    parts = []
    for start in range(0, n_cells**dims, CHUNK_POINTS):
        stop = min(start + CHUNK_POINTS, n_cells**dims)
        cells = torch.arange(start, stop, device=low.device)[:, None] // strides % n_cells
        points = origin + (cells + 0.5) * width
        parts.append(torch.logsumexp(-energy(points.to(low.dtype)).double(), dim=-1))
    return torch.logsumexp(torch.stack(parts), dim=0) + width.log().sum()
