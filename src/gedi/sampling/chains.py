"""Markov chains under an energy, and the moves that advance them.

A move takes chains to chains and preserves the distribution p(x) = exp(-E(x)) / Z, exactly if its
documentation says so. `Cycle` is a move made of several moves. Gradients are computed with respect
to points only, never with respect to parameters.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from gedi.sampling.replay_buffer import ReplayBuffer

__all__ = [
    "Chains",
    "Cycle",
    "Energy",
    "Move",
    "WithGradient",
    "accept",
    "accepted",
    "chosen",
    "evaluate",
]

Energy = Callable[[Tensor], Tensor]
"""A function from points to their energies in nats, (..., n, d) -> (..., n)."""


class Chains(NamedTuple):
    """The state of n chains.

    Attributes:
        x: the positions, (..., n, d).
        energy: the energies E(x) in nats, (..., n).
        gradient: the gradients ∇_x E(x), (..., n, d).
    """

    x: Tensor
    energy: Tensor
    gradient: Tensor


class WithGradient:
    """An energy that computes its own gradient, without autograd."""

    def __call__(self, x: Tensor) -> Tensor:
        """The energies E(x) in nats, (..., n, d) -> (..., n)."""
        return self.with_gradient(x)[0]

    def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The energies E(x), (..., n), and gradients ∇_x E(x), (..., n, d)."""
        raise NotImplementedError


def evaluate(energy: Energy, x: Tensor) -> Chains:
    """Chains at positions x (..., n, d), with their energies and gradients."""
    if isinstance(energy, WithGradient):
        x = x.detach()
        return Chains(x, *energy.with_gradient(x))
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        values = energy(x)
        (gradient,) = torch.autograd.grad(values.sum(), x)
    return Chains(x.detach(), values.detach(), gradient)


def accept(
    current: Chains, proposal: Chains, log_ratio: Tensor, generator: Generator
) -> tuple[Chains, Tensor]:
    """The Metropolis test: accept each proposal with probability min(1, exp(log_ratio)).

    A proposal whose ratio is NaN, for example because its energy overflowed, is rejected.

    Args:
        current: n chains.
        proposal: n proposals.
        log_ratio: the logarithm of the acceptance ratio, (..., n).
        generator: draws the uniform numbers of the test.

    Returns:
        The chains after the test, and the mean acceptance probability, (...).
    """
    taken, acceptance = accepted(log_ratio, generator)
    return chosen(taken, proposal, current), acceptance


def accepted(log_ratio: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Which proposals are accepted, (..., n), and the mean acceptance probability, (...)."""
    probability = log_ratio.clamp_max(0).exp_().nan_to_num_(nan=0.0)
    uniform = torch.rand(
        log_ratio.shape, dtype=log_ratio.dtype, device=log_ratio.device, generator=generator
    )
    return uniform < probability, probability.mean(-1)


def chosen(which: Tensor, proposal: Chains, current: Chains) -> Chains:
    """Chains with the proposal where `which` (..., n) is true, else the current state."""
    at = which[..., None]
    return Chains(
        torch.where(at, proposal.x, current.x),
        torch.where(which, proposal.energy, current.energy),
        torch.where(at, proposal.gradient, current.gradient),
    )


class Move(nn.Module):
    """A transition of chains; subclasses define `step`.

    Attributes:
        acceptance: the mean acceptance probability of the last step, (*members,); 1 for moves that
            accept every proposal.
    """

    acceptance: Tensor

    def step(self, energy: Energy, chains: Chains, generator: Generator) -> Chains:
        """Advance all chains."""
        raise NotImplementedError

    @torch.no_grad()
    def sample(
        self, energy: Energy, buffer: ReplayBuffer, n: int, *, generator: Generator
    ) -> Tensor:
        """Advance n chains of the buffer, put them back, and return their positions (..., n, d)."""
        index, x = buffer.draw(n, generator)
        chains = self.step(energy, evaluate(energy, x), generator)
        buffer.put(index, chains.x)
        return chains.x

    def chain_moves(self) -> "Move":
        """The move that advances chains after the training; by default this move itself."""
        return self

    def load_member(self, group: "Move", index: int) -> None:
        """Copy the state of one member from the same move with members."""
        shapes = {name: value.ndim for name, value in self.state_dict().items()}
        self.load_state_dict(
            {
                name: value[index] if value.ndim > shapes[name] else value
                for name, value in group.state_dict().items()
            }
        )


class Cycle(Move):
    """Several moves in turn.

    Args:
        moves: the moves, in order.
    """

    def __init__(self, moves: Sequence[Move]) -> None:
        super().__init__()
        self.moves = nn.ModuleList(moves)

    def __iter__(self) -> Iterator[Move]:
        return iter(self.moves)  # type: ignore[arg-type]

    @property
    def acceptance(self) -> Tensor:  # type: ignore[override]
        """The acceptance of the first move."""
        return next(iter(self)).acceptance

    def step(self, energy: Energy, chains: Chains, generator: Generator) -> Chains:
        """Advance all chains by every move."""
        for move in self:
            chains = move.step(energy, chains, generator)
        return chains
