"""The box over which p(x) is normalised: bounds, reflection, clamping, uniform points."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

__all__ = ["Box"]


class Box(NamedTuple):
    """An axis-parallel box, the domain over which the density is normalised.

    Points outside the box have an energy too; only Z, and so the density, refers to the box.

    Attributes:
        low: the lower corner, (d,).
        high: the upper corner, (d,).
    """

    low: Tensor
    high: Tensor

    @classmethod
    def around(cls, x: Tensor, margin: float) -> "Box":
        """The bounding box of the data, extended on every side.

        Args:
            x: the data, (n, d).
            margin: the extension on each side, as a share of the range of each feature.
        """
        low, high = x.amin(0), x.amax(0)
        pad = margin * (high - low)
        return cls(low - pad, high + pad)

    def to(self, like: Tensor) -> "Box":
        """The same box with the device and dtype of a tensor."""
        return Box(self.low.to(like), self.high.to(like))

    def fold(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reflect points (..., d) at the walls until they lie in the box.

        Returns:
            The reflected points (..., d), and a sign for each coordinate: -1 if an odd number of
            reflections reversed its direction, else 1.
        """
        width = self.high - self.low
        phase = (x - self.low).remainder(2 * width)
        turned = phase > width
        return self.low + torch.where(turned, 2 * width - phase, phase), 1 - 2 * turned.to(x.dtype)

    def clamp(self, x: Tensor) -> Tensor:
        """The nearest points in the box, (..., d) -> (..., d)."""
        return x.clamp(self.low, self.high)

    def contains(self, x: Tensor) -> Tensor:
        """Whether each point lies in the box, (..., d) -> (...)."""
        return (x == self.clamp(x)).all(-1)

    def uniform(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Draw uniform points in the box, (*shape, d)."""
        noise = torch.rand(
            *shape,
            self.low.numel(),
            dtype=self.low.dtype,
            device=self.low.device,
            generator=generator,
        )
        return self.low + (self.high - self.low) * noise
