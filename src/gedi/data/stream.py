"""Batches of a training whose data do not fit into memory."""

import math

import torch
from torch import Tensor

from gedi.data.shards import GroupRows, Piece, Shards
from gedi.errors import DataError
from gedi.model.scaling import Scaling

__all__ = ["Stream"]


class Stream:
    """Rows of shards, mixed and scaled, without end: one epoch after the other.

    Within an epoch each row comes once, to one process. The rows depend only on the seed and on the
    number of rows drawn so far, so that a training goes on with the same rows.

    Args:
        shards: all rows.
        scaling: to the network's units.
        device: of the batches.
        seed: of the order.
        rank: of this process among those that train together.
        world_size: the number of these processes.

    Raises:
        DataError: there are fewer row groups than processes.
    """

    def __init__(
        self,
        shards: Shards,
        scaling: Scaling,
        device: torch.device,
        *,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if len(shards.groups) < world_size:
            raise DataError(
                f"{shards.source}: expected a row group for each of {world_size} processes, got "
                f"{len(shards.groups)}: write it in more files, or with smaller row groups"
            )
        self.shards, self.scaling, self.device = shards, scaling, device
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.drawn = 0
        self._buffer = torch.empty(min(shards.buffer_size, shards.n_rows), len(shards.features))
        self._begin(0)

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        """The next rows, (*shape, d).

        Raises:
            DataError: for damaged rows, and those that are not finite numbers, with their place.
        """
        n = left = math.prod(shape)
        parts = []
        while left:
            if self._at == self._stop:
                self._fill()
            part = self._buffer[self._at : min(self._at + left, self._stop)]
            # A copy, as the buffer is filled again.
            parts.append(part.to(self.device, copy=True))
            self._at += len(part)
            left -= len(part)
        self.drawn += n
        rows = parts[0] if len(parts) == 1 else torch.cat(parts)
        return rows.reshape(*shape, -1)

    def state_dict(self) -> dict[str, int]:
        """The number of rows drawn, the same for all processes; and what they were drawn from."""
        return {
            "drawn": self.drawn,
            "rows": self.shards.n_rows,
            "groups": len(self.shards.groups),
            "buffer_size": self.shards.buffer_size,
            "at_once": self.shards.at_once,
        }

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the number of rows in a state.

        Raises:
            ValueError: the state is of other shards, whose rows would differ.
        """
        expected = self.state_dict() | {"drawn": state["drawn"]}
        if state != expected:
            raise ValueError(f"expected shards with {expected}, got {state}")
        epoch, left = 0, state["drawn"]
        while left >= (n := self._epoch_rows(epoch)):
            left -= n
            epoch += 1
        self._begin(epoch)
        self.drawn = state["drawn"]
        while left:  # not in the first buffer
            self._next_pieces()
            n = sum(piece.stop - piece.start for piece in self._pieces)
            if left < n:
                self._load()
                self._at = left
                return
            left -= n

    def _epoch_rows(self, epoch: int) -> int:
        order = self.shards.order(self.seed, epoch, self.rank, self.world_size)
        return sum(self.shards.groups[place].n_rows for place in order)

    def _begin(self, epoch: int) -> None:
        """Before the first buffer of an epoch."""
        self._epoch, self._number = epoch, -1
        order = self.shards.order(self.seed, epoch, self.rank, self.world_size)
        self._buffers = self.shards.buffers(order)
        self._open: dict[int, tuple[GroupRows, int]] = {}
        self._pieces: list[Piece] = []
        self._at = self._stop = 0

    def _next_pieces(self) -> None:
        pieces = next(self._buffers, None)
        if pieces is None:
            self._begin(self._epoch + 1)
            pieces = next(self._buffers)
        self._pieces = pieces
        self._number += 1

    def _fill(self) -> None:
        self._next_pieces()
        self._load()

    def _load(self) -> None:
        """Read the pieces to random places of the buffer."""
        n = sum(piece.stop - piece.start for piece in self._pieces)
        places = torch.from_numpy(
            self.shards.places(n, self.seed, self._epoch, self.rank, self._number)
        )
        for piece in self._pieces:
            rows, at = self._open.pop(piece.group, (None, 0))
            rows = self.shards.open(piece.group) if rows is None else rows
            for _ in rows.take(piece.start - at):  # rows that were drawn before a restart
                pass
            for part in rows.take(piece.stop - piece.start):
                self._buffer[places[: len(part)]] = self.scaling(part)
                places = places[len(part) :]
            if piece.stop < self.shards.groups[piece.group].n_rows:
                self._open[piece.group] = (rows, piece.stop)
        self._at, self._stop = 0, n
