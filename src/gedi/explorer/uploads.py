"""Points from users: files that they upload, or rows that they paste."""

import csv
import io
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gedi.data.dataset import Dataset
from gedi.data.file_errors import SUFFIXES, TABLES
from gedi.errors import DataError
from gedi.runs import Run
from gedi.untrusted.packed import PACKED, suffix_of

__all__ = ["IMAGES", "fitted", "kinds_of", "points_of_files", "points_of_text", "points_of_texts"]

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
MOST_BYTES = 20 * 2**20  # of all files together
MOST_FILES = 200
MOST_LETTERS = 2**20


def points_of_files(
    run: Run, files: Sequence[str | Path], value_range: tuple[float, float] | None = None
) -> Dataset:
    """The points of uploaded files: one table, or images, which are resized to those of the run.

    Files are checked before they are decoded.

    Raises:
        DataError: for too many, too large or unreadable files, or other kinds of files.
    """
    paths = [Path(file) for file in files]
    kinds = kinds_of(run)
    if not 0 < len(paths) <= (MOST_FILES if kinds is IMAGES else 1):
        raise DataError(f"expected {_wanted(run)}, got {len(paths)} files")
    for path in paths:
        if suffix_of(path) not in kinds:
            raise DataError(f"{path.name}: expected {_wanted(run)} ({', '.join(kinds)})")
    size = sum(path.stat().st_size for path in paths)
    if size > MOST_BYTES:
        raise DataError(f"expected at most {MOST_BYTES // 2**20} MiB, got {size / 2**20:.1f} MiB")
    if kinds is not IMAGES:
        return run.new_data(str(paths[0]))
    if run.image_shape is None:
        return _with_features(run, paths)
    low, high = value_range or (0.0, 255.0)
    x = low + (high - low) * torch.cat([_read(run, path) for path in paths]).flatten(1)
    return Dataset("uploads", x.numpy(), image_shape=run.image_shape, value_range=(low, high))


def kinds_of(run: Run) -> tuple[str, ...]:
    """The kinds of files that hold points for a run."""
    if run.source.has_features:
        return (*TABLES, *PACKED) if run.has_texts else IMAGES
    return (*SUFFIXES, *PACKED) if run.image_shape is None else IMAGES


def points_of_texts(run: Run, text: str) -> Dataset:
    """The points of pasted texts, one on each line.

    Raises:
        DataError: if there are none, or too many letters.
    """
    if len(text) > MOST_LETTERS:
        raise DataError(f"expected at most {MOST_LETTERS:,} characters, got {len(text):,}")
    if not text.strip():
        raise DataError("expected a text on each line, got nothing")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.txt"
        file.write_text(text, encoding="utf-8", errors="replace")
        return run.new_data(str(file), keep=False)


def _with_features(run: Run, paths: Sequence[Path]) -> Dataset:
    """Uploaded photographs in the order given, as features."""
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(paths):
            # Only the suffix of the uploaded name is used.
            shutil.copyfile(path, Path(folder) / f"{number:04d}{path.suffix.lower()}")
        try:
            return run.new_data(folder, keep=False)
        except DataError as error:
            raise DataError(str(error).replace(folder, "").removeprefix("/")) from error


def fitted(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Images (n, C, H, W) converted to the channels and size of a shape, (n, *shape)."""
    if images.shape[1] != shape[0]:
        images = images.mean(1, keepdim=True).expand(-1, shape[0], -1, -1)
    size = list(shape[1:])
    return nn.functional.interpolate(images, size, mode="bilinear", antialias=True).clamp(0, 1)


def _read(run: Run, path: Path) -> Tensor:
    """One image, (1, C, H, W) in [0, 1], in the shape of the run's images."""
    assert run.image_shape is not None
    with tempfile.TemporaryDirectory() as folder:
        # Only the suffix of the uploaded name is used.
        shutil.copyfile(path, Path(folder) / f"image{path.suffix.lower()}")
        try:
            dataset = run.other_data(folder)
        except DataError as error:
            reason = str(error).replace(folder, "").removeprefix(": ")
            raise DataError(f"{path.name}: {reason}") from error
    assert dataset.image_shape is not None
    pixels = np.array(dataset.x, dtype=np.float32).reshape(1, *dataset.image_shape)
    return fitted(torch.from_numpy(pixels) / 255, run.image_shape)


def points_of_text(run: Run, text: str) -> Dataset:
    """The points of pasted rows: comma-separated numbers, with or without column names.

    Raises:
        DataError: for rows of another length, and for values that are not numbers.
    """
    if len(text) > MOST_LETTERS:
        raise DataError(f"expected at most {MOST_LETTERS:,} characters, got {len(text):,}")
    rows = [row for row in csv.reader(io.StringIO(text.strip())) if row]
    if not rows:
        raise DataError("expected rows of comma-separated numbers, got nothing")
    names = [f"x{j}" for j in range(run.n_features)]
    if run.columns is not None:
        names = [column.name for column in run.columns.used]
    if all(_is_number(cell) for cell in rows[0]):
        wrong = next((row for row in rows if len(row) != len(names)), None)
        if wrong is not None:
            raise DataError(f"expected {len(names)} numbers in a row, got {len(wrong)}")
        rows.insert(0, names)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.csv"
        with file.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(rows)
        return run.new_data(str(file))


def _wanted(run: Run) -> str:
    return f"1 to {MOST_FILES} images" if kinds_of(run) is IMAGES else "one table"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
