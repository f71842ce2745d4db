"""All points of a training, in their smallest form, and scaled where they are used.

They are on the device, or stay in the file that they are mapped from.
"""

import mmap
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gedi.model.box import Box
from gedi.model.scaling import Scaling

__all__ = ["Points", "affordable", "is_mapped"]

_CHUNK_VALUES = 2**22  # of images scaled at a time, 16 MiB
_MOST_VALUES = 2**28  # of points looked at together, 1 GiB


def affordable(n: int, n_features: int) -> int:
    """The number of points, of n, that take at most 1 GiB in float32: all of CIFAR-10, for one."""
    return min(n, max(1, _MOST_VALUES // n_features))


class Points:
    """Rows (n, d) of which any selection comes scaled, in float32.

    Images of bytes stay bytes, a quarter of the memory. Those mapped from a file stay there, and
    only the rows asked for are read. All other data are scaled once.

    Args:
        x: rows in the user's units, (n, d).
        scaling: to the network's units.
        device: of the rows; of selections where the rows stay in a file.
    """

    def __init__(
        self, x: NDArray[np.floating | np.uint8], scaling: Scaling, device: torch.device
    ) -> None:
        self._bytes = x.dtype == np.uint8
        self._values: Tensor | _Mapped
        if not self._bytes:
            self._values = scaling(x).to(device)
        elif is_mapped(x):
            self._values = _Mapped(x, device)
        else:
            self._values = _tensor(x).to(device)
        self._shift = scaling.shift.float().to(device)
        self._scale = scaling.scale.float().to(device)

    def __len__(self) -> int:
        """The number of points, n."""
        return len(self._values)

    @property
    def device(self) -> torch.device:
        """The device of selections."""
        return self._values.device

    @property
    def n_features(self) -> int:
        """The number of features, d."""
        return int(self._values.shape[1])

    @property
    def n_bytes(self) -> int:
        """The bytes that they take in memory; none where they stay in a file."""
        return 0 if isinstance(self._values, _Mapped) else self._values.nbytes

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        """Rows by their places (...,), scaled, (..., d)."""
        rows = self._values[index]
        return (rows - self._shift) / self._scale if self._bytes else rows

    @property
    def are_all_the_same(self) -> bool:
        """Whether every row equals the first one."""
        first = self._values[:1]
        return all(bool((part == first).all()) for part in self._parts())

    def box(self, margin: float) -> Box:
        """The box around all of them; see `Box.around`."""
        low = high = self._values[:1][0]
        for part in self._parts():
            low, high = torch.minimum(low, part.amin(0)), torch.maximum(high, part.amax(0))
        if self._bytes:
            low, high = ((corner - self._shift) / self._scale for corner in (low, high))
        return Box.around(torch.stack([low, high]), margin)

    def _parts(self) -> Iterator[Tensor]:
        rows = max(1, _CHUNK_VALUES // self.n_features)
        for start in range(0, len(self), rows):
            yield self._values[start : start + rows]


class _Mapped:
    """Rows of bytes in a file; selections are copied to a device."""

    def __init__(self, x: NDArray[np.generic], device: torch.device) -> None:
        self._x = x
        self.device = device
        self.shape = x.shape

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        rows = self._x[index if isinstance(index, slice) else index.cpu().numpy()]
        return _tensor(rows).to(self.device)


def _tensor(x: NDArray[np.generic]) -> Tensor:
    """The array; a copy if it is read-only like a slice of a mapped file, as tensors are not."""
    return torch.from_numpy(np.require(x, requirements=["C", "W"]))


def is_mapped(x: NDArray[np.generic]) -> bool:
    """Whether this is, or is a view of, an array that is mapped from a file."""
    owner: object = x
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return isinstance(owner, mmap.mmap)
