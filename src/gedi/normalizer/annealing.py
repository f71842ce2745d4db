"""log Z in any number of dimensions, by annealing from a known density.

Chains start as draws from a density q over the box. Their target distribution then changes in small
steps into that of the model (annealed importance sampling; Neal, Statistics and Computing 2001,
https://arxiv.org/abs/physics/9803008):

    f_β(x) = q(x)^(1-β) exp(-β E(x)),  x in the box,  β from 0 to 1
    Z = P(q in the box) E[ Π_t w_t ],  log w_t = (β_t - β_{t-1}) (-E(x_t) - log q(x_t))

Each step of β is as long as the weights allow: its conditional effective sample size stays above a
limit (Zhou, Johansen & Aston, JCGS 2016, https://arxiv.org/abs/1303.3123), so an energy close to q
needs few steps. When the weights have become uneven, chains are resampled (Del Moral, Doucet &
Jasra, JRSS B 2006, https://doi.org/10.1111/j.1467-9868.2006.00553.x). Chains that descend from the
same initial chain are not independent, so the error is computed from the weights of families (Chan
& Lai, Annals of Statistics 2013). W_i is the share of the total weight that the descendants of
initial chain i have, and

    ess = 1 / Σ_i W_i²,    error² = (n / ess - 1) / (n - 1)

If all of the weight descends from a few initial chains, for example because some chains have found
mass far from the data, the effective sample size is small and the value is not trusted. Mass that
no chain finds cannot be detected, such as a spike in a corner of the box in many dimensions.
"""

import math

import torch
from torch import Generator, Tensor

from gedi.model.base import GaussianBase
from gedi.model.box import Box
from gedi.normalizer.estimate import LogNormalizer
from gedi.sampling import AnchoredJump, Chains, Energy, Langevin, WithGradient, evaluate

__all__ = ["annealed_log_normalizer"]

_UNIFORM_SHARE = 0.1  # of q; see _Start
_STEP_ESS = 0.995  # smallest conditional effective sample size of a step of β, as a share of n
_LEAST = -80.0  # its exp is still a normal number in float32: denormal numbers are slow
_STEPS = 2  # Langevin steps at each temperature
_TARGET_ACCEPTANCE = 0.6
_TUNING = 25  # steps under q that tune ε before the first temperature; they need no energies
_DRAWN = 1024  # points drawn from q at once
_LEAST_INSIDE = 4096  # points that must lie in the box to estimate P(q in the box)
_MOST_DRAWN = 262_144
# Candidates for the next step, as shares of the remaining β; neighbours differ by about a fifth.
_FRACTIONS = torch.logspace(0, -8, 81, dtype=torch.float64)


@torch.no_grad()
def annealed_log_normalizer(
    energy: Energy,
    anchors: Tensor,
    bandwidth: float,
    box: Box,
    *,
    base: GaussianBase | None = None,
    n_chains: int = 512,
    most_chains: int = 2048,
    tolerance: float = 0.05,
    n_temperatures: int = 500,
    generator: Generator,
) -> LogNormalizer:
    """Estimate log Z in any number of dimensions, with its error.

    The estimate is consistent in the number of chains. While the error is above the tolerance, it
    is repeated with four times as many chains. At each temperature, chains move by two
    preconditioned Metropolis-adjusted Langevin steps and one anchored jump, which takes four
    gradients of the energy for each chain in total.

    Args:
        energy: maps points (n, d) to energies (n,) in nats; differentiable. Infinite energies and
            NaN count as zero density.
        anchors: points where the density is expected, such as data, (m, d) with m >= 2.
        bandwidth: the width of the kernels around the anchors; see
            `gedi.sampling.likeliest_bandwidth`.
        box: the domain of Z.
        base: a Gaussian that is close to the density; None is the Gaussian of the anchors.
        n_chains: the initial number of chains n; the error decreases as 1 / sqrt(n).
        most_chains: the largest number of chains.
        tolerance: the largest acceptable error in nats.
        n_temperatures: the largest number of steps of β. The last step always reaches β = 1; if it
            is too long, the weights become uneven and the result is not trusted.
        generator: draws all random numbers, on the device of the anchors.

    Returns:
        The estimate of log Z in nats, its standard error and its effective sample size.

    Raises:
        ValueError: if there are fewer than 2 anchors or they have another dimension, the bandwidth
            is not positive, the box is empty, there are fewer than 2 chains or no temperatures, or
            too little of q lies in the box to start the chains.
    """
    _check(anchors, bandwidth, box, n_chains, n_temperatures)
    box = box.to(anchors)
    start = _Start(anchors, bandwidth, base or GaussianBase.fit(anchors, 0.0), box)
    found = _anneal(energy, start, n_chains, n_temperatures, generator)
    while not found.error <= tolerance and 4 * n_chains <= most_chains:
        n_chains *= 4
        found = _anneal(energy, start, n_chains, n_temperatures, generator)
    return found


