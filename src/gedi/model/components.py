"""Mixtures of multivariate t laws, fitted by expectation maximisation."""

import math

import torch
from torch import Generator, Tensor, nn

from gedi.model.margins import register

__all__ = ["GAUSSIAN", "Components", "expectation_maximisation", "partition"]

GAUSSIAN = 1e8  # degrees of freedom of a t that is a Gaussian to within 1e-6 nats
_BROAD = 2.0  # degrees of freedom of the broad component
_GATHERED = 2**22  # values of covariance roots at a time


class Components(nn.Module):
    """q(y) = Σ_k w_k t(y; ν_k, μ_k, S_k), with  S_k^-1 = W_kᵀ W_k.

        log t = c_k - (ν_k + q)/2 log(1 + |W_k (y - μ_k)|² / ν_k)

    Args:
        tensors: w, of sum 1, ν and log w + c (k,), μ (k, q), and W (k, q, q), lower triangular.
    """

    weights: Tensor
    freedom: Tensor
    log_peaks: Tensor
    means: Tensor
    whiteners: Tensor

    def __init__(self, **tensors: Tensor) -> None:
        super().__init__()
        register(self, tensors)

    @classmethod
    def of(cls, weights: Tensor, freedom: Tensor, means: Tensor, whiteners: Tensor) -> "Components":
        """The mixture by its parameters, in float64, as c_k is a difference of large numbers."""
        q = means.shape[1]
        log_peaks = torch.lgamma((freedom + q) / 2) - torch.lgamma(freedom / 2)
        log_peaks = log_peaks - 0.5 * q * (freedom * math.pi).log() + weights.log()
        return cls(
            weights=weights,
            freedom=freedom,
            log_peaks=log_peaks + whiteners.diagonal(dim1=1, dim2=2).log().sum(1),
            means=means,
            whiteners=whiteners,
        )

    def joint(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Logs of w_k t(y; k) and |W_k (y - μ_k)|², (n, q) -> (n, k), (n, k)."""
        white = y @ self.whiteners.mT - (self.whiteners @ self.means[..., None]).mT  # (k, n, q)
        squares = white.square().sum(-1).T
        exponents = (self.freedom + y.shape[1]) / 2
        return self.log_peaks - exponents * torch.log1p(squares / self.freedom), squares

    def forward(self, y: Tensor) -> Tensor:
        """Values of log q(y), (n, q) -> (n,)."""
        return torch.logsumexp(self.joint(y)[0], 1)

    def sample(self, n: int, generator: Generator) -> Tensor:
        """Points from q, (n, q)."""
        which = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        q, at = self.means.shape[1], self.means.device
        noise = torch.randn(n, q, dtype=self.means.dtype, device=at, generator=generator)
        # The public Gamma law takes no generator.
        gamma = torch._standard_gamma(self.freedom[which] / 2, generator=generator)
        noise = noise * (self.freedom[which] / (2 * gamma)).sqrt()[:, None]
        eye = torch.eye(q).to(self.means).expand_as(self.whiteners)
        roots = torch.linalg.solve_triangular(self.whiteners, eye, upper=False)
        rows = max(1, _GATHERED // q**2)
        parts = zip(torch.split(which, rows), torch.split(noise, rows), strict=True)
        coloured = torch.cat([(roots[k] @ part[..., None])[..., 0] for k, part in parts])
        return self.means[which] + coloured

    @classmethod
    def pooled(cls, several: "list[Components]") -> "Components":
        """The average of mixtures."""
        return cls.of(
            torch.cat([c.weights for c in several]) / len(several),
            torch.cat([c.freedom for c in several]),
            torch.cat([c.means for c in several]),
            torch.cat([c.whiteners for c in several]),
        )

    def with_points(self, points: Tensor, shares: Tensor, deviation: float) -> "Components":
        """With components so narrow, of these weights (m,) in the whole, at points (m, q)."""
        m, q = points.shape
        return Components.of(
            torch.cat([self.weights * (1 - shares.sum()), shares.to(points)]),
            torch.cat([self.freedom, torch.full_like(points[:, 0], GAUSSIAN)]),
            torch.cat([self.means, points]),
            torch.cat([self.whiteners, torch.eye(q).to(points).expand(m, q, q) / deviation]),
        )


def expectation_maximisation(
    y: Tensor,
    shares: Tensor,
    *,
    strength: float,
    freedom: float,
    iterations: int,
    tolerance: float,
) -> Components:
    """Mixture of k components of the same freedom and a broad one, of points with covariance I.

    Args:
        y: points, (n, q).
        shares: responsibilities to start from, (n, k).
        strength: of the prior of the covariances, in points.
        freedom: ν of the components.
        iterations: at most.
        tolerance: gain in mean log-density, in nats, below which it ends.
    """
    q = y.shape[1]
    found = _maximise(y, shares, shares, strength, freedom)
    last = -math.inf
    for _ in range(iterations):
        joint, squares = found.joint(y)
        log_q = torch.logsumexp(joint, 1)
        shares = (joint[:, 1:] - log_q[:, None]).exp()
        pulls = shares * (freedom + q) / (freedom + squares[:, 1:])
        found = _maximise(y, shares, pulls, strength, freedom)
        now = float(log_q.mean())
        if now - last < tolerance:
            break
        last = now
    return found


def _maximise(
    y: Tensor, shares: Tensor, pulls: Tensor, strength: float, freedom: float
) -> Components:
    """Components from responsibilities and from weights of the points in moments, both (n, k).

    S_k = (N_k C_k + a k^(-2/q) I) / (N_k + a), with strength a: the mode under an inverse Wishart
    prior that knows how far k components share the space (Fraley & Raftery, J. Classif. 2007).
    """
    (n, q), k = y.shape, shares.shape[1]
    counts, totals = shares.sum(0), pulls.sum(0).clamp_min(1e-12)
    means = pulls.T @ y / totals[:, None]
    eye = torch.eye(q).to(y)
    scatters = (pulls.T[:, None, :] * y.T) @ y - totals[:, None, None] * (
        means[:, :, None] * means[:, None, :]
    )
    covariances = (scatters + strength * k ** (-2 / q) * eye) / (counts + strength)[:, None, None]
    roots = torch.linalg.cholesky_ex(covariances + 1e-9 * eye).L
    whiteners = torch.linalg.solve_triangular(roots, eye.expand_as(roots), upper=False)
    weights = (counts + 1) / (n + k + 1)
    return Components.of(
        torch.cat([1 - weights.sum(0, keepdim=True), weights]),
        torch.cat([weights.new_tensor([_BROAD]), torch.full_like(weights, freedom)]),
        torch.cat([means.new_zeros(1, q), means]),
        torch.cat([eye[None], whiteners]),
    )


def partition(y: Tensor, k: int, generator: Generator) -> Tensor:
    """One-hot groups by k-means++ and six rounds of k-means, (n, q) -> (n, k).

    A distance counts as no more than twice that of Gaussian points, sqrt(q): far rows would take
    all centres otherwise.
    """

    def squares(centres: Tensor) -> Tensor:
        return torch.cdist(y, centres).square().clamp_max(4 * y.shape[1])

    centres = y[torch.randint(len(y), (1,), generator=generator)]
    nearest = squares(centres)[:, 0]
    tries = 2 + int(math.log(k))
    for _ in range(k - 1):
        drawn = torch.multinomial(nearest + 1e-12, tries, replacement=True, generator=generator)
        each = squares(y[drawn]).minimum(nearest[:, None])
        best = each.sum(0).argmin()
        centres = torch.cat([centres, y[drawn[best]][None]])
        nearest = each[:, best]
    for _ in range(6):
        groups = nn.functional.one_hot(torch.cdist(y, centres).argmin(1), k).to(y)
        counts = groups.sum(0)[:, None]
        centres = torch.where(counts > 0, groups.T @ y / counts.clamp_min(1), centres)
    return groups
