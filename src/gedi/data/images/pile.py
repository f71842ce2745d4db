"""Encoded images in their order, wherever they come from."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gedi.untrusted.pixels import Encoded

__all__ = ["PART", "Encoded", "Pile", "marks_of"]

PART = 1024  # encoded images that are held at a time


@dataclass(frozen=True)
class Pile:
    """Encoded images in their order.

    Args:
        name: of the set.
        n: the number of images.
        parts: iterates over them, some at a time.
        where: the place of an image in words, for messages.
        marks: texts that differ for other images, and when these images change.
        labels: one an image, or None.
        class_names: the classes that codes among the labels stand for, or empty.
        files: the path of each image's file from the folder that is read, or empty.
        notes: on what was left out, in words.
    """

    name: str
    n: int
    parts: Callable[[], Iterator[Sequence[Encoded]]]
    where: Callable[[int], str]
    marks: Callable[[], Sequence[str]]
    labels: NDArray[np.generic] | None = None
    class_names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def marks_of(files: Iterable[Path]) -> list[str]:
    """Name, size and time of the last change of each file."""
    found = [(file.resolve(), file.stat()) for file in files]
    return [f"{name} {status.st_size} {status.st_mtime_ns}" for name, status in found]
