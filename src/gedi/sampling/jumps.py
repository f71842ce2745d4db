"""Jumps between parts of the data that Langevin chains cannot travel between.

Persistent chains settle in one part (a ring, a class of images) and stay, so nothing holds the
parts' masses where they belong: the classic failure of maximum-likelihood training of energies.
A jump proposes the same offset from another data point and is tested by Metropolis, so the law
stays exactly p(x) whatever the data points are; they only make the proposals good ones.
"""

import torch
from torch import Generator, Tensor

from gedi.distributed import mean
from gedi.model.box import Box
from gedi.sampling.chains import Chains, Energy, Move, accept, evaluate

__all__ = ["AnchoredJump", "likeliest_bandwidth"]


_LEAST = -80.0  # exp of which is not yet denormal in float32


class AnchoredJump(Move):
    """x' = x + a_j - a_i, with anchor i drawn near x and anchor j uniformly.

    i is drawn with probability K(x - a_i) / Σ_k K(x - a_k), K a Gaussian kernel of width h. The
    move (x, i, j) -> (x', j, i) is its own inverse and preserves volume, so it is accepted with
    probability min(1, exp(E(x) - E(x')) q(x) / q(x')), where q is the kernel density of the
    anchors. Because the offset x - a_i is kept, a chain far from all anchors in many dimensions
    lands as far from them, where an independent proposal from q would always be refused.

    Args:
        anchors: points of the data, (m, d).
        bandwidth: h; see `likeliest_bandwidth`.
        box: proposals outside are refused.
        members: leading dimensions of the chains.
    """

    anchors: Tensor
    bandwidth: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self,
        anchors: Tensor,
        bandwidth: float,
        box: Box,
        *,
        members: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.register_buffer("anchors", anchors)
        self.register_buffer("bandwidth", torch.as_tensor(bandwidth, dtype=anchors.dtype))
        self.register_buffer("low", box.low)
        self.register_buffer("high", box.high)
        self.register_buffer("acceptance", torch.ones(members))

    @torch.no_grad()
    def step(self, energy: Energy, chains: Chains, generator: Generator) -> Chains:
        """One jump of every chain."""
        near, log_here = self._kernels(chains.x)
        source = draw_categorical(near, generator)
        target = torch.randint(
            len(self.anchors), source.shape, device=source.device, generator=generator
        )
        x = chains.x + self.anchors[target] - self.anchors[source]
        proposal = evaluate(energy, x)
        _, log_there = self._kernels(x)
        log_ratio = chains.energy - proposal.energy + log_here - log_there
        log_ratio.masked_fill_(~Box(self.low, self.high).contains(x), -torch.inf)
        chains, self.acceptance = accept(chains, proposal, log_ratio, generator)
        if self.training:
            self.acceptance = mean(self.acceptance)
        return chains

    def _kernels(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Kernels of every anchor and the log of their sum, (..., n, d) -> (..., n, m), (..., n).

        The kernels -|x - a_k|² / 2h² of a point are relative to its largest. Those below it by
        more than float32 can tell from nothing are at that bound: such numbers are slow.
        """
        precision = self.bandwidth**-2
        squares = -0.5 * precision * self.anchors.square().sum(-1)
        logs = torch.nn.functional.linear(x, precision * self.anchors, squares)
        most = logs.amax(-1, keepdim=True)
        near = logs.sub_(most).clamp_min_(_LEAST).exp_()
        distance = 0.5 * precision * x.square().sum(-1)
        return near, near.sum(-1).log_() + most.squeeze(-1) - distance


def draw_categorical(weights: Tensor, generator: Generator) -> Tensor:
    """One index for each row of weights, which need not add up to one, (..., m) -> (...).

    By inversion of the cumulated weights, many times faster than torch.multinomial here.
    """
    cumulated = weights.cumsum(-1)
    total = cumulated[..., -1:]
    uniform = torch.rand(total.shape, dtype=total.dtype, device=total.device, generator=generator)
    index = torch.searchsorted(cumulated, uniform * total).squeeze(-1)
    return index.clamp_max(weights.shape[-1] - 1)


def likeliest_bandwidth(anchors: Tensor) -> float:
    """The width h at which the kernel density of all other anchors makes each anchor likeliest.

    max_h Σ_i log 1/(m-1) Σ_{k != i} N(a_i; a_k, h² I), over a grid of 60 widths from a tenth of the
    median distance of neighbours to three times it, or to the spread of the anchors where that is
    more: in few dimensions, neighbours are much closer than the best width.

    Args:
        anchors: (m, d), m >= 2. Where all are the same, any width will do, and it is 1.
    """
    if bool((anchors == anchors[0]).all()):
        return 1.0
    squares = torch.cdist(anchors.double(), anchors.double()).square()
    squares.fill_diagonal_(torch.inf)
    nearest = squares.amin(-1).sqrt()
    typical = (
        nearest[nearest > 0].median()
        if bool((nearest > 0).any())
        else squares[squares.isfinite()].max().sqrt()
    )
    widest = torch.maximum(3 * typical, anchors.double().std(0).max())
    steps = torch.linspace(0, 1, 60, dtype=torch.float64, device=anchors.device)
    widths = 0.1 * typical * (widest / (0.1 * typical)) ** steps
    scores = torch.empty_like(widths)
    for k, h in enumerate(widths):
        # Not into a list: what is kept between large blocks that are freed keeps them from use.
        scores[k] = torch.logsumexp(squares / (-2 * h * h), -1).mean() - anchors.shape[1] * h.log()
    return float(widths[scores.argmax()])
