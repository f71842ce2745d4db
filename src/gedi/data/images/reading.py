"""From the name of a set of images to its pixels and labels."""

from itertools import compress

from gedi.data.dataset import Dataset
from gedi.data.images.decoding import TooLargeError, decode
from gedi.data.images.folders import folder_pile, holds_archives, holds_tables
from gedi.data.images.hub_sets import HUB, PRESETS, hub_pile
from gedi.data.images.labels import codes_of
from gedi.data.images.parquet import image_columns, schema_of, shards_pile
from gedi.data.images.pile import Pile
from gedi.data.images.streaming import Watch, stream
from gedi.data.remote import local_path
from gedi.data.values import value_range_of
from gedi.errors import DataError

__all__ = ["holds_images", "pile_of", "read_images"]


def holds_images(source: str) -> bool:
    """Whether `read_images` reads this source, rather than a reader of tables and arrays.

    It reads names on the hub, folders, and parquet files with a column of images.
    """
    if source in PRESETS or source.startswith(HUB):
        return True
    path = local_path(source)
    try:
        if path.is_dir():
            try:
                return not (holds_tables(path) or holds_archives(path))
            except (DataError, OSError):  # which the reader of images explains
                return True
        return path.suffix.lower() == ".parquet" and bool(image_columns(schema_of(path)))
    except (DataError, OSError):  # which the reader of tables explains
        return False


def read_images(
    source: str,
    *,
    label: str | None,
    split: str | None,
    image_size: int | None,
    skip_bad: bool,
    stream_above: int,
    watch: Watch | None,
) -> Dataset:
    """Read and decode a set of images.

    A folder holds images, or one folder of images a class, or parquet shards; in folders or shards
    named after splits, such as train/ or train-00000-of-00002.parquet, one split is read. Files are
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
        stream_above: decoded images of more bytes than this are kept in a file, and `Dataset.x` is
            mapped from it; see `gedi.data.images.cache`. The pixels are the same.
        watch: called with the number of images decoded and that of all, while a file is written.

    Raises:
        DataError: there are no images, they differ in size, one cannot be read, or some lack
            labels.
    """
    if image_size is not None and image_size < 1:
        raise DataError(f"image_size: expected at least 1 pixel, got {image_size}")
    pile = pile_of(source, label, split)
    try:
        x, kept = decode(pile, image_size, skip_bad, most_bytes=stream_above)
    except TooLargeError:
        x, kept = stream(pile, image_size, skip_bad, watch)
    codes, class_names = codes_of(pile, kept)
    n, channels, height, width = x.shape
    return Dataset(
        pile.name,
        x.reshape(n, -1),
        codes,
        class_names,
        image_shape=(channels, height, width),
        value_range=value_range_of(x),
        n_skipped=pile.n - n,
        n_classes=PRESETS[source].n_classes if source in PRESETS else None,
        files=tuple(compress(pile.files, kept)),
        notes=pile.notes,
    )


def pile_of(source: str, label: str | None, split: str | None) -> Pile:
    """The encoded images of a source; see `read_images`.

    Raises:
        DataError: there are no images, or not in such a split.
    """
    if source in PRESETS or source.startswith(HUB):
        return hub_pile(source, label, split)
    path = local_path(source)
    if path.is_dir():
        return folder_pile(path, label, split)
    if split is not None:
        raise DataError(f"{source} is one file, without splits: leave out split={split!r}")
    return shards_pile(path.stem, [path], label)
