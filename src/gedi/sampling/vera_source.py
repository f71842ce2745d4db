"""VERA as the source of GEN's negatives: the sampler learns as the energy does.

Each time that negatives are asked for, the sampler draws them, and takes one step of its own Adam
on its losses under the energy as it is. Chains are still wanted when the training is over: they
refine samples and are the judge of the density. So the replay buffer keeps some that start in the
sampler's points, and an eighth of a batch of them moves each time, by which the Langevin steps
find their size.
"""

import copy
from typing import Any

import torch
from torch import Generator, Tensor

from gedi.distributed import mean, means
from gedi.model.box import Box
from gedi.model.spectral import SpectralMatrix
from gedi.sampling.chains import Chains, Cycle, Energy, Move
from gedi.sampling.replay_buffer import ReplayBuffer
from gedi.sampling.vera import VeraSampler, vera_generator_loss, vera_posterior_loss

__all__ = ["VeraSource"]

_MOVED = 8  # one chain moves for so many negatives
_BETAS = (0.0, 0.9)  # of Adam, as published: an energy that changes makes old gradients stale
_WALL = 0.02  # standard deviation of the Gaussian tails outside the box, in widths of the box


class VeraSource(Move):
    """Negatives from an amortised sampler, in place of chains; without members.

    Points outside the box are mirrored back into it, so that no mass piles up on the walls. So
    that the sampler does not spread over mirror images without end, its energy rises outside as
    that of a Gaussian.

    Args:
        sampler: q; it draws in whitened coordinates where a preconditioner is given.
        moves: of the chains that it starts.
        box: where the negatives live.
        learning_rate: of the sampler's Adam.
        entropy_weight: w of `vera_generator_loss`.
        n_importance: latents for each point's score.
        centre: what 0 of the whitened coordinates is, (d,).
        preconditioner: C^(1/2), which takes whitened coordinates to points; None is the identity.

    Attributes:
        energy: mean energy of the last negatives in nats, a scalar; nan before the first.
    """

    energy: Tensor
    centre: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self,
        sampler: VeraSampler,
        moves: Cycle,
        box: Box,
        *,
        learning_rate: float,
        entropy_weight: float,
        n_importance: int,
        centre: Tensor | None = None,
        preconditioner: SpectralMatrix | None = None,
    ) -> None:
        super().__init__()
        self.sampler = sampler
        self.moves = moves
        self.entropy_weight = entropy_weight
        self.n_importance = n_importance
        self.preconditioner = preconditioner
        self.register_buffer("low", box.low)
        self.register_buffer("high", box.high)
        self.register_buffer("centre", torch.zeros_like(box.low) if centre is None else centre)
        self.register_buffer("energy", torch.tensor(torch.nan))
        self.optimizer = torch.optim.Adam(sampler.parameters(), lr=learning_rate, betas=_BETAS)

    @property
    def acceptance(self) -> Tensor:  # type: ignore[override]
        """Acceptance of the chains' first move."""
        return self.moves.acceptance

    @property
    def box(self) -> Box:
        """The box, on the module's device."""
        return Box(self.low, self.high)

    def start(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Points of the sampler, (*shape, d), in which chains start."""
        u = self.sampler.sample(int(torch.Size(shape).numel()), generator=generator)
        return self.box.fold(self._whole(u))[0].reshape(*shape, -1)

    def step(self, energy: Energy, chains: Chains, generator: Generator) -> Chains:
        """Advance chains by the moves."""
        return self.moves.step(energy, chains, generator)

    def sample(
        self, energy: Energy, buffer: ReplayBuffer, n: int, *, generator: Generator
    ) -> Tensor:
        """N points of the sampler, (n, d), which then takes one step; some chains move on.

        Raises:
            ValueError: if the buffer has members.
        """
        if buffer.positions.ndim != 2:
            raise ValueError(f"expected a buffer (m, d), got {tuple(buffer.positions.shape)}")
        u = self._learn(energy, n, generator)
        self.moves.sample(energy, buffer, max(1, n // _MOVED), generator=generator)
        return self.box.fold(self._whole(u))[0]

    def chain_moves(self) -> Move:
        """The moves of the chains."""
        return self.moves

    def load_member(self, group: Move, index: int) -> None:
        """All of it, as groups have one source for all members, which none of them uses."""
        self.load_state_dict(copy.deepcopy(group.state_dict()))

    def get_extra_state(self) -> dict[str, Any]:
        """Adam's moments, so that a saved source goes on as it would have."""
        return self.optimizer.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up saved moments."""
        self.optimizer.load_state_dict(state)

    def _learn(self, energy: Energy, n: int, generator: Generator) -> Tensor:
        """One step of Adam; the points it was taken at, in whitened coordinates, (n, d)."""
        z = self.sampler.latents(n, generator)

        def walled(u: Tensor) -> Tensor:
            x = self._whole(u)
            values = energy(self.box.fold(x)[0])
            self.energy = mean(values.detach().mean())
            outside = (x - self.box.clamp(x)) / (_WALL * (self.high - self.low))
            return values + 0.5 * outside.square().sum(-1)

        loss, u = vera_generator_loss(
            walled,
            self.sampler,
            z,
            generator=generator,
            entropy_weight=self.entropy_weight,
            n_importance=self.n_importance,
        )
        loss = loss + vera_posterior_loss(self.sampler, u, z, generator=generator)
        # Not backward(), which would leave gradients in the energy's parameters as well.
        parameters = list(self.sampler.parameters())
        gradients = means(*torch.autograd.grad(loss, parameters))
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        return u

    def _whole(self, u: Tensor) -> Tensor:
        return self.centre + (u if self.preconditioner is None else self.preconditioner(u))
