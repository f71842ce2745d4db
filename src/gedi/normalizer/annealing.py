"""Normalising constants in many dimensions, by annealing from a density that is known.

Chains start as draws of a density q over the box and move under a law that turns by small steps
into the model's (annealed importance sampling; Neal, Statistics and Computing 2001):

    f_β(x) = q(x)^(1-β) exp(-β E(x)),  x in the box,  β from 0 to 1
    Z = P(q in the box) E[ Π_t w_t ],  log w_t = (β_t - β_{t-1}) (-E(x_t) - log q(x_t))

Each β is as far as the weights allow: the conditional effective sample size of a step stays above
a limit (Zhou, Johansen & Aston, JCGS 2016), so an energy near q takes few steps. Where the weights
have become uneven, chains are resampled (Del Moral, Doucet & Jasra, JRSS B 2006). Chains of one
founder are no longer independent, so the error is read off the weights of families (Chan & Lai,
Annals of Statistics 2013): W_i is the share of all weight that founder i's offspring hold, and

    ess = 1 / Σ_i W_i²,    error² = (n / ess - 1) / (n - 1)

Where all weight descends from a few founders, as it does when some chains stumble into a mass far
from the data, the effective sample size is small and the value is not trusted. What no chain finds
cannot be seen: a spike in the corner of a box in many dimensions.
"""

import math

import torch
from torch import Generator, Tensor

from gedi.model.base import GaussianBase
from gedi.model.box import Box
from gedi.normalizer.estimate import LogNormalizer
from gedi.sampling import AnchoredJump, Chains, Energy, Langevin, evaluate

__all__ = ["annealed_log_normalizer"]

_UNIFORM_SHARE = 0.1  # of q; see _Start
_STEP_ESS = 0.995  # share of the sample size that a step of β may leave
_STEPS = 2  # Langevin steps at each temperature
_TARGET_ACCEPTANCE = 0.6
_TUNING = 25  # steps under q, before the first temperature, that tune ε; they cost no energy
_DRAWN = 1024  # points of q drawn at once
_LEAST_INSIDE = 4096  # of which so many must lie in the box, for its share to be well known
_MOST_DRAWN = 262_144
# Of what is left of β: candidates for the next step, about a fifth apart.
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
    """Log Z in any dimension, with its error; consistent in the number of chains.

    Where the error is above the tolerance, it is tried again with four times as many chains.

    The chains move by preconditioned Metropolis-adjusted Langevin steps and one anchored jump at
    each temperature: four gradients of the energy for every chain.

    Args:
        energy: maps points (n, d) to energies (n,), in nats; differentiable. Infinite energies and
            those that are not a number count as zero density.
        anchors: points (m, d) where the density is expected, such as data; m >= 2.
        bandwidth: of the kernels around them; see `gedi.sampling.likeliest_bandwidth`.
        box: over which Z is.
        base: a Gaussian as near to the density as one is known; None is that of the anchors.
        n_chains: n to begin with; the error falls as 1 / sqrt(n).
        most_chains: n in the end, at most.
        tolerance: error in nats that is good enough.
        n_temperatures: at most. The last step goes all the way, and where it is too far the
            weights show it: the result is then not trusted.
        generator: source of all randomness, on the device of the anchors.

    Raises:
        ValueError: anchors of another dimension or too few, a bandwidth that is not positive, an
            empty box, fewer than 2 chains or no temperature, or if so little of q lies in the box
            that the chains cannot start.
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
    """Log Z from one population of chains."""
    x, share, share_variance = start.draw_inside(n_chains, generator)
    moves = _Moves(start)
    x = moves.tuned(x, generator)
    weights = _Weights(n_chains, x.device)
    beta = 0.0
    for left in range(n_temperatures - 1, -1, -1):
        here, there = evaluate(start.energy, x), evaluate(energy, x)
        slope = (here.energy.double() - there.energy.double()).nan_to_num(
            nan=-math.inf, posinf=math.inf, neginf=-math.inf
        )
        step = weights.longest_step(slope, 1 - beta) if left else 1 - beta
        weights.add(step * slope)
        beta += step
        if beta >= 1 or not weights.are_finite:
            break
        chains = _between(here, there, beta)
        if weights.are_uneven:
            index = weights.resample(generator)
            chains = Chains(*(part[index] for part in chains))
        x = moves.step(energy, beta, chains, generator)
    if not weights.are_finite:
        return LogNormalizer(math.nan, math.inf, 0.0, "annealing")
    error = math.sqrt(weights.relative_variance + share_variance)
    return LogNormalizer(math.log(share) + weights.log_mean, error, weights.ess, "annealing")


class _Start:
    """q: 0.45 kernel density of the anchors + 0.45 Gaussian + 0.1 uniform over the box.

    Kernels know the modes and fail in many dimensions, where the Gaussian does not; the uniform
    part bounds the weights where the energy is flat. Not cut off at the box, so that q is
    normalised; P(q in the box) is counted.
    """

    def __init__(self, anchors: Tensor, bandwidth: float, base: GaussianBase, box: Box) -> None:
        self.anchors, self.bandwidth, self.base, self.box = anchors, bandwidth, base, box
        m, dims = anchors.shape
        # Around their middle, as squares of large numbers would lose the small distances.
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

    def energy(self, x: Tensor) -> Tensor:
        """-log q(x) of points in the box, (n, d) -> (n,)."""
        z = x - self.middle
        squares = self.squares + z.square().sum(-1, keepdim=True) - 2 * z @ self.centred.T
        kernels = (squares * (-0.5 / self.bandwidth**2)).logsumexp(-1)
        parts = (kernels, self.base(x), torch.zeros_like(kernels))
        summed = torch.stack([p + c for p, c in zip(parts, self.offsets, strict=True)])
        return -summed.logsumexp(0)

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Points (n, d) from q; some may lie outside the box."""
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
        """Points (n, d) in the box, P(q in the box), and the relative variance of that share."""
        kept: list[Tensor] = []
        inside = drawn = 0
        while inside < max(n, _LEAST_INSIDE) and drawn < max(_MOST_DRAWN, 2 * n):
            x = self.draw(_DRAWN, generator)
            kept.append(x[self.box.contains(x)])
            inside, drawn = inside + len(kept[-1]), drawn + _DRAWN
        if inside < n:
            raise ValueError(
                f"only {inside} of {drawn} points near the anchors lie in the box, "
                f"too few to start {n} chains"
            )
        share = inside / drawn
        return torch.cat(kept)[:n], share, (1 - share) / inside


