"""All images of a pile, decoded into one array."""

import os
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gedi.data.images.pile import Pile
from gedi.data.images.pools import decoded, prepare
from gedi.errors import DataError
from gedi.untrusted.pixels import Planes

__all__ = ["BYTES", "Pixels", "Shape", "Store", "TooLargeError", "collect", "decode"]

Shape = tuple[int, int, int]  # (C, H, W)
Pixels = NDArray[np.uint8 | np.float32]
BYTES: "np.dtype[Any]" = np.dtype(np.uint8)


class TooLargeError(Exception):
    """Decoded images take more memory than they may."""


class Store(Protocol):
    """A place for decoded images, which come one after the other."""

    shape: Shape | None
    kind: "np.dtype[Any]"

    def widen(self, shape: Shape, kind: "np.dtype[Any]" = BYTES) -> None:
        """Make room for images of this shape and type; grey images that are there become colour."""

    def add(self, planes: Planes) -> None:
        """Add the next image, (C, H, W) or grey."""


def collect(
    pile: Pile, images: Iterable[list[Planes | str]], store: Store, skip_bad: bool
) -> NDArray[np.bool_]:
    """Put the images that can be read into a store.

    Args:
        pile: where they come from, for messages.
        images: each image, or the reason why it cannot be read, in blocks.
        store: takes the images.
        skip_bad: leave out those that cannot be read.

    Returns:
        Which of n images they are, (n,).

    Raises:
        DataError: one cannot be read, or all; two differ in size; or there is none.
    """
    kept = np.zeros(pile.n, dtype=bool)
    first, trouble, n = 0, "", 0
    for i, planes in enumerate(chain.from_iterable(images)):
        n += 1
        if n > pile.n:
            break
        if isinstance(planes, str):
            trouble = trouble or f"{pile.where(i)} {planes}"
            if skip_bad:
                continue
            raise DataError(
                f"{trouble}: replace it, or leave such images out with skip_bad (--skip-bad)"
            )
        channels, height, width = planes.shape
        if store.shape is None:
            first = i
            store.widen((channels, height, width), planes.dtype)
        elif (height, width) != store.shape[1:]:
            raise DataError(
                f"{pile.where(first)} has {store.shape[2]} x {store.shape[1]} pixels but "
                f"{pile.where(i)} has {width} x {height}: give image_size (--image-size) to bring "
                f"all to one size"
            )
        elif channels > store.shape[0] or planes.dtype.itemsize > store.kind.itemsize:
            wider = planes.dtype if planes.dtype.itemsize > store.kind.itemsize else store.kind
            store.widen((max(channels, store.shape[0]), height, width), wider)
        store.add(planes)
        kept[i] = True
    if n != pile.n:
        raise DataError(f"{pile.name}: claims {pile.n} images, but holds others: write it again")
    if store.shape is None:
        if trouble:
            raise DataError(f"{pile.name}: none of {pile.n} images can be read: {trouble}")
        raise DataError(f"{pile.name} has no rows: add images")
    return kept


def decode(
    pile: Pile,
    image_size: int | None,
    skip_bad: bool,
    *,
    most_bytes: float = np.inf,
) -> tuple[Pixels, NDArray[np.bool_]]:
    """Images (k, C, H, W) that can be read, and which of n they are, (n,); in memory.

    Threads suffice here, as Pillow lets other threads run while it decodes.

    Raises:
        TooLargeError: they take more than so many bytes.
        DataError: see `collect`.
    """
    store = _Memory(pile, most_bytes)
    n_threads = os.cpu_count() or 1
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(n_threads) as pool,
        closing(decoded(pile, image_size, pool, n_threads)) as images,
    ):
        prepare()
        kept = collect(pile, images, store, skip_bad)
    return store.images, kept


class _Memory:
    """An array with room for all images of a pile."""

    def __init__(self, pile: Pile, most_bytes: float) -> None:
        self._pile, self._most_bytes = pile, most_bytes
        self._x: Pixels = np.empty((0, 1, 1, 1), dtype=np.uint8)
        self._n = 0
        self.shape: Shape | None = None
        self.kind = BYTES

    @property
    def images(self) -> Pixels:
        """The images that were added, (k, C, H, W)."""
        return self._x[: self._n]

    def widen(self, shape: Shape, kind: "np.dtype[Any]" = BYTES) -> None:
        n, before = self._pile.n, self.images
        if n * kind.itemsize * np.prod(shape, dtype=np.int64) > self._most_bytes:
            raise TooLargeError
        try:
            self._x = np.empty((n, *shape), dtype=kind)
        except MemoryError as error:
            raise DataError(
                f"{self._pile.name}: there is no memory for {n} images of {shape[2]} x {shape[1]} "
                f"pixels: give a smaller image_size (--image-size), or a smaller stream_above "
                f"(--stream-above)"
            ) from error
        if self._n:
            self._x[: self._n] = before
        self.shape, self.kind = shape, kind

    def add(self, planes: Planes) -> None:
        self._x[self._n] = planes
        self._n += 1
