"""Folders of images: of one set, of classes, of splits, or of parquet shards."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from gedi.data.file_errors import TABLES, is_table, listed
from gedi.data.images.parquet import image_columns, schema_of, shards_pile
from gedi.data.images.pile import PART, Pile, marks_of
from gedi.errors import DataError
from gedi.untrusted.packed import suffix_of

__all__ = ["folder_pile", "holds_archives", "holds_tables", "tables_among"]

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
# Kinds of images that Pillow does not read.
_UNREAD = frozenset(
    {".heic", ".heif", ".avif", ".jxl", ".jp2", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raw"}
    | {".svg", ".psd", ".eps"}
)
_SPLITS = frozenset({"train", "test", "validation", "valid", "val"})

T = TypeVar("T")


def holds_tables(folder: Path) -> bool:
    """Whether a folder holds tables, and no images among them or in its folders."""
    files, folders = _entries(folder)
    tables = tables_among(files)
    shards = [path for path in tables if path.suffix.lower() == ".parquet"]
    if not tables or _images_among(files) or (shards and image_columns(schema_of(shards[0]))):
        return False
    return not any(_images_among(_entries(each)[0]) for each in folders)


def holds_archives(folder: Path) -> bool:
    """Whether a folder holds .npz files, and neither tables, images nor other arrays."""
    files, folders = _entries(folder)
    kinds = {path.suffix.lower() for path in files}
    if ".npz" not in kinds or ".npy" in kinds:
        return False
    places = (files, *(_entries(each)[0] for each in folders))
    return not tables_among(files) and not any(map(_images_among, places))


def tables_among(files: Iterable[Path]) -> list[Path]:
    """The tables among the files of a folder.

    Those in .txt are passed over, and those in .json if there are others: they describe the rest.
    """
    tables = [path for path in files if is_table(path) and path.name[0] not in "._"]
    kinds = {suffix_of(path) for path in tables} - {".txt"}
    kinds = kinds - {".json"} or kinds
    return [path for path in tables if suffix_of(path) in kinds and path.is_file()]


def folder_pile(folder: Path, label: str | None, split: str | None) -> Pile:
    """The images in a folder.

    Args:
        folder: of images, of folders named after classes or splits, or of parquet shards.
        label: the column of labels, in shards only.
        split: which split; None for train, or for the only one.

    Raises:
        DataError: there are no images, or they are mixed with folders, or not in such a split.
    """
    name, root = folder.resolve().name, folder
    files, folders = _entries(folder)
    shards = [path for path in files if path.suffix.lower() == ".parquet"]
    if shards:
        return shards_pile(name, _shards_of(folder, shards, split), label)
    images = _images_among(files)
    by_split = bool(folders) and not images and {path.name for path in folders} <= _SPLITS
    if by_split:
        chosen = _chosen(folder, {path.name: path for path in folders}, split)
        files, folders = _entries(chosen)
        shards = [path for path in files if path.suffix.lower() == ".parquet"]
        if shards:
            return shards_pile(name, shards, label)
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
) -> Pile:
    """Images in one folder, or in one folder a class; `root` is the folder that the user named."""
    classes = {path.name: found for path in folders if (found := _images_among(_entries(path)[0]))}
    if images and classes:
        raise DataError(
            f"{folder} holds images ({images[0].name}) beside folders of images "
            f"({next(iter(classes))}): put every image into the folder of its class, or all into "
            f"one folder"
        )
    notes = _left_out(folder, folders)
    if not images and not classes:
        raise DataError(
            f"{folder} is a directory without images or tables: expected files of the kinds "
            f"{', '.join(sorted(_SUFFIXES))}, or folders of them, or files of the kinds "
            f"{', '.join(TABLES)}"
            + "".join(f"; {note}" for note in (*notes, *_beside(folder, folders)))
        )
    labels = None
    if classes:
        images = [path for found in classes.values() for path in found]
        labels = np.repeat(np.arange(len(classes)), [len(found) for found in classes.values()])
    return Pile(
        name,
        len(images),
        lambda: (images[i : i + PART] for i in range(0, len(images), PART)),
        lambda i: str(images[i]),
        lambda: marks_of(images),
        labels,
        tuple(classes),
        tuple(path.relative_to(root).as_posix() for path in images),
        notes,
    )


def _left_out(folder: Path, folders: list[Path]) -> tuple[str, ...]:
    """Images that are not read, in words: those of other kinds, and in folders too deep."""
    unread: Counter[str] = Counter()
    deep: list[Path] = []
    for place in (folder, *folders):
        files, inner = _entries(place)
        unread.update(kind for path in files if (kind := path.suffix.lower()) in _UNREAD)
        if place != folder:
            deep += inner
    walks = (names for each in deep for *_, names in os.walk(each))
    n_deep = sum(len(_images_among(map(Path, names))) for names in walks)
    notes = []
    if unread:
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(unread.items()))
        notes.append(f"images of other kinds are left out, convert them to .jpg or .png: {kinds}")
    if n_deep:
        notes.append(
            f"{n_deep} images in folders within those of the classes, such as {deep[0]}, are left "
            "out: move them up"
        )
    return tuple(notes)


def _beside(folder: Path, folders: list[Path]) -> tuple[str, ...]:
    """What else a folder without images and tables holds, and how it is read, in words."""
    files, _ = _entries(folder)
    kinds = Counter(suffix_of(path) for path in files)
    notes = []
    if kinds[".txt"]:
        notes.append(f"tables in .txt files are read with the pattern {str(folder / '*.txt')!r}")
    if kinds[".npy"]:
        notes.append("arrays in .npy files are read one at a time: join them with numpy.stack")
    deep = next((path for each in folders for path in _entries(each)[0] if is_table(path)), None)
    if deep is not None:
        pattern = str(folder / f"**/*{suffix_of(deep)}")
        notes.append(f"tables in folders are read with the pattern {pattern!r}")
    return tuple(notes)


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
    raise DataError(f"{folder}: {wanted}: give split (--split) as one of {listed(splits)}")
