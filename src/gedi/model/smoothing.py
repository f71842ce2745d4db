"""Noise that smooths the data for GEN, and denoising.

A network that maximises the likelihood of few points overfits: its density becomes a spike at each
point. If fresh noise is added to the data in each iteration, the best density that it can learn is
a kernel density of the points, whose width is that of the noise.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from gedi.model.spectral import SpectralMatrix

__all__ = ["Smoothing"]


class Smoothing(NamedTuple):
    """Gaussian noise, x + s C^(1/2) ξ with ξ ~ N(0, I).

    Attributes:
        scale: the scale of the noise, s; 0 is no noise.
        root: the root of its covariance, C^(1/2), (d, d); None is the identity.
    """

    scale: float = 0.0
    root: SpectralMatrix | None = None

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Add noise to points, (..., d) -> (..., d)."""
        if self.scale == 0:
            return x
        noise = torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)
        return x + self.scale * (noise if self.root is None else self.root(noise))

    def denoise(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The mean of a clean point given the noisy one, x - s² C ∇E(x) (Tweedie's formula).

        Args:
            x: noisy points, (..., d).
            gradient: the gradient ∇E at these points, of the energy of the noisy density, (..., d).
        """
        if self.scale == 0:
            return x
        if self.root is not None:
            gradient = self.root(self.root(gradient))
        return x - self.scale**2 * gradient
