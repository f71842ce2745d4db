"""A .npy file that grows by one image at a time; its header gets their number at the end."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.lib.format import write_array_header_1_0

from gedi.data.images.decoding import Shape
from gedi.errors import DataError
from gedi.untrusted.pixels import Planes

__all__ = ["ImageFile"]

_BLOCK_BYTES = 2**24  # of grey images made colour at a time


class ImageFile:
    """Images of one shape, written one after the other; a `Store`.

    Args:
        path: of the file, in a folder that is removed if anything fails.
        most: the largest number of images.

    Raises:
        DataError: the disk is full or read-only; from any method.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._path, self._most = path, most
        self._stream: BinaryIO | None = None
        self._n = 0
        self.shape: Shape | None = None

    def widen(self, shape: Shape) -> None:
        """Begin the file; or begin it anew with grey images made colour."""
        try:
            if self.shape is None:
                self._begin(shape)
            else:
                self._recolour(shape)
        except OSError as error:
            raise self._refused(error) from error

    def add(self, planes: Planes) -> None:
        """Write the next image, (C, H, W) or grey."""
        assert self.shape is not None and self._stream is not None
        try:
            self._stream.write(np.ascontiguousarray(np.broadcast_to(planes, self.shape)).data)
        except OSError as error:
            raise self._refused(error) from error
        self._n += 1

    def finish(self) -> None:
        """Write the number of images to the header."""
        assert self.shape is not None and self._stream is not None
        try:
            self._stream.seek(0)
            self._write_header(self._n, self.shape)
            self._stream.close()
        except OSError as error:
            raise self._refused(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None and not self._stream.closed:
            self._stream.close()

    def _begin(self, shape: Shape) -> None:
        self._stream = self._path.open("wb")
        self._write_header(self._most, shape)
        self.shape = shape

    def _recolour(self, shape: Shape) -> None:
        self.finish()
        # The images stay where they are until the new file has them.
        grey = np.load(self._path, mmap_mode="r")
        self._path.unlink()
        self._begin(shape)
        assert self._stream is not None
        rows = max(1, _BLOCK_BYTES // int(np.prod(shape)))
        for start in range(0, len(grey), rows):
            part = grey[start : start + rows]
            colour = np.broadcast_to(part, (len(part), *shape))
            self._stream.write(np.ascontiguousarray(colour).data)

    def _write_header(self, n: int, shape: Shape) -> None:
        assert self._stream is not None
        # NumPy leaves room in it for any number of rows, so that its length does not change.
        header = {"descr": "|u1", "fortran_order": False, "shape": (n, *shape)}
        write_array_header_1_0(self._stream, header)

    def _refused(self, error: OSError) -> DataError:
        needed = self._most * int(np.prod(self.shape or (0,))) / 2**30
        return DataError(
            f"{self._path.parent}: decoded images cannot be kept there ({error.strerror}): set "
            f"XDG_CACHE_HOME to a folder with room for {needed:.1f} GiB, or give a smaller "
            f"image_size (--image-size)"
        )