def _anneal(
    energy: Energy, start: "_Start", n_chains: int, n_temperatures: int, generator: Generator
) -> LogNormalizer:
    """Estimate log Z with one population of chains."""
    x, share, share_variance = start.draw_inside(n_chains, generator)
    moves = _Moves(start)
    x = moves.tuned(x, generator)
    weights = _Weights(n_chains, x.device)
    beta = 0.0
    for left in range(n_temperatures - 1, -1, -1):
        here, there = evaluate(start, x), evaluate(energy, x)
        slope = (here.energy.double() - there.energy.double()).nan_to_num(
            nan=-math.inf, posinf=math.inf, neginf=-math.inf
        )
        step = weights.longest_step(slope, 1 - beta) if left else 1 - beta
        weights.add(step * slope)
        beta += step
        if beta >= 1 or not weights.are_finite:
            break
        chains = _Between.mixed(here, there, beta)
        if weights.are_uneven:
            index = weights.resample(generator)
            chains = Chains(*(part[index] for part in chains))
        x = moves.step(energy, beta, chains, generator)
    if not weights.are_finite:
        return LogNormalizer(math.nan, math.inf, 0.0, "annealing")
    error = math.sqrt(weights.relative_variance + share_variance)
    return LogNormalizer(math.log(share) + weights.log_mean, error, weights.ess, "annealing")


