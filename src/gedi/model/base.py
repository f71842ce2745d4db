"""The Gaussian that the energy starts from.

A network that starts as a flat energy must dig hundreds of nats deep in many dimensions, while its
chains start far from the data: the usual way for joint energy models to blow up. With the Gaussian
of the data as base, training starts at the best Gaussian fit, chains start inside the data, and the
network only learns the tilt. The base is one function added to every logit, so p(y|x) is the
network's alone.
"""

import copy
import math
from collections.abc import Sequence
from itertools import chain
from typing import Self

import torch
from torch import Generator, Tensor, nn

from gedi.model.spectral import WHOLE, SpectralMatrix

__all__ = ["GaussianBase", "likeliest_shrinkage"]

_CHUNK_VALUES = 2**21  # of the data at a time, 16 MiB in float64
_LEAST_SHRINKAGE = 1e-3
_MANY = 5  # points a feature, from where on a few far points would decide the shrinkage


class GaussianBase(nn.Module):
    """b(x) = -|(x - μ) Σ^(-1/2)|² / 2, the log-density of N(μ, Σ) up to a constant.

    Args:
        mean: μ, (d,).
        covariance: Σ, positive definite, (d, d).
    """

    mean: Tensor

    def __init__(self, mean: Tensor, covariance: SpectralMatrix) -> None:
        super().__init__()
        least = torch.minimum(covariance.values.min(), covariance.rest)
        if not bool(least > 0):
            raise ValueError(
                f"expected a positive definite covariance, got least eigenvalue {least:.3g}"
            )
        self.register_buffer("mean", mean)
        self.root = covariance.power(0.5).to(mean)
        self.precision = covariance.power(-1.0).to(mean)

    @classmethod
    def fit(cls, x: Tensor, noise: float) -> Self:
        """The Gaussian of data (n, d) to which noise N(0, s²) is added, shrunk as the data ask for.

        Σ = (1 - ρ) S + ρ (tr S / d) I + s² I, with the ρ that makes held-out points likeliest: with
        fewer points than features S knows nothing of most directions. ρ is at least 0.001, so that
        constant features do no harm, and no more from five points a feature on. Of S in many
        dimensions the leading eigenvectors are kept; see `SpectralMatrix`.
        """
        mean, variances, covariance = _moments([x])
        many = len(x) >= _MANY * len(mean)
        rho = _LEAST_SHRINKAGE if many else likeliest_shrinkage(x, noise)
        shrunk = covariance.plus(1 - rho, rho * variances.mean() + noise**2 + 1e-12)
        return cls(mean.to(x), shrunk)

    def widened(self, factor: float) -> Self:
        """The Gaussian with standard deviations so many times as large."""
        wider = copy.deepcopy(self)
        wider.root = self.root.plus(factor, 0.0)
        wider.precision = self.precision.plus(factor**-2, 0.0)
        return wider

    def forward(self, x: Tensor) -> Tensor:
        """b(x), (..., d) -> (...)."""
        log_density: Tensor = -0.5 * self.precision.quadratic(x - self.mean)
        return log_density

    def whiten(self, x: Tensor) -> Tensor:
        """(x - μ) Σ^(-1/2), (..., d) -> (..., d)."""
        white: Tensor = self.precision.power(0.5)(x - self.mean)
        return white

    def sample(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Points from N(μ, Σ), (*shape, d)."""
        noise = torch.randn(
            *shape,
            self.mean.numel(),
            dtype=self.mean.dtype,
            device=self.mean.device,
            generator=generator,
        )
        points: Tensor = self.mean + self.root(noise)
        return points


def likeliest_shrinkage(x: Tensor, noise: float) -> float:
    """The ρ in [0.001, 1] that makes every fifth point likeliest under the Gaussian of the others.

    All shrunk covariances share the eigenvectors of S, so that the mean log-density is, up to a
    constant, -½ Σ_i log v_i + (q_i + s²) / v_i with v_i = (1 - ρ) λ_i + ρ tr S / d + s², where λ_i
    is an eigenvalue of S and q_i the mean square of the held-out points along its eigenvector.

    Args:
        x: data, (n, d).
        noise: s.
    """
    held_out = x[::5]
    mean, variances, spectrum = _moments([x[start::5] for start in range(1, 5)])
    d, k = spectrum.vectors.shape
    along, total = torch.zeros_like(spectrum.values), torch.zeros_like(spectrum.rest)
    for rows in _rows(held_out):
        centred = rows.double() - mean
        along += (centred @ spectrum.vectors).square().sum(0) / len(held_out)
        total += centred.square().sum() / len(held_out)
    # All directions without an eigenvector share one eigenvalue.
    outside = (total - along.sum()).clamp_min(0) / max(1, d - k)
    squares = torch.cat([along, outside[None]])
    values = torch.cat([spectrum.values, spectrum.rest[None]]).clamp_min(0)
    directions = torch.ones_like(values)
    directions[-1] = d - k
    level = variances.mean()
    rhos = torch.logspace(
        math.log10(_LEAST_SHRINKAGE), 0, 31, dtype=torch.float64, device=x.device
    )[:, None]
    shrunk = (1 - rhos) * values + rhos * level + noise**2 + 1e-12
    scores = -(shrunk.log() + (squares + noise**2) / shrunk) @ directions
    return float(rhos[scores.argmax()])


def _moments(parts: Sequence[Tensor]) -> tuple[Tensor, Tensor, SpectralMatrix]:
    """Mean (d,), variances (d,) and covariance of data in parts (n_i, d), in float64.

    Added up over some rows at a time: a float64 copy of all would be twice the data. In many
    dimensions the covariance is never there, only what it does to 128 vectors at a time, so that
    time and memory grow with d instead of its square.
    """
    n, d = max(sum(map(len, parts)), 1), parts[0].shape[1]
    zeros = torch.zeros(d, dtype=torch.float64, device=parts[0].device)
    mean, variances = zeros, zeros.clone()
    for rows in chain.from_iterable(map(_rows, parts)):
        mean += rows.double().sum(0) / n
    for rows in chain.from_iterable(map(_rows, parts)):
        variances += (rows.double() - mean).square().sum(0) / n

    def product(vectors: Tensor) -> Tensor:
        found = torch.zeros_like(vectors, dtype=mean.dtype)
        for rows in chain.from_iterable(map(_rows, parts)):
            centred = rows.to(vectors) - mean.to(vectors)
            found += centred.T @ (centred @ vectors) / n
        return found

    if d <= WHOLE:
        return mean, variances, SpectralMatrix.of(product(torch.eye(d).to(mean)))
    # Products in the numbers of the data, as rounding is far below what so many points tell.
    return mean, variances, SpectralMatrix.leading(lambda v: product(v.to(parts[0])), variances)


def _rows(x: Tensor) -> tuple[Tensor, ...]:
    """Data (n, d) in parts (m, d) small enough to be copied."""
    return torch.split(x, max(1, _CHUNK_VALUES // x.shape[1]))
