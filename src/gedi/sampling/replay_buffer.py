"""The replay buffer: where chains rest between iterations (persistent contrastive divergence)."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

__all__ = ["ReplayBuffer", "Start"]

Start = Callable[[tuple[int, ...], Generator], Tensor]
"""Where new chains start: a shape and a generator to points (*shape, d)."""


class ReplayBuffer(nn.Module):
    """Positions of chains, drawn, advanced and put back; a few are started anew each time.

    Args:
        capacity: how many chains are kept.
        start: draws the starts of new chains, such as `Box.uniform` or `GaussianBase.sample`.
        reinit: probability with which a drawn chain is started anew.
        members: leading dimensions, for models side by side.
        dtype: in which positions rest; by default as `start` draws them. In float16 a buffer takes
            half the memory, and positions are rounded to 11 bits: by at most 1/2048 of themselves.
        generator: source of the initial positions.
    """

    positions: Tensor

    def __init__(
        self,
        capacity: int,
        start: Start,
        *,
        reinit: float = 0.05,
        members: tuple[int, ...] = (),
        dtype: torch.dtype | None = None,
        generator: Generator,
    ) -> None:
        super().__init__()
        if capacity < 1 or not 0 <= reinit <= 1:
            raise ValueError(
                f"expected capacity >= 1 and reinit in [0, 1], got {capacity} and {reinit}"
            )
        self.reinit = reinit
        self.start = start
        positions = start((*members, capacity), generator)
        self._moving = positions.dtype
        self.register_buffer("positions", positions.to(dtype))

    @property
    def capacity(self) -> int:
        """How many chains are kept."""
        return self.positions.shape[-2]

    @property
    def chains(self) -> Tensor:
        """All positions (..., capacity, d), in the numbers that chains move in."""
        return self.positions.to(self._moving)

    def draw(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Take n different chains, some of them started anew.

        Returns:
            Their places in the buffer (n,), the same for all members, and positions (..., n, d).

        Raises:
            ValueError: if n exceeds the capacity.
        """
        if n > self.capacity:
            raise ValueError(f"expected at most {self.capacity} chains, got {n}")
        device = self.positions.device
        index = torch.randperm(self.capacity, device=device, generator=generator)[:n]
        x = self.positions[..., index, :].to(self._moving)
        anew = torch.rand(x.shape[:-1], device=device, generator=generator) < self.reinit
        fresh = self.start(tuple(x.shape[:-1]), generator)
        return index, torch.where(anew[..., None], fresh, x)

    def put(self, index: Tensor, x: Tensor) -> None:
        """Put chains back in their places."""
        self.positions[..., index, :] = x.to(self.positions.dtype)
