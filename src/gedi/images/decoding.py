"""All images of a pile decoded, by several threads, into one array."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from gedi.errors import DataError
from gedi.images.pile import Encoded, Pile
from gedi.images.pixels import Planes, planes_of

__all__ = ["decode"]

_BLOCK = 64  # images that a thread decodes in one go


def decode(
    pile: Pile, image_size: int | None, skip_bad: bool
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Images (k, C, H, W) that can be read, and which of n they are, (n,)."""
    from PIL import Image  # noqa: PLC0415

    Image.init()  # before threads, which would each look for Pillow's formats
    kept = np.zeros(pile.n, dtype=bool)
    x: NDArray[np.uint8] | None = None
    first, trouble, n = 0, "", 0
    for i, planes in enumerate(_all_planes(pile, image_size)):
        if isinstance(planes, str):
            trouble = trouble or f"{pile.where(i)} {planes}"
            if skip_bad:
                continue
            raise DataError(
                f"{trouble}: replace it, or leave such images out with skip_bad (--skip-bad)"
            )
        if x is None:
            first, x = i, _room(pile, planes.shape)
        elif planes.shape[1:] != x.shape[2:]:
            raise DataError(
                f"{pile.where(first)} has {_size(x[0])} pixels but {pile.where(i)} has "
                f"{_size(planes)}: give image_size (--image-size) to bring all to one size"
            )
        elif len(planes) > x.shape[1]:
            grey, x = x, _room(pile, planes.shape)
            x[:n] = grey[:n]
        x[n], kept[i] = planes, True
        n += 1
    if x is None:
        if trouble:
            raise DataError(f"{pile.name}: none of {pile.n} images can be read: {trouble}")
        raise DataError(f"{pile.name} has no rows: add images")
    return x[:n], kept


def _room(pile: Pile, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        return np.empty((pile.n, *shape), dtype=np.uint8)
    except MemoryError as error:
        raise DataError(
            f"{pile.name}: there is no memory for {pile.n} images of {shape[2]} x {shape[1]} "
            f"pixels: give a smaller image_size (--image-size)"
        ) from error


def _size(planes: Planes) -> str:
    return f"{planes.shape[2]} x {planes.shape[1]}"


def _all_planes(pile: Pile, image_size: int | None) -> Iterator[Planes | str]:
    """Every image decoded, or why it cannot be, in order."""

    def decode(block: Sequence[Encoded]) -> list[Planes | str]:
        return [planes_of(encoded, image_size) for encoded in block]

    # Pillow lets other threads run while it decodes.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for part in pile.parts():
            blocks = [part[i : i + _BLOCK] for i in range(0, len(part), _BLOCK)]
            for planes in pool.map(decode, blocks):
                yield from planes
