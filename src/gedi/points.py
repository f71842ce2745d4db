"""All data of a training on its device, as small as they come, and scaled where they are used."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gedi.box import Box
from gedi.scaling import Scaling

__all__ = ["Points"]

_CHUNK_VALUES = 2**22  # of images scaled at a time, 16 MiB


class Points:
    """Rows (n, d) of which any selection comes scaled, in float32.

    Images of bytes stay bytes, a quarter of the memory; all other data are scaled once.

    Args:
        x: rows in the user's units, (n, d).
        scaling: to the network's units.
        device: where they live.
    """

    def __init__(
        self, x: NDArray[np.floating | np.uint8], scaling: Scaling, device: torch.device
    ) -> None:
        self._bytes = x.dtype == np.uint8
        values = torch.from_numpy(np.ascontiguousarray(x)) if self._bytes else scaling(x)
        self._values = values.to(device)
        self._shift = scaling.shift.float().to(device)
        self._scale = scaling.scale.float().to(device)

    def __len__(self) -> int:
        """N."""
        return len(self._values)

    @property
    def device(self) -> torch.device:
        """Where they live."""
        return self._values.device

    @property
    def n_features(self) -> int:
        """D."""
        return self._values.shape[1]

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        """Rows by their places (...,), scaled, (..., d)."""
        rows = self._values[index]
        return (rows - self._shift) / self._scale if self._bytes else rows

    @property
    def are_all_the_same(self) -> bool:
        """Whether every row is the first one."""
        return all(bool((part == self._values[0]).all()) for part in self._parts())

    def box(self, margin: float) -> Box:
        """The box around all of them; see `Box.around`."""
        corners = [torch.stack([part.amin(0), part.amax(0)]) for part in self._parts()]
        low, high = torch.cat(corners).aminmax(dim=0)
        if self._bytes:
            low, high = ((corner - self._shift) / self._scale for corner in (low, high))
        return Box.around(torch.stack([low, high]), margin)

    def _parts(self) -> Iterator[Tensor]:
        yield from torch.split(self._values, max(1, _CHUNK_VALUES // self.n_features))
