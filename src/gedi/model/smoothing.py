"""Noise that smooths the data for GEN, and how to take it out again.

A network that maximises the likelihood of few points learns them by heart: its density becomes a
spike at each. With the data seen through fresh noise each time, the likeliest density it could
learn is that of kernels around the points, whose width is the noise.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from gedi.model.spectral import SpectralMatrix

__all__ = ["Smoothing"]


class Smoothing(NamedTuple):
    """x + s C^(1/2) ξ,  ξ ~ N(0, I).

    Attributes:
        scale: s; 0 leaves points as they are.
        root: C^(1/2), (d, d); None is the identity.
    """

    scale: float = 0.0
    root: SpectralMatrix | None = None

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Points with noise, (..., d) -> (..., d)."""
        if self.scale == 0:
            return x
        noise = torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)
        return x + self.scale * (noise if self.root is None else self.root(noise))

    def denoise(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The mean of the clean point given the noisy one, x - s² C ∇E(x) (Tweedie's formula).

        Args:
            x: noisy points, (..., d).
            gradient: ∇E there, E being the energy of the noisy density, (..., d).
        """
        if self.scale == 0:
            return x
        if self.root is not None:
            gradient = self.root(self.root(gradient))
        return x - self.scale**2 * gradient
