"""Markov chains under an energy, and what a move on them is.

A move takes chains to chains and leaves the law p(x) = exp(-E(x)) / Z where it is (exactly, if it
says so). Moves combine: `Cycle` is a move made of moves. Only the gradient with respect to the
points is ever computed, never that of the parameters.
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
"""A function (..., n, d) -> (..., n), in nats."""


class Chains(NamedTuple):
    """The state of n chains.

    Attributes:
        x: positions, (..., n, d).
        energy: E(x), (..., n).
        gradient: ∇_x E(x), (..., n, d).
    """

    x: Tensor
    energy: Tensor
    gradient: Tensor


class WithGradient:
    """An energy that knows its gradient, so that nothing need be differentiated."""

    def __call__(self, x: Tensor) -> Tensor:
        """E(x), (..., n, d) -> (..., n)."""
        return self.with_gradient(x)[0]

    def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """E(x) (..., n) and ∇_x E(x) (..., n, d), of points (..., n, d)."""
        raise NotImplementedError


def evaluate(energy: Energy, x: Tensor) -> Chains:
    """Chains at the given positions, with their energy and its gradient there."""
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
    """The Metropolis test: take each proposal with probability min(1, exp(log_ratio)).

    A ratio that is not a number, as an energy that overflowed gives, refuses the proposal.

    Returns:
        The chains after the test and the mean acceptance probability, shape (...).
    """
    taken, acceptance = accepted(log_ratio, generator)
    return chosen(taken, proposal, current), acceptance


def accepted(log_ratio: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Which proposals the Metropolis test takes, (..., n), and the mean probability, (...)."""
    probability = log_ratio.clamp_max(0).exp_().nan_to_num_(nan=0.0)
    uniform = torch.rand(
        log_ratio.shape, dtype=log_ratio.dtype, device=log_ratio.device, generator=generator
    )
    return uniform < probability, probability.mean(-1)


def chosen(which: Tensor, proposal: Chains, current: Chains) -> Chains:
    """The proposal of the chains for which it is true, (..., n), and the others as they are."""
    at = which[..., None]
    return Chains(
        torch.where(at, proposal.x, current.x),
        torch.where(which, proposal.energy, current.energy),
        torch.where(at, proposal.gradient, current.gradient),
    )


class Move(nn.Module):
    """A transition of chains; subclasses define `step`.

    Attributes:
        acceptance: mean acceptance probability of the last step, (*members,); 1 where every
            proposal is taken.
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
        """What moves chains once the training is over; self, where chains made the negatives."""
        return self

    def load_member(self, group: "Move", index: int) -> None:
        """Take over the state of one member of a group of the same moves."""
        shapes = {name: value.ndim for name, value in self.state_dict().items()}
        self.load_state_dict(
            {
                name: value[index] if value.ndim > shapes[name] else value
                for name, value in group.state_dict().items()
            }
        )


class Cycle(Move):
    """Several moves, one after the other.

    Args:
        moves: the moves in their order.
    """

    def __init__(self, moves: Sequence[Move]) -> None:
        super().__init__()
        self.moves = nn.ModuleList(moves)

    def __iter__(self) -> Iterator[Move]:
        return iter(self.moves)  # type: ignore[arg-type]

    @property
    def acceptance(self) -> Tensor:  # type: ignore[override]
        """Acceptance of the first move."""
        return next(iter(self)).acceptance

    def step(self, energy: Energy, chains: Chains, generator: Generator) -> Chains:
        """Advance all chains by every move."""
        for move in self:
            chains = move.step(energy, chains, generator)
        return chains
