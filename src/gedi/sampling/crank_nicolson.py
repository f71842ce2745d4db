"""Moves that leave a Gaussian as it is, for densities that are a Gaussian times a factor."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Generator, Tensor

__all__ = ["crank_nicolson"]

_ACCEPTED = 0.3  # share of the moves to aim at
_RATE = 0.1  # of the adaptation of the length


class Gaussian(Protocol):
    """A law with a mean (d,) from which points are drawn."""

    mean: Tensor

    def sample(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Points (*shape, d)."""


@torch.no_grad()
def crank_nicolson(
    log_factor: Callable[[Tensor], Tensor],
    gaussian: Gaussian,
    x: Tensor,
    n_steps: int,
    generator: Generator,
    *,
    length: Tensor,
    adapts: bool,
) -> tuple[Tensor, Tensor]:
    """Move chains under the density N(x; μ, Σ) exp(log factor), for any factor.

        x' = μ + (1 - s²)^½ (x - μ) + s (ξ - μ),   ξ ~ N(μ, Σ)

    is accepted with probability min(1, factor(x') / factor(x)): the proposal leaves the Gaussian as
    it is, so that however uneven Σ is, only the factor limits the length s (preconditioned
    Crank-Nicolson: Cotter et al., Statistical Science 2013, https://arxiv.org/abs/1202.0709).

    Args:
        log_factor: in nats, up to a constant, (n, d) -> (n,); minus infinity for density 0.
        gaussian: N(μ, Σ).
        x: the positions of the chains, (n, d).
        n_steps: the number of moves.
        generator: of all randomness.
        length: s, from 0 to 1, a scalar.
        adapts: whether to change the length until 3 of 10 moves are accepted.

    Returns:
        The positions (n, d) and the length.
    """
    value = log_factor(x)
    for _ in range(n_steps):
        away = gaussian.sample((len(x),), generator) - gaussian.mean
        proposal = (
            gaussian.mean + (1 - length.square()).sqrt() * (x - gaussian.mean) + length * away
        )
        new = log_factor(proposal)
        level = torch.rand(len(x), dtype=x.dtype, device=x.device, generator=generator).log()
        accepted = level < new - value
        x, value = torch.where(accepted[:, None], proposal, x), torch.where(accepted, new, value)
        if adapts:
            share = accepted.to(length).mean()
            length = (length * (1 + _RATE * (share - _ACCEPTED))).clamp_max(1.0)
    return x, length
