"""Repeated values and the cells that they stand for.

A density of values on a grid has no bound: it grows with every digit by which a component narrows.
So each value is spread over its cell (uniform dequantisation; Theis et al., ICLR 2016).
"""

import math

import torch
from torch import Generator, Tensor

from gedi.model.margins import location_and_scale

__all__ = ["cell_widths", "dequantised", "grid_step"]

_SPIKE = 0.05  # share of the rows from which on a value among continuous ones has a cell
_CODES = 12  # values a column may have to be one of uneven codes


def cell_widths(x: Tensor) -> Tensor:
    """The width of the cell of each value, 0 where values are continuous, (n, d) -> (n, d)."""
    widths = torch.zeros_like(x)
    for j in _repeats(x).nonzero()[:, 0].tolist():
        widths[:, j] = _widths(x[:, j].contiguous())
    return widths


def dequantised(x: Tensor, widths: Tensor, generator: Generator) -> Tensor:
    """X + U(-h/2, h/2), with widths h as of `cell_widths`, (n, d) -> (n, d).

    Columns that rank the rows alike, upwards or downwards, share their noise: a copy stays a copy.
    """
    noise = torch.rand(x.shape, generator=generator, dtype=x.dtype) - 0.5
    shared: dict[bytes, Tensor] = {}
    for j in (widths > 0).any(0).nonzero()[:, 0].tolist():
        up = torch.unique(x[:, j], return_inverse=True)[1]
        down = up.max() - up
        rank, sign = (up, 1.0) if up[0] <= down[0] else (down, -1.0)
        noise[:, j] = sign * shared.setdefault(rank.numpy().tobytes(), sign * noise[:, j])
    return x + noise * widths


def _repeats(x: Tensor) -> Tensor:
    """A mask of the columns that may have cells: few distinct values, or a spike, (d,)."""
    n = len(x)
    ordered = x.sort(0).values
    few = 2 * ((ordered[1:] > ordered[:-1]).sum(0) + 1) <= n
    run = math.ceil(max(_SPIKE * n, 5)) - 1  # from the first to the last of a spike
    spiked = (ordered[run:] == ordered[: max(0, n - run)]).any(0)
    return few | spiked


def _widths(column: Tensor) -> Tensor:
    """Widths of the cells of one column, (n,) -> (n,)."""
    n = len(column)
    values, place, counts = torch.unique(column, return_inverse=True, return_counts=True)
    if len(values) < 2:
        return torch.zeros_like(column)
    gaps = values.diff()
    step = grid_step(gaps, n)
    if step is not None:
        return torch.full_like(column, step)
    nearest = torch.minimum(torch.cat([gaps, gaps[-1:]]), torch.cat([gaps[:1], gaps]))
    if len(values) <= _CODES and n >= 10 * len(values):
        return nearest[place]
    spikes = counts >= max(_SPIKE * n, 5)
    if not bool(spikes.any()):
        return torch.zeros_like(column)
    scale = float(location_and_scale(column[:, None])[1])
    return torch.where(spikes, nearest.clamp(0.01 * scale, 0.1 * scale), 0.0)[place]


def grid_step(gaps: Tensor, n: int) -> float | None:
    """The step of the grid on which the values of n rows lie, by the gaps between them; or None.

    That is so where values repeat, at least two rows a value, and 95 % of the gaps are whole
    multiples of the smallest.
    """
    extent = gaps.sum()
    step = gaps[gaps > 1e-9 * extent].min()
    multiples = gaps / step
    whole = ((multiples - multiples.round()).abs() < 0.02).double().mean() > 0.95
    dense = extent / step < 4 * n or len(gaps) < 32
    return float(step) if n >= 2 * (len(gaps) + 1) and bool(whole) and bool(dense) else None
