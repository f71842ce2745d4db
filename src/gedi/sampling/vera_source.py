"""VERA as the source of negatives for GEN: the sampler is trained along with the energy.

For each batch of negatives, the sampler draws them and takes one step of its own Adam optimiser
under the current energy. Chains are still needed after the training, to refine samples and to
measure the density. The replay buffer therefore keeps chains that start at points of the sampler.
Some of them, an eighth of the batch size, move each time, which adapts the Langevin step size.
"""

import copy
from typing import Any

import torch
from torch import Generator, Tensor

from gedi.adam import Adam
from gedi.distributed import mean, means
from gedi.model.box import Box
from gedi.model.spectral import SpectralMatrix
from gedi.sampling.chains import Chains, Cycle, Energy, Move
from gedi.sampling.replay_buffer import ReplayBuffer
from gedi.sampling.vera import VeraSampler, vera_generator_loss, vera_posterior_loss

__all__ = ["VeraSource"]

_MOVED = 8  # the number of negatives for each chain that moves
_BETAS = (0.0, 0.9)  # of Adam, as published: old gradients are stale, because the energy changes
_WALL = 0.02  # standard deviation of the Gaussian tails outside the box, in widths of the box


class VeraSource(Move):
    """Negatives from an amortised sampler instead of chains; it has no members.

    Points outside the box are mirrored back into it, so that no mass accumulates on the walls.
    Outside the box, a quadratic term is added to the energy, as that of a Gaussian; otherwise the
    sampler would spread over mirror images without bound.

    Args:
        sampler: the sampler q; it draws whitened coordinates if a preconditioner is given.
        moves: the moves of the chains that start at its points.
        box: the domain of the negatives.
        learning_rate: the learning rate of the sampler's Adam.
        entropy_weight: the weight w of `vera_generator_loss`.
        n_importance: the number of latents for the score of each point.
        centre: the point at the origin of the whitened coordinates, (d,); None is 0.
        preconditioner: the matrix C^(1/2) from whitened coordinates to points; None is the
            identity.

    Attributes:
        energy: the mean energy of the last negatives in nats, a scalar; NaN before the first batch.
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
        self.optimizer = Adam(sampler.parameters(), lr=learning_rate, betas=_BETAS)

    @property
    def acceptance(self) -> Tensor:  # type: ignore[override]
        """The acceptance of the first move of the chains."""
        return self.moves.acceptance

    @property
    def box(self) -> Box:
        """The box, on the module's device."""
        return Box(self.low, self.high)

    def start(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Draw points of the sampler, (*shape, d), as starts of chains."""
        u = self.sampler.sample(int(torch.Size(shape).numel()), generator=generator)
        return self.box.fold(self._whole(u))[0].reshape(*shape, -1)

    def step(self, energy: Energy, chains: Chains, generator: Generator) -> Chains:
        """Advance chains by the moves."""
        return self.moves.step(energy, chains, generator)

    def sample(
        self, energy: Energy, buffer: ReplayBuffer, n: int, *, generator: Generator
    ) -> Tensor:
        """Draw n points of the sampler, (n, d), train it by one step, and advance some chains.

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
        """Copy the whole state: a source has no members, and members share one source."""
        self.load_state_dict(copy.deepcopy(group.state_dict()))

    def get_extra_state(self) -> dict[str, Any]:
        """The state of Adam, so that a saved source can resume."""
        state: dict[str, Any] = self.optimizer.state_dict()
        return state

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the state of Adam."""
        self.optimizer.load_state_dict(state)

    def _learn(self, energy: Energy, n: int, generator: Generator) -> Tensor:
        """Take one step of Adam; return its samples in whitened coordinates, (n, d)."""
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
        # Not backward(), which would also add gradients to the parameters of the energy.
        parameters = list(self.sampler.parameters())
        gradients = means(*torch.autograd.grad(loss, parameters))
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        return u

    def _whole(self, u: Tensor) -> Tensor:
        return self.centre + (u if self.preconditioner is None else self.preconditioner(u))
