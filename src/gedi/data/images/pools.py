"""Blocks of images decoded in parallel, by threads or by processes."""

import warnings
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor, Future
from itertools import islice

from gedi.data.images.pile import Encoded, Pile
from gedi.untrusted.pixels import Planes, planes_of

__all__ = ["decoded", "prepare"]

_BLOCK = 64  # images that are decoded in one go


def prepare() -> None:
    """Make Pillow ready for decoding, once in a process instead of once in each thread.

    Its warnings concern images that are refused anyway.
    """
    from PIL import Image  # noqa: PLC0415

    Image.init()
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)


def decoded(
    pile: Pile, image_size: int | None, pool: Executor, n_workers: int
) -> Generator[list[Planes | str], None, None]:
    """Every image decoded, or the reason why it cannot be, block by block and in order.

    At most two blocks a worker are in progress, so that images that wait do not fill the memory.
    """
    waiting: deque[Future[list[Planes | str]]] = deque()
    blocks = _blocks(pile)
    try:
        for block in islice(blocks, 2 * n_workers):
            waiting.append(pool.submit(decode_block, block, image_size))
        while waiting:
            yield waiting.popleft().result()
            for block in islice(blocks, 1):
                waiting.append(pool.submit(decode_block, block, image_size))
    finally:
        for future in waiting:
            future.cancel()


def decode_block(block: Sequence[Encoded], image_size: int | None) -> list[Planes | str]:
    """The work of one task: the images of a block (C, H, W), or why they cannot be read."""
    return [planes_of(encoded, image_size) for encoded in block]


def _blocks(pile: Pile) -> Iterator[Sequence[Encoded]]:
    for part in pile.parts():
        for start in range(0, len(part), _BLOCK):
            yield part[start : start + _BLOCK]
