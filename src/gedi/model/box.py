"""The box over which p(x) is normalised: bounds, reflection, clamping, uniform points."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

__all__ = ["Box"]


class Box(NamedTuple):
    """An axis-parallel box.

    Points outside it have an energy like any other; only Z, and so the density, is over the box.

    Attributes:
        low: lower corner, (d,).
        high: upper corner, (d,).
    """

    low: Tensor
    high: Tensor

    @classmethod
    def around(cls, x: Tensor, margin: float) -> "Box":
        """The box of the data (n, d), wider by `margin` times its range on every side."""
        low, high = x.amin(0), x.amax(0)
        pad = margin * (high - low)
        return cls(low - pad, high + pad)

    def to(self, like: Tensor) -> "Box":
        """The same box with the device and dtype of another tensor."""
        return Box(self.low.to(like), self.high.to(like))

    def fold(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reflect points into the box, as often as needed.

        Returns:
            The folded points (..., d) and the sign, -1 where an odd number of reflections turned
            the direction of a coordinate and 1 elsewhere.
        """
        width = self.high - self.low
        phase = (x - self.low).remainder(2 * width)
        turned = phase > width
        return self.low + torch.where(turned, 2 * width - phase, phase), 1 - 2 * turned.to(x.dtype)

    def clamp(self, x: Tensor) -> Tensor:
        """The nearest point of the box."""
        return x.clamp(self.low, self.high)

    def contains(self, x: Tensor) -> Tensor:
        """Whether each point lies in the box, (..., d) -> (...)."""
        return (x == self.clamp(x)).all(-1)

    def uniform(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Uniform points, (*shape, d)."""
        noise = torch.rand(
            *shape,
            self.low.numel(),
            dtype=self.low.dtype,
            device=self.low.device,
            generator=generator,
        )
        return self.low + (self.high - self.low) * noise
