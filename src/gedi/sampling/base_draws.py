"""Draws of the base as GEN's negatives: no chain moves while the network is trained.

Where the base is a good density already, the network has only its residual to learn, and telling
data from draws of the base teaches it just that: see `gedi.objective.noise_contrast`. Chains are
moved once the training is over, for samples.
"""

import torch
from torch import Generator, Tensor

from gedi.sampling.chains import Chains, Cycle, Energy, Move
from gedi.sampling.replay_buffer import ReplayBuffer

__all__ = ["BaseDraws"]


class BaseDraws(Move):
    """Draws of the base, several for each point of the batch, taken at random from a stock.

    Args:
        stock: draws of the base, (m, d); many more than a batch, so that the network cannot learn
            them by heart.
        moves: of the chains, for samples.
        n_draws: ν, draws for each point.
    """

    def __init__(self, stock: Tensor, moves: Cycle, n_draws: int) -> None:
        super().__init__()
        self.stock = stock
        self.moves = moves
        self.n_draws = n_draws

    @property
    def acceptance(self) -> Tensor:  # type: ignore[override]
        """Acceptance of the chains' first move."""
        return self.moves.acceptance

    def step(self, energy: Energy, chains: Chains, generator: Generator) -> Chains:
        """Advance chains by the moves."""
        return self.moves.step(energy, chains, generator)

    @torch.no_grad()
    def sample(
        self, energy: Energy, buffer: ReplayBuffer, n: int, *, generator: Generator
    ) -> Tensor:
        """Draws of the base, (*members, ν n, d); the chains stay where they are."""
        shape = (*buffer.positions.shape[:-2], self.n_draws * n)
        device = self.stock.device
        return self.stock[torch.randint(len(self.stock), shape, device=device, generator=generator)]

    def chain_moves(self) -> Move:
        """The moves of the chains."""
        return self.moves
