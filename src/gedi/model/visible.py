"""What anyone can see in the columns of a table, and what samples should obey as well.

A density over real numbers knows neither whole numbers nor categories, and reaches a little beyond
the data. A table with 2.7 children or -0.1 items sold is no sample of such data.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gedi.model.lattice import grid_step
from gedi.model.margins import register

__all__ = ["VisibleValues"]

_ROWS, _LEAST_ROWS = 20_000, 1000  # that decide which values are seen, at equal distances
_NUMBERS = 2**21  # in these rows, if they are not fewer than the least
_DECIMALS = 4  # that all values may have, for a column to be rounded to them
_UNSURE = 0.02  # share of a unit by which rounding errors may look like another value
_CODES, _REPEATS = 32, 10  # distinct values of a column of codes, at most; rows a value, at least


class VisibleValues(nn.Module):
    """The range of each column, the grid of its values, and the values themselves if they are few.

    Samples of columns with few values get the nearest of these, and other values on a grid are
    rounded to it, within the observed range. Values of measured columns are folded back into their
    range, as many equal to a bound would be a spike that the data do not have.

    Args:
        tensors: the range, low and high, (d,); values are o + i / u for whole numbers i, with
            origin o and u values per unit, (d,), where u = 0 means any value; the indices of the
            columns of few values, coded (e,), and these values, increasing and the last one
            repeated, codes (e, k). All are float64, in the user's units, except coded.
    """

    low: Tensor
    high: Tensor
    origin: Tensor
    per_unit: Tensor
    coded: Tensor
    codes: Tensor

    def __init__(self, **tensors: Tensor) -> None:
        super().__init__()
        register(self, tensors)

    @classmethod
    def fit(
        cls,
        x: NDArray[np.floating | np.uint8],
        low: NDArray[np.floating] | None = None,
        high: NDArray[np.floating] | None = None,
    ) -> Self:
        """The visible values of data (n, d).

        Args:
            x: the rows, in the user's units.
            low: if the rows are a sample, the least value of each column, (d,); NaN if unknown.
            high: the greatest values.
        """
        least, most = x.min(0).astype(np.float64), x.max(0).astype(np.float64)
        if low is not None and high is not None:
            least, most = np.fmin(least, low), np.fmax(most, high)
        n_rows = min(_ROWS, max(_LEAST_ROWS, _NUMBERS // x.shape[1]))
        some = x[:: max(1, len(x) // n_rows)]
        rounding = 0.0 if x.dtype == np.uint8 else float(np.finfo(str(x.dtype)).eps)
        columns = [np.unique(column) for column in some.T]
        steps = [_grid(values.astype(np.float64), len(some), rounding) for values in columns]
        few = [
            j
            for j, values in enumerate(columns)
            if len(values) <= min(_CODES, len(some) // _REPEATS)
        ]
        longest = max((len(columns[j]) for j in few), default=1)
        codes = [np.pad(columns[j], (0, longest - len(columns[j])), mode="edge") for j in few]
        return cls(
            low=torch.from_numpy(least),
            high=torch.from_numpy(most),
            origin=torch.tensor([origin for origin, _ in steps], dtype=torch.float64),
            per_unit=torch.tensor([per_unit for _, per_unit in steps], dtype=torch.float64),
            coded=torch.tensor(few, dtype=torch.int64),
            codes=torch.from_numpy(np.reshape(codes, (len(few), longest)).astype(np.float64)),
        )

    @classmethod
    def blank(cls, tensors: Mapping[str, Tensor], d: int) -> Self:
        """One that can load these tensors, a `state_dict`.

        Raises:
            ValueError: for tensors that do not fit each other or d columns.
            KeyError: if one is missing.
        """
        sides = [tensors[name] for name in ("low", "high", "origin", "per_unit")]
        coded, codes = tensors["coded"], tensors["codes"]
        fits = (
            all(side.shape == (d,) and side.dtype == torch.float64 for side in sides)
            and (coded.ndim, coded.dtype) == (1, torch.int64)
            and bool(((coded >= 0) & (coded < d)).all())
            and codes.ndim == 2
            and codes.shape[0] == len(coded)
            and codes.shape[1] > 0
            and codes.dtype == torch.float64
        )
        if not fits:
            raise ValueError(f"expected the visible values of {d} columns, got other shapes")
        return cls(**{name: torch.zeros_like(tensor) for name, tensor in tensors.items()})

    def forward(self, x: Tensor) -> Tensor:
        """The nearest visible values of points, float64, (n, d) -> (n, d)."""
        inside = x.clamp(self.low, self.high)
        folded = 2 * inside - x
        folded = torch.where((folded >= self.low) & (folded <= self.high), folded, inside)
        on_grid = ((inside - self.origin) * self.per_unit).round() / self.per_unit + self.origin
        x = torch.where(self.per_unit > 0, on_grid.clamp(self.low, self.high), folded)
        if len(self.coded) == 0:
            return x
        given = inside[:, self.coded].T.contiguous()
        above = torch.searchsorted(self.codes, given).clamp_max(self.codes.shape[1] - 1)
        right = self.codes.gather(1, above)
        left = self.codes.gather(1, (above - 1).clamp_min(0))
        return x.index_copy(1, self.coded, torch.where(given - left < right - given, left, right).T)


def _grid(values: NDArray[np.float64], n: int, rounding: float) -> tuple[float, float]:
    """Origin and values per unit of the grid of distinct values of n rows; (0, 0) for no grid.

    Args:
        values: the distinct values of a column, increasing, (k,).
        n: the rows.
        rounding: relative rounding error of the values as they came.
    """
    size = np.maximum(np.abs(values), np.median(np.abs(values)))  # of far values alone, theirs
    for decimals in range(_DECIMALS + 1):
        scaled = values * 10.0**decimals
        error = 4 * rounding * size * 10.0**decimals
        if decimals and error.min() > _UNSURE:
            break
        if (np.abs(scaled - scaled.round()) <= error).all():
            return 0.0, 10.0**decimals
    step = grid_step(torch.from_numpy(values).diff(), n) if len(values) > 1 else None
    return (0.0, 0.0) if step is None else (float(values[0]), 1 / step)
