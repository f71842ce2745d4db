"""Sets of image files: folders, parquet shards as the Hugging Face hub has them, and the hub.

Images come out as bytes, of one shape:

    grey (8 bits, 1 bit)           one channel
    grey of 16 bits                one channel, divided by 257 and rounded
    colour, palette, CMYK, alpha   red, green, blue; what shines through is white
    grey and colour in one set     red, green, blue for all

Photographs are turned as their EXIF tag says; of several frames the first is taken. Local files
are read by pyarrow and Pillow rather than by `datasets`, which would first copy them into a cache
and could not say which file or row is damaged.
"""

import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gedi.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from PIL import Image

__all__ = ["PRESETS", "Images", "holds_images", "read_images"]

PRESETS = {
    "mnist": "hf://ylecun/mnist",
    "cifar10": "hf://uoft-cs/cifar10",
    "cifar100": "hf://uoft-cs/cifar100",
    "svhn": "hf://ufldl-stanford/svhn/cropped_digits",
}

_HUB = "hf://"
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # no others: some start programs
_SPLITS = frozenset({"train", "test", "validation", "valid", "val"})
_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels", "fine_label")  # the last is CIFAR-100's
_PART = 1024  # encoded images that are held at a time
_BLOCK = 64  # images that a thread decodes in one go

T = TypeVar("T")
Encoded = bytes | Path | None
Planes = NDArray[np.uint8]  # (C, H, W)


@dataclass(frozen=True, eq=False)
class Images:
    """Decoded images and what is known about them.

    Args:
        name: of the set.
        x: images (n, C, H, W).
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


@dataclass(frozen=True)
class _Pile:
    """Encoded images in their order.

    Args:
        name: of the set.
        n: how many.
        parts: gives them, some at a time.
        where: words for the place of one, for messages.
        labels: one an image, or None.
        class_names: what codes among the labels mean, or empty.
        files: the path of each image's file from the folder that is read, or empty.
    """

    name: str
    n: int
    parts: Callable[[], Iterator[Sequence[Encoded]]]
    where: Callable[[int], str]
    labels: NDArray[np.generic] | None = None
    class_names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


class _UnreadableError(Exception):
    """Says in a few words why an image cannot be read."""


def holds_images(source: str) -> bool:
    """Whether `read_images` is to read this, rather than a reader of tables and arrays.

    So are names on the hub, folders, and parquet files with a column of images.
    """
    if source in PRESETS or source.startswith(_HUB):
        return True
    path = Path(source)
    try:
        if path.is_dir():
            return True
        return path.suffix.lower() == ".parquet" and bool(_image_columns(_schema(path)))
    except (DataError, OSError):  # the reader of tables says why
        return False


def read_images(
    source: str,
    *,
    label: str | None = None,
    split: str | None = None,
    image_size: int | None = None,
    skip_bad: bool = False,
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

    Raises:
        DataError: there are no images, they differ in size, one cannot be read, or some lack
            labels.
    """
    if image_size is not None and image_size < 1:
        raise DataError(f"image_size: expected at least 1 pixel, got {image_size}")
    if source in PRESETS or source.startswith(_HUB):
        pile = _hub_pile(source, label, split)
    elif Path(source).is_dir():
        pile = _folder_pile(Path(source), label, split)
    else:
        if split is not None:
            raise DataError(f"{source} is one file, without splits: leave out split={split!r}")
        pile = _shards_pile(Path(source).stem, [Path(source)], label)
    x, kept = _decode(pile, image_size, skip_bad)
    labels = None if pile.labels is None else pile.labels[kept]
    files = tuple(compress(pile.files, kept))
    return Images(pile.name, x, labels, pile.class_names, pile.n - len(x), files)


# Folders


def _folder_pile(folder: Path, label: str | None, split: str | None) -> _Pile:
    name, root = folder.resolve().name, folder
    files, folders = _entries(folder)
    shards = [path for path in files if path.suffix.lower() == ".parquet"]
    if shards:
        return _shards_pile(name, _shards_of(folder, shards, split), label)
    images = _images_among(files)
    by_split = bool(folders) and not images and {path.name for path in folders} <= _SPLITS
    if by_split:
        chosen = _chosen(folder, {path.name: path for path in folders}, split)
        files, folders = _entries(chosen)
        shards = [path for path in files if path.suffix.lower() == ".parquet"]
        if shards:
            return _shards_pile(name, shards, label)
        folder, images = chosen, _images_among(files)
    elif split is not None:
        raise DataError(f"{folder} has no splits such as train and test: leave out split={split!r}")
    if label is not None:
        raise DataError(
            f"{folder}: the classes of images are their folders: leave out the label {label!r}"
        )
    return _files_pile(name, root, folder, images, folders)


