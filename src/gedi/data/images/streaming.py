"""Sets of images that do not fit into memory: decoded once, by processes, into a mapped file."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager

import numpy as np
from numpy.typing import NDArray

from gedi.data.images.cache import entry_for, filling, open_entry
from gedi.data.images.decoding import Pixels, collect
from gedi.data.images.image_file import ImageFile
from gedi.data.images.pile import Pile
from gedi.data.images.pools import decoded, prepare
from gedi.errors import DataError
from gedi.untrusted.pixels import Planes

__all__ = ["Watch", "stream"]

Watch = Callable[[int, int], None]  # called with the number of images decoded and that of all


def stream(
    pile: Pile, image_size: int | None, skip_bad: bool, watch: Watch | None
) -> tuple[Pixels, NDArray[np.bool_]]:
    """Images (k, C, H, W) that can be read, and which of n they are, (n,); mapped from a file.

    The file is in the cache; where it is there already, nothing is decoded.

    Raises:
        DataError: see `collect`; or the disk is full, or a process ends unexpectedly.
    """
    entry = entry_for(pile, image_size, skip_bad)
    if not entry.is_dir():
        with filling(entry) as folder, ImageFile(folder / "images.npy", pile.n) as file:
            with _workers(pile) as pool, closing(decoded(pile, image_size, *pool)) as images:
                seen = images if watch is None else _watched(images, pile.n, watch)
                kept = collect(pile, seen, file, skip_bad)
            file.finish()
            np.save(folder / "kept.npy", kept)
    return open_entry(entry, pile.n)


def _watched(
    images: Iterator[list[Planes | str]], n: int, watch: Watch
) -> Iterator[list[Planes | str]]:
    done = 0
    watch(done, n)
    for block in images:
        yield block
        done += len(block)
        watch(done, n)


@contextmanager
def _workers(pile: Pile) -> Iterator[tuple[Executor, int]]:
    """Processes that decode, and their number.

    Small images are mostly Python's work, which threads would do one at a time. Unlike those of
    `multiprocessing`, the processes of loky do not run the user's script again.
    """
    from joblib import cpu_count  # noqa: PLC0415
    from joblib.externals.loky import ProcessPoolExecutor  # noqa: PLC0415

    n = cpu_count()
    pool = ProcessPoolExecutor(n, initializer=prepare)
    try:
        yield pool, n
        pool.shutdown()
    except BrokenProcessPool as error:
        raise DataError(
            f"{pile.name}: a process that decodes images has ended unexpectedly, perhaps for want "
            f"of memory or because of an image that Pillow cannot stand: give a smaller image_size "
            f"(--image-size), or look for the image by decoding some of them at a time"
        ) from error
    finally:
        pool.shutdown(kill_workers=True)  # those that still decode after an error