class _Moves:
    """What moves the chains at a temperature; steps follow the acceptance."""

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
        """Find the step size under q, which leaves its law as it is."""
        chains = evaluate(self.start.energy, x)
        for _ in range(_TUNING):
            chains = self._walk(self.start.energy, chains, 0.4, generator)
        return chains.x

    def step(self, energy: Energy, beta: float, chains: Chains, generator: Generator) -> Tensor:
        """Positions (n, d) after a round of moves under f_β."""

        def between(x: Tensor) -> Tensor:
            return beta * energy(x) + (1 - beta) * self.start.energy(x)

        for _ in range(_STEPS):
            chains = self._walk(between, chains, 0.1, generator)
        return self.jump.step(between, chains, generator).x

    def _walk(self, energy: Energy, chains: Chains, rate: float, generator: Generator) -> Chains:
        chains = self.langevin.step(energy, chains, generator)
        self.langevin.log_step_size += rate * (self.langevin.acceptance - _TARGET_ACCEPTANCE)
        return chains


class _Weights:
    """Weights of n chains since they were last resampled, and who descends from whom."""

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
        """Whether there is any weight, and none without bound."""
        return math.isfinite(float(self.log.max()))

    @property
    def are_uneven(self) -> bool:
        """Whether fewer than half of the chains count."""
        return float(self.log.softmax(0).square().sum()) * self.n > 2

    @property
    def log_mean(self) -> float:
        """Of E[ Π_t w_t ], in nats."""
        return self._log_before + float(self.log.logsumexp(0)) - math.log(self.n)

    @property
    def ess(self) -> float:
        """1 / Σ_i W_i² over the founders, between 1 and n."""
        families = torch.zeros_like(self.log).index_add_(0, self.founders, self.log.softmax(0))
        return 1 / float(families.square().sum())

    @property
    def relative_variance(self) -> float:
        """Of the mean weight, over its square: that of independent founders."""
        return max(0.0, self.n / self.ess - 1) / (self.n - 1)

    def longest_step(self, slope: Tensor, most: float) -> float:
        """The longest step of β, of at most `most`, that costs little of the sample size.

        cess = (Σ W_i v_i)² / Σ W_i v_i², v_i = exp(step slope_i), stays at or above its limit.
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
        """Parents (n,) of the next generation, evenly spaced in the cumulated weights."""
        shift = torch.rand(1, dtype=torch.float64, device=self.log.device, generator=generator)
        points = (torch.arange(self.n, device=self.log.device) + shift) / self.n
        index = torch.searchsorted(self.log.softmax(0).cumsum(0), points).clamp_max(self.n - 1)
        self._log_before = self.log_mean
        self.log = torch.zeros_like(self.log)
        self.founders = self.founders[index]
        return index


def _between(here: Chains, there: Chains, beta: float) -> Chains:
    """Chains under f_β, from their energies and gradients at both ends."""
    return Chains(
        here.x,
        (1 - beta) * here.energy + beta * there.energy,
        (1 - beta) * here.gradient + beta * there.gradient,
    )


def _check(anchors: Tensor, bandwidth: float, box: Box, n_chains: int, n_temperatures: int) -> None:
    dims = box.low.numel()
    if not bool((box.low < box.high).all()):
        raise ValueError(f"the box is empty: low {box.low.tolist()}, high {box.high.tolist()}")
    if anchors.ndim != 2 or anchors.shape[1] != dims or len(anchors) < 2:
        raise ValueError(f"expected 2 or more anchors (m, {dims}), got {tuple(anchors.shape)}")
    if not 0 < bandwidth < math.inf:
        raise ValueError(f"expected a positive bandwidth, got {bandwidth}")
    if n_chains < 2 or n_temperatures < 1:
        raise ValueError(
            f"expected n_chains >= 2 and n_temperatures >= 1, got {n_chains} and {n_temperatures}"
        )
