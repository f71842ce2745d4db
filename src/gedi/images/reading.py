"""From the name of a set of images to its pixels and labels."""

from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gedi.errors import DataError
from gedi.images.decoding import TooLargeError, decode
from gedi.images.folders import folder_pile
from gedi.images.hub_sets import HUB, PRESETS, hub_pile
from gedi.images.shards import image_columns, schema_of, shards_pile
from gedi.images.streaming import Watch, stream, unwatched

__all__ = ["STREAM_ABOVE", "Images", "holds_images", "read_images"]

STREAM_ABOVE = 2 * 2**30  # bytes


@dataclass(frozen=True, eq=False)
class Images:
    """Decoded images and what is known about them.

    Args:
        name: of the set.
        x: images (n, C, H, W), in memory or mapped from a file.
        labels: one value an image; codes into `class_names` if there are some; None if unknown.
        class_names: one name a code; empty where the labels are values of their own.
        n_skipped: how many images were left out, as they cannot be read.
        files: the path of each image's file from the folder that was read, or empty.
    """

    name: str
    x: NDArray[np.uint8]
    labels: NDArray[np.generic] | None
    class_names: tuple[str, ...]
    n_skipped: int
    files: tuple[str, ...] = ()


def holds_images(source: str) -> bool:
    """Whether `read_images` is to read this, rather than a reader of tables and arrays.

    So are names on the hub, folders, and parquet files with a column of images.
    """
    if source in PRESETS or source.startswith(HUB):
        return True
    path = Path(source)
    try:
        if path.is_dir():
            return True
        return path.suffix.lower() == ".parquet" and bool(image_columns(schema_of(path)))
    except (DataError, OSError):  # the reader of tables says why
        return False


def read_images(
    source: str,
    *,
    label: str | None = None,
    split: str | None = None,
    image_size: int | None = None,
    skip_bad: bool = False,
    stream_above: int = STREAM_ABOVE,
    watch: Watch = unwatched,
) -> Images:
    """Read and decode a set of images.

    A folder holds images, or one folder of images a class, or parquet shards; in folders or shards
    named after splits, as train/ or train-00000-of-00002.parquet, one split is read. Files are
    taken in the order of their names, class by class. A parquet file holds encoded images in a
    column `image` or `img`, or in the only one of its kind, and perhaps labels. On the hub,
    everything is `hf://owner/name` or `hf://owner/name/configuration`.

    Args:
        source: a folder, a parquet file, a name on the hub, or one of `PRESETS`.
        label: the column of labels; by default `label`, `labels` or `fine_label`.
        split: which split to read; by default train, or the only one there is.
        image_size: resize all images to this many pixels on the shorter side, and keep the square
            in the middle.
        skip_bad: leave out images that cannot be read, instead of refusing them all.
        stream_above: decoded images of more bytes than this are kept in a file, and `Images.x` is
            mapped from it; see `gedi.images.cache`. The pixels are the same.
        watch: called with the number of images decoded and that of all, where a file is written.

    Raises:
        DataError: there are no images, they differ in size, one cannot be read, or some lack
            labels.
    """
    if image_size is not None and image_size < 1:
        raise DataError(f"image_size: expected at least 1 pixel, got {image_size}")
    if source in PRESETS or source.startswith(HUB):
        pile = hub_pile(source, label, split)
    elif Path(source).is_dir():
        pile = folder_pile(Path(source), label, split)
    else:
        if split is not None:
            raise DataError(f"{source} is one file, without splits: leave out split={split!r}")
        pile = shards_pile(Path(source).stem, [Path(source)], label)
    try:
        x, kept = decode(pile, image_size, skip_bad, most_bytes=stream_above)
    except TooLargeError:
        x, kept = stream(pile, image_size, skip_bad, watch)
    labels = None if pile.labels is None else pile.labels[kept]
    files = tuple(compress(pile.files, kept))
    return Images(pile.name, x, labels, pile.class_names, pile.n - len(x), files)
