"""Features on disk, computed once and continued after an interruption.

    KEY/features.npy     features (n, d), in half precision
    KEY/pictures.npy     for photographs: small pictures (n, 3, H, W) of bytes
    KEY/.NAME.npy.partial, KEY/rows    while they are computed: files of full size, and the number
                                       of rows in them that are complete

A folder can be deleted at any time; its features are then computed again when needed.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from gedi.errors import DataError
from gedi.files import beside, partial_name

__all__ = ["FEATURES", "PICTURES", "FeatureStore", "Shapes"]

FEATURES, PICTURES = "features.npy", "pictures.npy"
_KINDS: dict[str, np.dtype[Any]] = {FEATURES: np.dtype(np.float16), PICTURES: np.dtype(np.uint8)}
_ROWS = "rows"
_LARGEST = float(np.finfo(np.float16).max)

Shapes = Mapping[str, tuple[int, ...]]  # of one row, by the name of the file


@dataclass(frozen=True)
class FeatureStore:
    """The features of one set of raw things by one network.

    Args:
        folder: the folder, whose name stands for both.
        names: its files.
    """

    folder: Path
    names: tuple[str, ...] = (FEATURES,)

    @property
    def is_complete(self) -> bool:
        """Whether all rows are there."""
        return all((self.folder / name).is_file() for name in self.names)

    def open(self, n: int, name: str = FEATURES) -> NDArray[Any]:
        """The rows of a file, (n, ...), mapped from it, read-only.

        Raises:
            DataError: if the file is damaged or missing.
        """
        file = self.folder / name
        try:
            x: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                f"{file}: the features there cannot be read: delete this folder, and they are "
                "computed again"
            ) from error
        if x.dtype != _KINDS[name] or x.ndim < 2 or len(x) != n:
            raise DataError(
                f"{file}: expected {n} rows of {_KINDS[name]}, got {x.dtype} of shape {x.shape}: "
                "delete this folder, and they are computed again"
            )
        return x

    def adopt(self, others: "Iterator[Path]") -> None:
        """Take over the files of another folder that is complete, without copying where possible.

        Args:
            others: folders that may hold the same features.
        """
        for other in others:
            if self.is_complete:
                return
            if not FeatureStore(other, self.names).is_complete:
                continue
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in self.names:
                with beside(self.folder / name) as file:
                    try:
                        file.hardlink_to(other / name)
                    except OSError:  # on another disk, for example
                        shutil.copyfile(other / name, file)

    @contextmanager
    def filling(
        self, n: int, shapes: Callable[[], Shapes]
    ) -> Iterator[tuple[int, Callable[[Mapping[str, NDArray[Any]]], None]]]:
        """Compute what is missing; another process that wants the same waits.

        Args:
            n: the number of rows.
            shapes: returns the shape of one row of each file.

        Yields:
            The number of rows that are there already, and a function that adds the next ones.

        Raises:
            DataError: if the folder cannot be written, or features exceed half precision.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"{self.folder}: features cannot be kept there ({error.strerror}): choose a "
                "folder that can be written to"
            ) from error
        with FileLock(self.folder / ".lock"):
            if self.is_complete:
                yield n, lambda rows: None
                return
            files, done = self._unfinished({k: (n, *shape) for k, shape in shapes().items()})

            def add(rows: Mapping[str, NDArray[Any]]) -> None:
                nonlocal done
                if np.nanmax(np.abs(rows[FEATURES]), initial=0.0) > _LARGEST:
                    raise DataError(
                        "features are too large for half precision: scale them in the network"
                    )
                for name, file in files.items():
                    file[done : done + len(rows[name])] = rows[name]
                    file.flush()
                done += len(rows[FEATURES])
                with beside(self.folder / _ROWS) as mark:
                    mark.write_text(f"{done}", encoding="ascii")

            yield done, add
            if done != n:
                raise DataError(f"{self.folder}: expected {n} rows, got {done}")
            # The features come last: where they are, all is there.
            for name in reversed(self.names):
                partial = self.folder / partial_name(name)
                with partial.open("rb") as stream:
                    os.fsync(stream.fileno())
                partial.replace(self.folder / name)
            (self.folder / _ROWS).unlink(missing_ok=True)

    def _unfinished(self, shapes: Shapes) -> tuple[dict[str, np.memmap[Any, Any]], int]:
        """The files of an interrupted computation with their number of rows, or new ones."""
        found: dict[str, np.memmap[Any, Any]] = {}
        try:
            done = int((self.folder / _ROWS).read_text(encoding="ascii"))
            for name, shape in shapes.items():
                x = np.load(self.folder / partial_name(name), mmap_mode="r+", allow_pickle=False)
                if x.shape != shape or x.dtype != _KINDS[name] or not 0 <= done <= shape[0]:
                    raise ValueError
                found[name] = x
        except (OSError, ValueError, EOFError):  # there are none, or they are damaged
            done = 0
            found = {
                name: np.lib.format.open_memmap(
                    self.folder / partial_name(name), mode="w+", dtype=_KINDS[name], shape=shape
                )
                for name, shape in shapes.items()
            }
        return found, done