class _Start(WithGradient):
    """The density q: 0.45 kernel density of the anchors + 0.45 Gaussian + 0.1 uniform in the box.

    The kernel density has the modes of the data but fails in many dimensions, where the Gaussian
    does not. The uniform part bounds the weights where the energy is flat. q is normalised over the
    whole space, not over the box; P(q in the box) is estimated by counting.
    """

    def __init__(self, anchors: Tensor, bandwidth: float, base: GaussianBase, box: Box) -> None:
        self.anchors, self.bandwidth, self.base, self.box = anchors, bandwidth, base, box
        m, dims = anchors.shape
        # Centred, because squares of large coordinates would lose the precision of distances.
        self.middle = anchors.mean(0)
        self.centred = anchors - self.middle
        self.squares = self.centred.square().sum(-1)
        log_root = math.log(2 * math.pi) / 2
        norms = (
            dims * (math.log(bandwidth) + log_root) + math.log(m),
            base.root.log_det + dims * log_root,
            float((box.high.double() - box.low.double()).log().sum()),
        )
        half = (1 - _UNIFORM_SHARE) / 2
        self.offsets = [
            math.log(share) - norm
            for share, norm in zip((half, half, _UNIFORM_SHARE), norms, strict=True)
        ]

    def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The energy -log q(x) in nats of points in the box, (n, d) -> (n,), and its gradient."""
        z = x - self.middle
        precision = self.bandwidth**-2
        logs = torch.addmm(-0.5 * precision * self.squares, z, precision * self.centred.T)
        most = logs.amax(-1, keepdim=True)
        near = logs.sub_(most).clamp_min_(_LEAST).exp_()
        total = near.sum(-1, keepdim=True)
        kernels = (total.log() + most).squeeze(-1) - 0.5 * precision * z.square().sum(-1)
        parts = (kernels, self.base(x), torch.zeros_like(kernels))
        logs = torch.stack([p + c for p, c in zip(parts, self.offsets, strict=True)])
        by_kernels, by_base, _ = logs.softmax(0)[..., None]
        gradient = by_kernels * precision * (z - near @ self.centred / total)
        gradient += by_base * self.base.precision(x - self.base.mean)
        return -logs.logsumexp(0), gradient

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Draw points (n, d) from q; some may lie outside the box."""
        device = self.anchors.device
        pick = torch.randint(len(self.anchors), (n,), device=device, generator=generator)
        kernel = self.anchors[pick]
        noise = torch.randn(kernel.shape, dtype=kernel.dtype, device=device, generator=generator)
        kernel = kernel + self.bandwidth * noise
        coin = torch.rand(n, 1, device=device, generator=generator)
        wide = torch.where(
            coin < _UNIFORM_SHARE,
            self.box.uniform((n,), generator),
            self.base.sample((n,), generator),
        )
        return torch.where(coin < (1 + _UNIFORM_SHARE) / 2, wide, kernel)

    def draw_inside(self, n: int, generator: Generator) -> tuple[Tensor, float, float]:
        """Draw points from q in the box.

        Returns:
            The points (n, d), the estimate of P(q in the box), and its relative variance.

        Raises:
            ValueError: if too few of the points lie in the box.
        """
        kept: list[Tensor] = []
        inside = drawn = 0
        while inside < max(n, _LEAST_INSIDE) and drawn < max(_MOST_DRAWN, 2 * n):
            x = self.draw(_DRAWN, generator)
            kept.append(x[self.box.contains(x)])
            inside, drawn = inside + len(kept[-1]), drawn + _DRAWN
        if inside < n:
            raise ValueError(
                f"expected {n} points near the anchors in the box to start the chains, got "
                f"{inside} among {drawn} draws"
            )
        share = inside / drawn
        return torch.cat(kept)[:n], share, (1 - share) / inside


