"""From the user's units to those the network sees, and back."""

import math
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Scaling"]

_CHUNK = 1024  # rows


class Scaling(NamedTuple):
    """z = (x - shift) / scale, feature by feature, computed in float64.

    In float32, a small spread around a large value (a date in seconds) would be lost before it is
    scaled. Rows are taken a part at a time, so that no second copy of the data is made.

    Attributes:
        shift: (d,), float64, in the user's units.
        scale: (d,), float64, positive.
    """

    shift: Tensor
    scale: Tensor

    @classmethod
    def standardise(
        cls, x: NDArray[np.floating | np.uint8], spread: NDArray[np.floating] | None = None
    ) -> Self:
        """Mean 0 and standard deviation 1 for every feature; constant features are only centred.

        Args:
            x: rows, (n, d).
            spread: where these are a sample, the range of each feature in all rows, (d,), by which
                those that the sample has as constant are divided; NaN where it is not known.
        """
        low, high = x.min(0).astype(np.float64), x.max(0).astype(np.float64)
        # Moments of x / size, as those of 1e200 would overflow.
        size = np.maximum(np.maximum(np.abs(low), np.abs(high)), np.finfo(np.float64).tiny)
        mean = sum((part / size).sum(0) for part in _parts(x)) / len(x)
        square = sum(((part / size - mean) ** 2).sum(0) for part in _parts(x)) / len(x)
        scale = size * np.sqrt(square)
        # Rounding leaves a constant feature with a tiny deviation instead of none.
        others = np.ones_like(scale) if spread is None else np.where(spread > 0, spread, 1.0)
        scale = np.where((low == high) | (scale == 0), others, scale)
        return cls(torch.from_numpy(size * mean), torch.from_numpy(scale))

    @classmethod
    def from_range(cls, low: float, high: float, n_features: int) -> Self:
        """One range for all features, mapped to [-1, 1]; for images."""
        half = (high - low) / 2 or 1.0
        return cls(
            torch.full((n_features,), low + half, dtype=torch.float64),
            torch.full((n_features,), half, dtype=torch.float64),
        )

    def __call__(
        self, x: NDArray[np.floating | np.uint8], dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """(n, d) in the user's units -> (n, d) scaled, on the CPU."""
        z = torch.empty(x.shape, dtype=dtype)
        shift, scale = self.shift.numpy(), self.scale.numpy()
        for into, part in zip(torch.split(z, _CHUNK), _parts(x), strict=True):
            into.copy_(torch.from_numpy((part - shift) / scale))
        return z

    def inverse(self, z: Tensor) -> NDArray[np.float64]:
        """(n, d) scaled -> (n, d) in the user's units."""
        back: NDArray[np.float64] = (z.cpu().double() * self.scale + self.shift).numpy()
        return back

    @property
    def log_det(self) -> float:
        """Log |dz/dx| in nats, to be added to a density of z to get that of x."""
        return -math.fsum(self.scale.log().tolist())


def _parts(x: NDArray[np.floating | np.uint8]) -> Iterator[NDArray[np.float64]]:
    """The rows of x, some at a time, in float64."""
    for start in range(0, max(len(x), 1), _CHUNK):
        yield x[start : start + _CHUNK].astype(np.float64)
