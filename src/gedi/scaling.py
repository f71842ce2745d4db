"""From the user's units to those the network sees, and back."""

import math
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Scaling"]


class Scaling(NamedTuple):
    """z = (x - shift) / scale, feature by feature.

    Attributes:
        shift: (d,), in the user's units.
        scale: (d,), positive.
    """

    shift: Tensor
    scale: Tensor

    @classmethod
    def standardise(cls, x: NDArray[np.float32]) -> Self:
        """Mean 0 and standard deviation 1 for every feature; constant features are only centred."""
        shift = x.mean(0, dtype=np.float64)
        scale = x.std(0, dtype=np.float64)
        # Rounding leaves a constant feature with a tiny deviation instead of none.
        scale[scale <= 1e-6 * np.maximum(np.abs(shift), 1e-30)] = 1.0
        return cls(_float32(shift), _float32(scale))

    @classmethod
    def from_range(cls, low: float, high: float, n_features: int) -> Self:
        """One range for all features, mapped to [-1, 1]; for images."""
        half = (high - low) / 2 or 1.0
        return cls(torch.full((n_features,), low + half), torch.full((n_features,), half))

    def __call__(self, x: NDArray[np.float32]) -> Tensor:
        """(n, d) in the user's units -> (n, d) scaled, on the CPU."""
        return (torch.from_numpy(np.ascontiguousarray(x)) - self.shift) / self.scale

    def inverse(self, z: Tensor) -> NDArray[np.float32]:
        """(n, d) scaled -> (n, d) in the user's units."""
        back: NDArray[np.float32] = (z.cpu() * self.scale + self.shift).numpy()
        return back

    @property
    def log_det(self) -> float:
        """Log |dz/dx| in nats, to be added to a density of z to get that of x."""
        return -math.fsum(self.scale.double().log().tolist())


def _float32(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
