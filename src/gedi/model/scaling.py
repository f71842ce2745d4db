"""Scaling between the user's units and those of the network."""

import math
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gedi.model.margins import FAR, location_and_scale
from gedi.units import common_spread, share_unit

__all__ = ["DECIDING", "Scaling"]

_CHUNK = 1024  # rows
DECIDING = 5_000  # rows that a robust scale is read from


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
        # Rounding can leave a constant feature with a tiny deviation instead of zero.
        others = np.ones_like(scale) if spread is None else np.where(spread > 0, spread, 1.0)
        scale = np.where((low == high) | (scale == 0), others, scale)
        return cls(torch.from_numpy(size * mean), torch.from_numpy(scale))

    @classmethod
    def robust(cls, x: NDArray[np.floating | np.uint8]) -> Self:
        """Scale every feature by its median and a robust spread, which far rows do not move.

        Features of one unit, such as pixels, get the same shift and the same scale.

        Args:
            x: the rows, (n, d); of many, up to 5,000 at equal distances decide.
        """
        some = x[:: max(1, len(x) // DECIDING)].astype(np.float64)
        location, scale = location_and_scale(torch.from_numpy(some))
        if share_unit(some):
            location = torch.full_like(location, float(np.median(some)))
            scale = torch.full_like(scale, common_spread(some))
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
        if dtype == torch.float32:  # where the farthest would be infinite
            z.clamp_(-FAR, FAR)
        return z

    def inverse(self, z: Tensor) -> NDArray[np.float64]:
        """Convert scaled points (n, d) to the user's units."""
        back: NDArray[np.float64] = (z.cpu().double() * self.scale + self.shift).numpy()
        return back

    @property
    def origin(self) -> Tensor | None:
        """Where the zero of the user's unit is, (d,), if all features share one, otherwise None."""
        if (self.shift != self.shift[0]).any() or (self.scale != self.scale[0]).any():
            return None
        return -self.shift / self.scale

    @property
    def log_det(self) -> float:
        """The log-determinant log |dz/dx| in nats: log p(x) = log p(z) + log_det."""
        return -math.fsum(self.scale.log().tolist())


def _parts(x: NDArray[np.floating | np.uint8]) -> Iterator[NDArray[np.float64]]:
    """Yield the rows of x in parts, in float64."""
    for start in range(0, max(len(x), 1), _CHUNK):
        yield x[start : start + _CHUNK].astype(np.float64)
