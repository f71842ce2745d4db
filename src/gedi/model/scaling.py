"""Scaling between the user's units and those of the network."""

import math
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gedi.model.margins import location_and_scale

__all__ = ["Scaling"]

_CHUNK = 1024  # rows
_ROUNDING = 4  # units of rounding by which values of a constant column may differ
_DECIDING = 20_000  # rows that a robust scale is read from


class Scaling(NamedTuple):
    """An affine map of each feature, z = (x - shift) / scale, computed in float64.

    float32 would lose a small spread around a large value, such as a date in seconds. Rows are
    scaled in parts, so that no second copy of the data is made.

    Attributes:
        shift: the shift of each feature, (d,), float64, in the user's units.
        scale: the scale of each feature, (d,), float64, positive, in the user's units.
    """

    shift: Tensor
    scale: Tensor

    @classmethod
    def standardise(
        cls, x: NDArray[np.floating | np.uint8], spread: NDArray[np.floating] | None = None
    ) -> Self:
        """Scale every feature to mean 0 and standard deviation 1; constant features are centred.

        Args:
            x: the rows, (n, d).
            spread: if the rows are a sample, the range of each feature over all rows, (d,); NaN if
                unknown. Features that are constant in the sample are divided by it.
        """
        low, high = x.min(0).astype(np.float64), x.max(0).astype(np.float64)
        # Moments of x / size, because those of large values such as 1e200 would overflow.
        size = np.maximum(np.maximum(np.abs(low), np.abs(high)), np.finfo(np.float64).tiny)
        mean = sum((part / size).sum(0) for part in _parts(x)) / len(x)
        square = sum(((part / size - mean) ** 2).sum(0) for part in _parts(x)) / len(x)
        scale = size * np.sqrt(square)
        # Values that differ by rounding alone, such as 0.3 and 0.1 + 0.2, are one value.
        rounding = _ROUNDING * np.finfo(x.dtype).eps if x.dtype.kind == "f" else 0.0  # type: ignore[type-var]
        is_flat = (low == high) | (scale == 0) | (high / size - low / size <= rounding)
        others = np.where(low == high, 1.0, np.maximum(size, 1.0))
        if spread is not None:
            others = np.where(spread > 0, spread, others)
        scale = np.where(is_flat, others, scale)
        return cls(torch.from_numpy(size * mean), torch.from_numpy(scale))

    @classmethod
    def robust(cls, x: NDArray[np.floating | np.uint8]) -> Self:
        """Scale every feature by its median and a robust spread, which far rows do not move.

        Args:
            x: the rows, (n, d); of many, up to 20,000 at equal distances decide.
        """
        some = x[:: max(1, len(x) // _DECIDING)].astype(np.float64)
        location, scale = location_and_scale(torch.from_numpy(some))
        return cls(location, scale)

    @classmethod
    def from_range(cls, low: float, high: float, n_features: int) -> Self:
        """Map one range of values, the same for all features, to [-1, 1]; for images."""
        half = (high - low) / 2 or 1.0
        return cls(
            torch.full((n_features,), low + half, dtype=torch.float64),
            torch.full((n_features,), half, dtype=torch.float64),
        )

    def __call__(
        self, x: NDArray[np.floating | np.uint8], dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Scale points (n, d) in the user's units; the result is on the CPU."""
        z = torch.empty(x.shape, dtype=dtype)
        shift, scale = self.shift.numpy(), self.scale.numpy()
        for into, part in zip(torch.split(z, _CHUNK), _parts(x), strict=True):
            into.copy_(torch.from_numpy((part - shift) / scale))
        return z

    def inverse(self, z: Tensor) -> NDArray[np.float64]:
        """Convert scaled points (n, d) to the user's units."""
        back: NDArray[np.float64] = (z.cpu().double() * self.scale + self.shift).numpy()
        return back

    @property
    def log_det(self) -> float:
        """The log-determinant log |dz/dx| in nats: log p(x) = log p(z) + log_det."""
        return -math.fsum(self.scale.log().tolist())


def _parts(x: NDArray[np.floating | np.uint8]) -> Iterator[NDArray[np.float64]]:
    """Yield the rows of x in parts, in float64."""
    for start in range(0, max(len(x), 1), _CHUNK):
        yield x[start : start + _CHUNK].astype(np.float64)