class _Between(WithGradient):
    """The energy of f_β, from those for β = 0 and β = 1."""

    def __init__(self, start: _Start, energy: Energy, beta: float) -> None:
        self.start, self.energy, self.beta = start, energy, beta

    def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The energies, (n, d) -> (n,), and their gradients (n, d)."""
        chains = self.mixed(evaluate(self.start, x), evaluate(self.energy, x), self.beta)
        return chains.energy, chains.gradient

    @staticmethod
    def mixed(here: Chains, there: Chains, beta: float) -> Chains:
        """Chains under f_β, from their energies and gradients for β = 0 and β = 1."""
        return Chains(
            here.x,
            (1 - beta) * here.energy + beta * there.energy,
            (1 - beta) * here.gradient + beta * there.gradient,
        )


class _Moves:
    """The moves of the chains at a temperature; the step size is adapted to the acceptance."""

    def __init__(self, start: _Start) -> None:
        dims = start.anchors.shape[1]
        self.start = start
        self.langevin = Langevin(
            0.5 * dims ** (-1 / 3),
            1,
            metropolis=True,
            preconditioner=start.base.root,
            box=start.box,
            boundary="reject",
        ).to(start.anchors.device)
        self.jump = AnchoredJump(start.anchors, start.bandwidth, start.box)

    def tuned(self, x: Tensor, generator: Generator) -> Tensor:
        """Adapt the step size under q, which preserves the distribution of the points (n, d)."""
        chains = evaluate(self.start, x)
        for _ in range(_TUNING):
            chains = self._walk(self.start, chains, 0.4, generator)
        return chains.x

    def step(self, energy: Energy, beta: float, chains: Chains, generator: Generator) -> Tensor:
        """Positions (n, d) after a round of moves under f_β."""
        between = _Between(self.start, energy, beta)
        for _ in range(_STEPS):
            chains = self._walk(between, chains, 0.1, generator)
        return self.jump.step(between, chains, generator).x

    def _walk(self, energy: Energy, chains: Chains, rate: float, generator: Generator) -> Chains:
        chains = self.langevin.step(energy, chains, generator)
        self.langevin.log_step_size += rate * (self.langevin.acceptance - _TARGET_ACCEPTANCE)
        return chains


class _Weights:
    """The weights of n chains since they were last resampled, and the founder of each chain."""

    def __init__(self, n: int, device: torch.device) -> None:
        self.n = n
        self.log = torch.zeros(n, dtype=torch.float64, device=device)
        self.founders = torch.arange(n, device=device)
        self._log_before = 0.0

    def add(self, increments: Tensor) -> None:
        """Multiply the weights by exp(increments), (n,)."""
        self.log = self.log + increments

    @property
    def are_finite(self) -> bool:
        """Whether the largest weight is positive and finite."""
        return math.isfinite(float(self.log.max()))

    @property
    def are_uneven(self) -> bool:
        """Whether the effective sample size of the chains is below n / 2."""
        return float(self.log.softmax(0).square().sum()) * self.n > 2

    @property
    def log_mean(self) -> float:
        """The estimate of log E[ Π_t w_t ] in nats."""
        return self._log_before + float(self.log.logsumexp(0)) - math.log(self.n)

    @property
    def ess(self) -> float:
        """The effective sample size of the founders, 1 / Σ_i W_i², between 1 and n."""
        families = torch.zeros_like(self.log).index_add_(0, self.founders, self.log.softmax(0))
        return 1 / float(families.square().sum())

    @property
    def relative_variance(self) -> float:
        """The relative variance of the mean weight, for independent founders."""
        return max(0.0, self.n / self.ess - 1) / (self.n - 1)

    def longest_step(self, slope: Tensor, most: float) -> float:
        """The longest step of β, at most `most`, that keeps the effective sample size.

        The conditional effective sample size (Σ W_i v_i)² / Σ W_i v_i² with v_i = exp(step slope_i)
        must not be below its limit.
        """
        fractions = _FRACTIONS.to(slope.device)
        steps = most * fractions
        increments = steps[:, None] * slope
        ratios = (increments - increments.amax(1, keepdim=True)).exp()
        weights = self.log.softmax(0)
        cess = (ratios @ weights).square() / (ratios.square() @ weights)
        allowed = (cess >= _STEP_ESS).nonzero()
        return most * float(fractions[allowed[0, 0] if len(allowed) else -1])

    def resample(self, generator: Generator) -> Tensor:
        """Resample the chains systematically; return the parent of each chain, (n,)."""
        shift = torch.rand(1, dtype=torch.float64, device=self.log.device, generator=generator)
        points = (torch.arange(self.n, device=self.log.device) + shift) / self.n
        index = torch.searchsorted(self.log.softmax(0).cumsum(0), points).clamp_max(self.n - 1)
        self._log_before = self.log_mean
        self.log = torch.zeros_like(self.log)
        self.founders = self.founders[index]
        return index


def _check(anchors: Tensor, bandwidth: float, box: Box, n_chains: int, n_temperatures: int) -> None:
    dims = box.low.numel()
    if not bool((box.low < box.high).all()):
        raise ValueError(
            f"expected a box with low < high, got low {box.low.tolist()}, high {box.high.tolist()}"
        )
    if anchors.ndim != 2 or anchors.shape[1] != dims or len(anchors) < 2:
        raise ValueError(f"expected 2 or more anchors (m, {dims}), got {tuple(anchors.shape)}")
    if not 0 < bandwidth < math.inf:
        raise ValueError(f"expected a positive bandwidth, got {bandwidth}")
    if n_chains < 2 or n_temperatures < 1:
        raise ValueError(
            f"expected n_chains >= 2 and n_temperatures >= 1, got {n_chains} and {n_temperatures}"
        )
