"""Normalising constants of an energy over a box, which turn energies into log densities.

    log p(x) = -E(x) - log Z,    Z = ∫_box exp(-E(x)) dx

Both functions take an energy that maps points (n, d) to energies (n,), or to (..., n) for
several models evaluated on the same points at once, and return a log Z for each of them. The
energy sees points of the box's type and device; sums are kept in float64.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["grid_log_normalizer", "importance_log_normalizer"]

# Points given to the energy at once, and distances to anchors held at once.
_CHUNK_POINTS = 65_536
_CHUNK_DISTANCES = 4_194_304
_UNIFORM_SHARE = 0.05


@torch.no_grad()
def grid_log_normalizer(
    energy: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, n_cells: int = 400
) -> Tensor:
    """Log Z in one or two dimensions, by the midpoint rule.

        log Z = logsumexp_cells( -E(midpoint) ) + log(volume of a cell)

    Args:
        energy: maps points (n, d) to energies (..., n), in nats.
        low: lower corner (d,) of the box.
        high: upper corner (d,) of the box.
        n_cells: number of cells along each dimension.

    Returns:
        log Z (...) in nats, float64; of shape () for a single energy.

    Raises:
        ValueError: more than two dimensions, an empty box, or no cells.
    """
    dims = _check_box(low, high)
    if dims > 2:
        raise ValueError(
            f"a grid over {dims} dimensions needs {n_cells}^{dims} points: "
            f"use importance_log_normalizer beyond two"
        )
    if n_cells < 1:
        raise ValueError(f"expected at least 1 cell, got {n_cells}")
    origin = low.double()
    width = (high.double() - origin) / n_cells
    strides = n_cells ** torch.arange(dims, device=low.device)
    parts = []
    for start in range(0, n_cells**dims, _CHUNK_POINTS):
        stop = min(start + _CHUNK_POINTS, n_cells**dims)
        cells = torch.arange(start, stop, device=low.device)[:, None] // strides % n_cells
        points = origin + (cells + 0.5) * width
        parts.append(torch.logsumexp(-energy(points.to(low.dtype)).double(), dim=-1))
    return torch.logsumexp(torch.stack(parts), dim=0) + width.log().sum()


@torch.no_grad()
def importance_log_normalizer(
    energy: Callable[[Tensor], Tensor],
    anchors: Tensor,
    bandwidth: float,
    low: Tensor,
    high: Tensor,
    *,
    n_samples: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Log Z in any dimension, by importance sampling around anchors.

        Z = E_q[ w(x) ],    w(x) = 1[x in box] exp(-E(x)) / q(x)
        q = 0.95 mean_j N(a_j, bandwidth² I) + 0.05 uniform over the box

    The uniform part bounds the weights where no anchor is near. log Z is biased downwards by
    about 1 / (2 ess) nats, and more where q misses mass of the model: then the effective sample
    size (Kish), (Σ w)² / Σ w², which sees drawn samples only, can be large and wrong.

    Args:
        energy: maps points (n, d) to energies (..., n), in nats.
        anchors: points (m, d) where the density is expected, such as data.
        bandwidth: standard deviation of the kernels, in the box's units.
        low: lower corner (d,) of the box.
        high: upper corner (d,) of the box.
        n_samples: number of points drawn.
        generator: draws them, on its own device.

    Returns:
        log Z (...) in nats and the effective sample size (...), between 1 and n_samples; both
        float64, of shape () for a single energy.

    Raises:
        ValueError: anchors of another dimension, a bandwidth that is not positive, an empty
            box, or fewer than 2 samples.
    """
    dims = _check_box(low, high)
    if anchors.ndim != 2 or anchors.shape[1] != dims or len(anchors) == 0:
        raise ValueError(f"expected anchors (m, {dims}), got {tuple(anchors.shape)}")
    if not 0 < bandwidth < math.inf:
        raise ValueError(f"expected a positive bandwidth, got {bandwidth}")
    if n_samples < 2:
        raise ValueError(f"expected at least 2 samples, got {n_samples}")
    proposal = _Proposal(anchors.to(low), bandwidth, low, high, n_samples)
    log_sums, log_squares = [], []
    for points in torch.split(proposal.sample(generator), proposal.chunk):
        inside = ((points >= low) & (points <= high)).all(dim=-1)
        log_weights = -energy(points).double() - proposal.log_prob(points)
        log_weights = log_weights.masked_fill(~inside, -math.inf)
        log_sums.append(torch.logsumexp(log_weights, dim=-1))
        log_squares.append(torch.logsumexp(2 * log_weights, dim=-1))
    log_sum = torch.logsumexp(torch.stack(log_sums), dim=0)
    log_square = torch.logsumexp(torch.stack(log_squares), dim=0)
    return log_sum - math.log(n_samples), torch.exp(2 * log_sum - log_square)


class _Proposal:
    """Gaussians at anchors mixed with a uniform part over the box.

    The numbers of points from either part are fixed rather than drawn, and the mixture's
    weights are their shares: the estimate stays unbiased and its variance falls.
    """

    def __init__(
        self, anchors: Tensor, bandwidth: float, low: Tensor, high: Tensor, n_samples: int
    ) -> None:
        self.anchors, self.bandwidth = anchors, bandwidth
        self.low, self.high = low, high
        self.n_uniform = max(1, round(_UNIFORM_SHARE * n_samples))
        self.n_kernel = n_samples - self.n_uniform
        self.chunk = max(1, min(_CHUNK_POINTS, _CHUNK_DISTANCES // len(anchors)))

    def sample(self, generator: torch.Generator) -> Tensor:
        """Points (n_samples, d); those of the kernels may lie outside the box."""
        dims, device, to = len(self.low), generator.device, self.low
        pick = torch.randint(
            len(self.anchors), (self.n_kernel,), generator=generator, device=device
        )
        noise = torch.randn(self.n_kernel, dims, generator=generator, device=device).to(to)
        share = torch.rand(self.n_uniform, dims, generator=generator, device=device).to(to)
        kernel = self.anchors[pick.to(to.device)] + self.bandwidth * noise
        return torch.cat([kernel, self.low + (self.high - self.low) * share])

    def log_prob(self, points: Tensor) -> Tensor:
        """Log density (n,) of points (n, d) in the box, in nats, float64."""
        dims = len(self.low)
        total = math.log(self.n_kernel + self.n_uniform)
        scaled = torch.cdist(
            points.double() / self.bandwidth, self.anchors.double() / self.bandwidth
        )
        log_norm = dims * (math.log(self.bandwidth) + 0.5 * math.log(2 * math.pi))
        kernel = torch.logsumexp(-0.5 * scaled.square(), dim=-1) - math.log(len(self.anchors))
        kernel = kernel - log_norm + math.log(self.n_kernel) - total
        log_volume = (self.high.double() - self.low.double()).log().sum()
        uniform = math.log(self.n_uniform) - total - log_volume
        return torch.logaddexp(kernel, uniform.expand_as(kernel))


def _check_box(low: Tensor, high: Tensor) -> int:
    """The number of dimensions of a box that is not empty."""
    if low.ndim != 1 or low.shape != high.shape or len(low) == 0:
        raise ValueError(
            f"expected corners of shape (d,), got {tuple(low.shape)} and {tuple(high.shape)}"
        )
    if not bool((low < high).all()):
        raise ValueError(f"the box is empty: low {low.tolist()}, high {high.tolist()}")
    return len(low)
