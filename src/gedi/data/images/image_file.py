"""A .npy file that grows by one image at a time; its header gets their number at the end."""

from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.lib.format import write_array_header_1_0

from gedi.data.images.decoding import BYTES, Shape
from gedi.errors import DataError
from gedi.untrusted.pixels import Planes

__all__ = ["ImageFile"]

_BLOCK_BYTES = 2**24  # of images that are converted at a time


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
        self.kind = BYTES

    def widen(self, shape: Shape, kind: "np.dtype[Any]" = BYTES) -> None:
        """Begin the file; or begin it anew with images that are there in this shape and type."""
        try:
            if self.shape is None:
                self._begin(shape, kind)
            else:
                self._convert(shape, kind)
        except OSError as error:
            raise self._refused(error) from error

    def add(self, planes: Planes) -> None:
        """Write the next image, (C, H, W) or grey."""
        assert self.shape is not None and self._stream is not None
        try:
            whole = np.broadcast_to(planes.astype(self.kind, copy=False), self.shape)
            self._stream.write(np.ascontiguousarray(whole).data)
        except OSError as error:
            raise self._refused(error) from error
        self._n += 1

    def finish(self) -> None:
        """Write the number of images to the header."""
        assert self.shape is not None and self._stream is not None
        try:
            self._stream.seek(0)
            self._write_header(self._n)
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

    def _begin(self, shape: Shape, kind: "np.dtype[Any]") -> None:
        self._stream = self._path.open("wb")
        self.shape, self.kind = shape, kind
        self._write_header(self._most)

    def _convert(self, shape: Shape, kind: "np.dtype[Any]") -> None:
        self.finish()
        # The images stay where they are until the new file has them.
        before = np.load(self._path, mmap_mode="r")
        self._path.unlink()
        self._begin(shape, kind)
        assert self._stream is not None
        rows = max(1, _BLOCK_BYTES // int(np.prod(shape)))
        for start in range(0, len(before), rows):
            part = before[start : start + rows].astype(kind, copy=False)
            whole = np.broadcast_to(part, (len(part), *shape))
            self._stream.write(np.ascontiguousarray(whole).data)

    def _write_header(self, n: int) -> None:
        assert self._stream is not None and self.shape is not None
        # NumPy leaves room in it for any number of rows, so that its length does not change.
        shape = (n, *self.shape)
        header = {"descr": self.kind.str, "fortran_order": False, "shape": shape}
        write_array_header_1_0(self._stream, header)

    def _refused(self, error: OSError) -> DataError:
        needed = self._most * self.kind.itemsize * int(np.prod(self.shape or (0,))) / 2**30
        return DataError(
            f"{self._path.parent}: decoded images cannot be kept there ({error.strerror}): set "
            f"XDG_CACHE_HOME to a folder with room for {needed:.1f} GiB, or give a smaller "
            f"image_size (--image-size)"
        )
