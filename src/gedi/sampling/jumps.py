"""Jumps between parts of the data that Langevin chains cannot cross.

Persistent chains stay in one part of the data, such as a ring or a class of images, so nothing
keeps the masses of the parts right. This is the classic failure of maximum-likelihood training of
energies. A jump proposes the same offset from another data point, followed by a Metropolis test.
The distribution is therefore exactly p(x) for any data points; they only make proposals better.
"""

import torch
from torch import Generator, Tensor

from gedi.distributed import mean
from gedi.model.box import Box
from gedi.sampling.chains import Chains, Energy, Move, accept, evaluate

__all__ = ["AnchoredJump", "likeliest_bandwidth"]


_LEAST = -80.0  # its exp is still a normal number in float32


class AnchoredJump(Move):
    """A jump x' = x + a_j - a_i, with anchor i drawn near x and anchor j drawn uniformly.

    Anchor i has the probability K(x - a_i) / Σ_k K(x - a_k), where K is a Gaussian kernel of width
    h. The move (x, i, j) -> (x', j, i) is its own inverse and preserves volume, so it is accepted
    with probability

        min(1, exp(E(x) - E(x')) q(x) / q(x')),

    where q is the kernel density of the anchors. Because the offset x - a_i is preserved, a chain
    that is far from all anchors, as is usual in many dimensions, lands equally far from them; an
    independent proposal from q would always be rejected.

    Args:
        anchors: data points, (m, d).
        bandwidth: the width of the kernels, h; see `likeliest_bandwidth`.
        box: the domain of the chains; proposals outside it are rejected.
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
        """Propose one jump for every chain."""
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
        """The kernels of all anchors and the logarithm of their sum.

        The kernels exp(-|x - a_k|² / 2h²) of a point are relative to its largest one, and have a
        lower bound: denormal numbers are slow.

        Returns:
            The relative kernels (..., n, m) and the logarithm of the sum of kernels (..., n).
        """
        precision = self.bandwidth**-2
        squares = -0.5 * precision * self.anchors.square().sum(-1)
        logs = torch.nn.functional.linear(x, precision * self.anchors, squares)
        most = logs.amax(-1, keepdim=True)
        near = logs.sub_(most).clamp_min_(_LEAST).exp_()
        distance = 0.5 * precision * x.square().sum(-1)
        return near, near.sum(-1).log_() + most.squeeze(-1) - distance


def draw_categorical(weights: Tensor, generator: Generator) -> Tensor:
    """Draw one index for each row of weights, which need not be normalised, (..., m) -> (...).

    Inversion of the cumulative weights is many times faster than torch.multinomial here.
    """
    cumulated = weights.cumsum(-1)
    total = cumulated[..., -1:]
    uniform = torch.rand(total.shape, dtype=total.dtype, device=total.device, generator=generator)
    index = torch.searchsorted(cumulated, uniform * total).squeeze(-1)
    return index.clamp_max(weights.shape[-1] - 1)


def likeliest_bandwidth(anchors: Tensor) -> float:
    """The kernel width h with the highest leave-one-out likelihood of the anchors.

        max_h Σ_i log (1/(m-1) Σ_{k != i} N(a_i; a_k, h² I))

    The maximum is taken over a grid of 60 widths. They range from a tenth of the median distance
    between nearest neighbours to three times that distance, or to the standard deviation of the
    anchors if that is larger: in few dimensions, neighbours are much closer than the best width.

    Args:
        anchors: data points, (m, d), with m >= 2. If all are equal, the width is 1.
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
        # Not a list: small tensors allocated between large ones fragment the freed memory.
        scores[k] = torch.logsumexp(squares / (-2 * h * h), -1).mean() - anchors.shape[1] * h.log()
    return float(widths[scores.argmax()])
