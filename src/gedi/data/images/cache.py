"""Decoded images on disk, so that they are decoded once.

    ~/.cache/gedi/images/KEY/images.npy    images (k, C, H, W) of bytes or floats
    ~/.cache/gedi/images/KEY/kept.npy      which of n images they are, (n,)

Any folder in it can be deleted at any time; its images are then decoded again when needed.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gedi.data.images.pile import Pile
from gedi.errors import DataError
from gedi.files import cache_home

__all__ = ["cache_folder", "entry_for", "filling", "open_entry"]

_FORMAT = 2


def cache_folder() -> Path:
    """The folder of decoded images."""
    return cache_home() / "images"


def entry_for(pile: Pile, image_size: int | None, skip_bad: bool) -> Path:
    """The folder of these images, decoded with these options."""
    from PIL import __version__ as pillow  # noqa: PLC0415

    key = repr((_FORMAT, pillow, image_size, skip_bad, list(pile.marks())))
    return cache_folder() / hashlib.sha256(key.encode()).hexdigest()[:32]


def open_entry(entry: Path, n: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Images (k, C, H, W) mapped from a folder, read-only, and which of n they are, (n,).

    Raises:
        DataError: the folder is damaged.
    """
    try:
        x = np.load(entry / "images.npy", mmap_mode="r", allow_pickle=False)
        kept = np.load(entry / "kept.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(entry) from error
    fits = (
        x.dtype in (np.uint8, np.float32)
        and x.ndim == 4
        and kept.dtype == bool
        and kept.shape == (n,)
    )
    if not fits or len(x) != kept.sum():
        raise _damaged(entry)
    return x, kept


@contextmanager
def filling(entry: Path) -> Iterator[Path]:
    """A temporary folder that becomes the entry if all goes well, and is removed otherwise.

    Raises:
        DataError: no folder can be made there.
    """
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", dir=entry.parent))
    except OSError as error:
        raise DataError(
            f"{entry.parent}: decoded images cannot be kept there ({error.strerror}): set "
            f"XDG_CACHE_HOME to a folder that can be written to"
        ) from error
    try:
        yield beside
        if not entry.is_dir():  # as it is if another process was faster
            beside.rename(entry)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _damaged(entry: Path) -> DataError:
    return DataError(f"{entry}: the decoded images there are damaged: delete this folder")
