"""The base density: a Gaussian of the data under the energy of the network.

In many dimensions, a network that starts from a flat energy has to lower it by hundreds of nats
while its chains start far from the data; this is how joint energy models usually diverge. With the
Gaussian of the data as base, training starts at the best Gaussian fit, chains start inside the
data, and the network learns only the difference. The base is one function added to every logit, so
it leaves p(y|x) unchanged.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Self

import torch
from torch import Generator, Tensor, nn

from gedi.model.spectral import WHOLE, SpectralMatrix

__all__ = ["GaussianBase", "NormalizedGaussian", "likeliest_shrinkage"]

_CHUNK_VALUES = 2**21  # values of the data at a time, 16 MiB in float64
_FORMED = 2048  # columns up to which products with 128 vectors take longer than the covariance
_LEAST_SHRINKAGE = 1e-3
_MANY = 5  # points per feature, above which a few distant points would determine the shrinkage


class GaussianBase(nn.Module):
    """The log-density of N(μ, Σ) up to a constant, b(x) = -|(x - μ) Σ^(-1/2)|² / 2.

    Args:
        mean: the mean μ, (d,).
        covariance: the covariance Σ, positive definite, (d, d).

    Raises:
        ValueError: if the covariance is not positive definite.
    """

    mean: Tensor

    def __init__(self, mean: Tensor, covariance: SpectralMatrix) -> None:
        super().__init__()
        least = torch.minimum(covariance.values.min(), covariance.rest)
        if not bool(least > 0):
            raise ValueError(
                f"expected a positive definite covariance, got a smallest eigenvalue of {least:.3g}"
            )
        self.register_buffer("mean", mean)
        self.root = covariance.power(0.5).to(mean)
        self.precision = covariance.power(-1.0).to(mean)

    @classmethod
    def fit(cls, x: Tensor, noise: float) -> Self:
        """Fit the Gaussian of data with added noise N(0, s² I), by a shrunk covariance.

            Σ = (1 - ρ) S + ρ (tr S / d) I + s² I

        S is the covariance of the data, and ρ maximises the likelihood of held-out points: with
        fewer points than features, S is zero in most directions. ρ is at least 0.001, so that Σ is
        positive definite for constant features too, and exactly 0.001 for five points per feature
        or more. In many dimensions only the leading eigenvectors of S are kept, see
        `SpectralMatrix`.

        Args:
            x: the data, (n, d).
            noise: the standard deviation of the noise, s.
        """
        mean, variances, covariance = _moments([x])
        many = len(x) >= _MANY * len(mean)
        rho = _LEAST_SHRINKAGE if many else likeliest_shrinkage(x, noise)
        shrunk = covariance.plus(1 - rho, rho * variances.mean() + noise**2 + 1e-12)
        return cls(mean.to(x), shrunk)

    def widened(self, factor: float) -> Self:
        """The Gaussian with all standard deviations multiplied by a factor."""
        wider = copy.deepcopy(self)
        wider.root = self.root.plus(factor, 0.0)
        wider.precision = self.precision.plus(factor**-2, 0.0)
        return wider

    def forward(self, x: Tensor) -> Tensor:
        """The log-density up to a constant in nats, b(x), (..., d) -> (...)."""
        log_density: Tensor = -0.5 * self.precision.quadratic(x - self.mean)
        return log_density

    def whiten(self, x: Tensor) -> Tensor:
        """Whitened points, (x - μ) Σ^(-1/2), (..., d) -> (..., d)."""
        white: Tensor = self.precision.power(0.5)(x - self.mean)
        return white

    def given(self, known: Tensor, free: Tensor) -> "GaussianBase":
        """The Gaussian of some coordinates, given the others.

            N( μ_f - P_ff⁻¹ P_fk (x_k - μ_k), P_ff⁻¹ ),   P = Σ⁻¹

        Args:
            known: one point x, (d,); its free coordinates are ignored.
            free: which coordinates are free, f, (d,); the others are known, k.
        """
        precision = self.precision.within(free)
        covariance = precision.power(-1.0)
        apart = torch.where(free, 0.0, known - self.mean)
        return GaussianBase(self.mean[free] - covariance(self.precision(apart)[free]), covariance)

    def sample(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Draw points from N(μ, Σ), (*shape, d)."""
        noise = torch.randn(
            *shape,
            self.mean.numel(),
            dtype=self.mean.dtype,
            device=self.mean.device,
            generator=generator,
        )
        points: Tensor = self.mean + self.root(noise)
        return points


class NormalizedGaussian(GaussianBase):
    """The log-density of N(μ, Σ), -|(x - μ) Σ^(-1/2)|² / 2 - log |2πΣ| / 2, in nats."""

    def forward(self, x: Tensor) -> Tensor:
        """The log-density in nats, (..., d) -> (...)."""
        root, d = self.root, self.mean.numel()
        log_det = root.values.log().sum()  # half of that of Σ
        if not root.is_whole:
            log_det = log_det + (d - len(root.values)) * root.rest.log()
        return super().forward(x) - log_det - 0.5 * d * math.log(2 * math.pi)


def likeliest_shrinkage(x: Tensor, noise: float) -> float:
    """The shrinkage ρ in [0.001, 1] that maximises the likelihood of held-out points.

    Every fifth point is held out, and the Gaussian is fitted to the others. All shrunk covariances
    share the eigenvectors of S, so the mean log-density is, up to a constant,

        -½ Σ_i (log v_i + (q_i + s²) / v_i),   v_i = (1 - ρ) λ_i + ρ tr S / d + s²,

    where λ_i is an eigenvalue of S and q_i the mean square of the held-out points along its
    eigenvector.

    Args:
        x: the data, (n, d).
        noise: the standard deviation of the noise, s.
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
    """The mean (d,), variances (d,) and covariance of data in parts (n_i, d), in float64.

    Sums are taken over some rows at a time, because a float64 copy of all rows would need twice the
    memory of the data. In many dimensions the covariance matrix is not formed: only its products
    with 128 vectors are computed, so that time and memory grow with d instead of its square.
    Rounding errors of sums in the dtype of the data are far below the sampling error.
    """
    n, d = max(sum(map(len, parts)), 1), parts[0].shape[1]
    zeros = torch.zeros(d, dtype=torch.float64, device=parts[0].device)
    mean, variances = zeros, zeros.clone()
    for rows in chain.from_iterable(map(_rows, parts)):
        mean += rows.double().sum(0) / n
    for rows in chain.from_iterable(map(_rows, parts)):
        variances += (rows.double() - mean).square().sum(0) / n

    def centred(dtype: torch.dtype) -> Iterator[Tensor]:
        for rows in chain.from_iterable(map(_rows, parts)):
            yield rows.to(dtype) - mean.to(dtype)

    def product(vectors: Tensor) -> Tensor:
        found = torch.zeros_like(vectors, dtype=mean.dtype)
        for rows in centred(vectors.dtype):
            found += rows.T @ (rows @ vectors) / n
        return found

    if d > _FORMED:
        return mean, variances, SpectralMatrix.leading(lambda v: product(v.to(parts[0])), variances)
    covariance = torch.zeros(d, d, dtype=mean.dtype, device=mean.device)
    for rows in centred(mean.dtype if d <= WHOLE else parts[0].dtype):
        covariance += rows.T @ rows / n
    return mean, variances, SpectralMatrix.of(covariance)


def _rows(x: Tensor) -> tuple[Tensor, ...]:
    """Split data (n, d) into parts (m, d) that are small enough to be copied."""
    return torch.split(x, max(1, _CHUNK_VALUES // x.shape[1]))
