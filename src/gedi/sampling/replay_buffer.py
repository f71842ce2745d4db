"""The replay buffer, which stores chains between iterations (persistent contrastive divergence)."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

__all__ = ["ReplayBuffer", "Start"]

Start = Callable[[tuple[int, ...], Generator], Tensor]
"""A function that draws the starts of new chains: (shape, generator) -> points (*shape, d)."""


class ReplayBuffer(nn.Module):
    """Positions of chains, which are drawn, advanced and put back; some are restarted each time.

    Args:
        capacity: the number of chains.
        start: draws the starts of new chains, such as `Box.uniform` or `GaussianBase.sample`.
        reinit: the probability that a drawn chain is restarted.
        members: leading dimensions of the positions, for several models.
        generator: draws the initial positions.

    Raises:
        ValueError: if the capacity is below 1 or `reinit` is not in [0, 1].
    """

    positions: Tensor

    def __init__(
        self,
        capacity: int,
        start: Start,
        *,
        reinit: float = 0.05,
        members: tuple[int, ...] = (),
        generator: Generator,
    ) -> None:
        super().__init__()
        if capacity < 1 or not 0 <= reinit <= 1:
            raise ValueError(
                f"expected capacity >= 1 and reinit in [0, 1], got {capacity} and {reinit}"
            )
        self.reinit = reinit
        self.start = start
        self.register_buffer("positions", start((*members, capacity), generator))

    @property
    def capacity(self) -> int:
        """The number of chains."""
        return self.positions.shape[-2]

    def draw(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw n different chains, and restart some of them.

        Returns:
            Their indices in the buffer (n,), the same for all members, and positions (..., n, d).

        Raises:
            ValueError: if n exceeds the capacity.
        """
        if n > self.capacity:
            raise ValueError(f"expected at most {self.capacity} chains, got {n}")
        device = self.positions.device
        index = torch.randperm(self.capacity, device=device, generator=generator)[:n]
        x = self.positions[..., index, :]
        anew = torch.rand(x.shape[:-1], device=device, generator=generator) < self.reinit
        fresh = self.start(tuple(x.shape[:-1]), generator)
        return index, torch.where(anew[..., None], fresh, x)

    def put(self, index: Tensor, x: Tensor) -> None:
        """Store the positions x (..., n, d) of the chains with these indices (n,)."""
        self.positions[..., index, :] = x
