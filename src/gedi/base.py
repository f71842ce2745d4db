"""The Gaussian that the energy starts from.

A network that starts as a flat energy must dig hundreds of nats deep in many dimensions, while its
chains start far from the data: the usual way for joint energy models to blow up. With the Gaussian
of the data as base, training starts at the best Gaussian fit, chains start inside the data, and the
network only learns the tilt. The base is one function added to every logit, so p(y|x) is the
network's alone.
"""

from typing import Self

import torch
from torch import Generator, Tensor, nn

__all__ = ["GaussianBase"]


class GaussianBase(nn.Module):
    """b(x) = -|(x - μ) Σ^(-1/2)|² / 2, the log-density of N(μ, Σ) up to a constant.

    Args:
        mean: μ, (d,).
        covariance: Σ, positive definite, (d, d).
    """

    mean: Tensor
    root: Tensor
    inverse_root: Tensor

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        super().__init__()
        values, vectors = torch.linalg.eigh(covariance.double())
        if not bool((values > 0).all()):
            raise ValueError(
                f"expected a positive definite covariance, got least eigenvalue {values.min():.3g}"
            )
        self.register_buffer("mean", mean)
        self.register_buffer("root", (vectors * values.sqrt() @ vectors.T).to(mean))
        self.register_buffer("inverse_root", (vectors / values.sqrt() @ vectors.T).to(mean))

    @classmethod
    def fit(cls, x: Tensor, noise: float) -> Self:
        """The maximum-likelihood Gaussian of data (n, d) to which noise N(0, s²) is added.

        A thousandth of the mean variance is added too, so that constant features do no harm.
        """
        mean = x.mean(0)
        centred = (x - mean).double()
        covariance = centred.T @ centred / len(x)
        ridge = noise**2 + 1e-3 * float(covariance.diagonal().mean()) + 1e-12
        return cls(mean, covariance + ridge * torch.eye(x.shape[1], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """b(x), (..., d) -> (...)."""
        return -0.5 * ((x - self.mean) @ self.inverse_root).square().sum(-1)

    def sample(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Points from N(μ, Σ), (*shape, d)."""
        noise = torch.randn(
            *shape,
            self.mean.numel(),
            dtype=self.mean.dtype,
            device=self.mean.device,
            generator=generator,
        )
        return self.mean + noise @ self.root