def _files_pile(
    name: str, root: Path, folder: Path, images: list[Path], folders: list[Path]
) -> _Pile:
    """Images beside each other, or in one folder a class; `root` is what the user named."""
    classes = {path.name: found for path in folders if (found := _images_among(_entries(path)[0]))}
    if images and classes:
        raise DataError(
            f"{folder} holds images ({images[0].name}) beside folders of images "
            f"({next(iter(classes))}): put every image into the folder of its class, or all into "
            f"one folder"
        )
    if not images and not classes:
        raise DataError(
            f"{folder} is a directory without images: expected files of the kinds "
            f"{', '.join(sorted(_SUFFIXES))}, or folders of them, or .parquet files"
        )
    labels = None
    if classes:
        images = [path for found in classes.values() for path in found]
        labels = np.repeat(np.arange(len(classes)), [len(found) for found in classes.values()])
    return _Pile(
        name,
        len(images),
        lambda: (images[i : i + _PART] for i in range(0, len(images), _PART)),
        lambda i: str(images[i]),
        labels,
        tuple(classes),
        tuple(path.relative_to(root).as_posix() for path in images),
    )


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files and folders in a folder, by name, without hidden ones."""
    try:
        with os.scandir(folder) as scan:
            found = sorted(
                (entry.name, entry.is_dir()) for entry in scan if not entry.name.startswith(".")
            )
    except OSError as error:
        raise DataError(f"{folder} cannot be opened: {error.strerror}") from error
    files = [folder / name for name, is_folder in found if not is_folder]
    return files, [folder / name for name, is_folder in found if is_folder]


def _images_among(files: Iterable[Path]) -> list[Path]:
    return [path for path in files if path.suffix.lower() in _SUFFIXES]


def _shards_of(folder: Path, shards: list[Path], split: str | None) -> list[Path]:
    """The shards of one split: train-00000-of-00005.parquet is of the split train."""
    splits: dict[str, list[Path]] = {}
    for path in shards:
        splits.setdefault(re.sub(r"[-_.]?\d+(-of-\d+)?$", "", path.stem), []).append(path)
    return _chosen(folder, splits, split)


def _chosen(folder: Path, splits: Mapping[str, T], split: str | None) -> T:
    if split is None and ("train" in splits or len(splits) == 1):
        return splits.get("train", next(iter(splits.values())))
    if split is not None and split in splits:
        return splits[split]
    wanted = "expected a split to choose" if split is None else f"there is no split {split!r}"
    raise DataError(f"{folder}: {wanted}: give split (--split) as one of {_listed(splits)}")


# Parquet


def _schema(path: Path) -> "pa.Schema":
    return _parquet(path).schema_arrow


def _parquet(path: Path) -> Any:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    try:
        return ParquetFile(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} cannot be read as parquet and may be damaged: write it again ({_reason(error)})"
    )


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _shards_pile(name: str, shards: list[Path], label: str | None) -> _Pile:
    files = [_parquet(path) for path in shards]
    image = _image_column(str(shards[0]), files[0].schema_arrow)
    starts = np.cumsum([0, *(file.metadata.num_rows for file in files)])
    for path, file in zip(shards, files, strict=True):
        if image not in file.schema_arrow.names:
            raise DataError(f"{path} has no column {image!r} of images, as {shards[0]} has")

    def where(i: int) -> str:
        shard = int(np.searchsorted(starts, i, side="right")) - 1
        return f"row {i - starts[shard]} of {shards[shard]}"

    def parts() -> Iterator[Sequence[Encoded]]:
        for batch in _batches(shards, files, image):
            yield [_encoded(row, folder=None) for row in batch.column(0).to_pylist()]

    values: list[Any] = []
    column = _label_column(str(shards[0]), files[0].schema_arrow, label)
    class_names = _class_names(files[0].schema_arrow, column)
    if column is not None:
        for path, file in zip(shards, files, strict=True):
            if column not in file.schema_arrow.names:
                raise DataError(f"{path} has no column {column!r} of labels, as {shards[0]} has")
            if _class_names(file.schema_arrow, column) != class_names:
                raise DataError(
                    f"{path} names the classes of {column!r} otherwise than {shards[0]}: write "
                    f"both with the same names"
                )
        for batch in _batches(shards, files, column):
            values += batch.column(0).to_pylist()
    labels = _labels(values, column, class_names, where)
    return _Pile(name, int(starts[-1]), parts, where, labels, () if labels is None else class_names)


def _batches(shards: list[Path], files: list[Any], column: str) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa  # noqa: PLC0415

    for path, file in zip(shards, files, strict=True):
        try:
            yield from file.iter_batches(batch_size=_PART, columns=[column])
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _damaged(path, error) from error


def _encoded(row: Any, folder: Path | None) -> Encoded:
    """The bytes in a cell; or, if paths in it are to be trusted, the path of a file."""
    if not isinstance(row, dict):
        return None if row is None else bytes(row)
    if row["bytes"] is None and folder is not None and row.get("path"):
        return folder / str(row["path"])
    return None if row["bytes"] is None else bytes(row["bytes"])


def _image_columns(schema: "pa.Schema") -> list[str]:
    """Columns of encoded images; one of mere bytes is one only if its name says so."""
    from pyarrow import types  # noqa: PLC0415

    def binary(kind: "pa.DataType") -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    def holds(field: "pa.Field") -> bool:
        if binary(field.type):
            return field.name in _IMAGE_COLUMNS
        if not types.is_struct(field.type):
            return False
        kinds = {part.name: part.type for part in field.type}
        return kinds.keys() >= {"bytes", "path"} and binary(kinds["bytes"])

    return [field.name for field in schema if holds(field)]


def _image_column(where: str, schema: "pa.Schema") -> str:
    columns = _image_columns(schema)
    named = [name for name in _IMAGE_COLUMNS if name in columns]
    if named or len(columns) == 1:
        return (named or columns)[0]
    if columns:
        raise DataError(
            f"{where} has several columns of images, {_listed(columns)}: give the one to take the "
            f"name 'image'"
        )
    raise DataError(
        f"{where} has no column of images: expected a column 'image' of encoded images, got the "
        f"columns {_listed(schema.names)}"
    )


# Labels


def _label_column(where: str, schema: "pa.Schema", label: str | None) -> str | None:
    if label is None:
        return next((name for name in _LABEL_COLUMNS if name in schema.names), None)
    if label not in schema.names:
        raise DataError(
            f"{where} has no label column {label!r}: its columns are {_listed(schema.names)}"
        )
    return label


def _class_names(schema: "pa.Schema", column: str | None) -> tuple[str, ...]:
    """Names of the codes in a column, as `datasets` stores them beside the schema; or none."""
    try:
        stored = json.loads((schema.metadata or {})[b"huggingface"])
        names = stored["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):  # not written by `datasets`, or not a class
        return ()
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _labels(
    values: list[Any],
    column: str | None,
    class_names: tuple[str, ...],
    where: Callable[[int], str],
) -> NDArray[np.generic] | None:
    """Labels of all images; None if there are none at all."""
    # `datasets` writes -1 for a class that is kept secret, as in the test set of a competition.
    missing = [value is None or (bool(class_names) and value == -1) for value in values]
    if all(missing):
        return None
    if any(missing):
        raise DataError(
            f"{where(missing.index(True))} has no label, as {sum(missing)} of {len(values)} rows: "
            f"fill them in, or drop the column {column!r}"
        )
    if not class_names:
        return np.array(values)
    for i, value in enumerate(values):
        if not isinstance(value, int) or not 0 <= value < len(class_names):
            raise DataError(
                f"{where(i)} has the label {value!r}: expected a code from 0 to "
                f"{len(class_names) - 1}, as the file names {len(class_names)} classes"
            )
    return np.array(values, dtype=np.int64)


# The hub


def _hub_pile(source: str, label: str | None, split: str | None) -> _Pile:
    try:
        import datasets  # noqa: PLC0415
    except ImportError as error:
        raise DataError(
            f"{source} is read by the package datasets, which is not installed: "
            f"pip install 'gedi[images]'"
        ) from error
    parts = PRESETS.get(source, source).removeprefix(_HUB).split("/")
    if len(parts) not in {2, 3} or not all(parts):
        raise DataError(f"{source}: expected hf://owner/name or hf://owner/name/configuration")
    name, split = "/".join(parts[:2]), split or "train"
    try:
        found = datasets.load_dataset(name, *parts[2:], split=split)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        local = f"; the folder of this name is ./{source}" if Path(source).exists() else ""
        raise DataError(
            f"{source} cannot be loaded from the Hugging Face hub ({_reason(error)}){local}"
        ) from error
    rows = found.with_format("arrow")
    schema = found.features.arrow_schema
    image = _image_column(source, schema)
    column = _label_column(source, schema, label)
    class_names = _class_names(schema, column)

    def where(i: int) -> str:
        return f"row {i} of {name} ({split})"

    def encoded() -> Iterator[Sequence[Encoded]]:
        pictures = rows.select_columns(image)
        for start in range(0, len(found), _PART):
            part = pictures[start : start + _PART][image].to_pylist()
            yield [_encoded(row, folder=Path()) for row in part]

    values = [] if column is None else rows.select_columns(column)[:][column].to_pylist()
    labels = _labels(values, column, class_names, where)
    short = source if source in PRESETS else parts[1]
    return _Pile(short, len(found), encoded, where, labels, () if labels is None else class_names)


# Pixels


def _decode(
    pile: _Pile, image_size: int | None, skip_bad: bool
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


def _room(pile: _Pile, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        return np.empty((pile.n, *shape), dtype=np.uint8)
    except MemoryError as error:
        raise DataError(
            f"{pile.name}: there is no memory for {pile.n} images of {shape[2]} x {shape[1]} "
            f"pixels: give a smaller image_size (--image-size)"
        ) from error


def _size(planes: Planes) -> str:
    return f"{planes.shape[2]} x {planes.shape[1]}"


def _all_planes(pile: _Pile, image_size: int | None) -> Iterator[Planes | str]:
    """Every image decoded, or why it cannot be, in order."""

    def decode(block: Sequence[Encoded]) -> list[Planes | str]:
        return [_planes(encoded, image_size) for encoded in block]

    # Pillow lets other threads run while it decodes.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for part in pile.parts():
            blocks = [part[i : i + _BLOCK] for i in range(0, len(part), _BLOCK)]
            for planes in pool.map(decode, blocks):
                yield from planes


def _planes(encoded: Encoded, image_size: int | None) -> Planes | str:
    """One image (C, H, W), or why it cannot be read."""
    from PIL import ImageOps  # noqa: PLC0415

    try:
        image = _eight_bits(_open(encoded))
    except _UnreadableError as error:
        return str(error)
    if image_size is not None:
        image = ImageOps.fit(image, (image_size, image_size))
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _open(encoded: Encoded) -> "Image.Image":
    """An image whose pixels are all there, upright."""
    from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415

    if encoded is None:
        raise _UnreadableError("holds no image")
    try:
        if isinstance(encoded, Path):
            encoded = encoded.read_bytes()
        image = Image.open(io.BytesIO(encoded), formats=_FORMATS)
        most = Image.MAX_IMAGE_PIXELS
        if most is not None and image.width * image.height > most:
            raise Image.DecompressionBombError(f"{image.width} x {image.height}")
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _UnreadableError(
            f"has more than {Image.MAX_IMAGE_PIXELS} pixels, too many for one image"
        ) from error
    except UnidentifiedImageError as error:
        raise _UnreadableError(
            f"is damaged or no image of the kinds {', '.join(_FORMATS)}"
        ) from error
    except Exception as error:  # of damaged bytes Pillow's many readers raise anything
        raise _UnreadableError(f"cannot be decoded ({_reason(error)})") from error
    return image


def _eight_bits(image: "Image.Image") -> "Image.Image":
    """The image in the mode L or RGB."""
    from PIL import Image  # noqa: PLC0415

    if image.has_transparency_data:
        over = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, over).convert("RGB")
    if image.mode in {"L", "RGB"}:
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "F" or image.mode.startswith("I"):
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            raise _UnreadableError("holds values of 32 bits: save it with 8 or 16 bits a channel")
        return Image.fromarray(((values.astype(np.int64) + 128) // 257).astype(np.uint8))
    return image.convert("RGB")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
