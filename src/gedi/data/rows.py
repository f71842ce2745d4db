"""Rows of large files, some at a time, so that memory does not grow with the file.

The files are those of a table (see `gedi.data.tables`), with the columns of a plan, or a .npy file.
Checks and numbers are those of `gedi.load`. Files are read rather than mapped, as mapped pages
would count as memory of the process.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gedi.data.arrays import read_npy
from gedi.data.columns import ColumnPlan, require_columns
from gedi.data.dataset import Values
from gedi.data.file_errors import existing_file, reading
from gedi.data.images import holds_images
from gedi.data.remote import local_path
from gedi.data.tables import TableOptions, column_names, decimals_of, read_parts, table_files
from gedi.data.values import checked_rows
from gedi.errors import DataError
from gedi.untrusted.tables import check_texts

__all__ = ["Block", "Rows", "in_parts", "open_rows"]

_BLOCK_VALUES = 2**18  # of an array, 2 MiB
_MOST_ROWS = 2**16  # in a block
_ARRAY_DIMENSIONS = (2, 3, 4)


class Block(NamedTuple):
    """Some rows that follow each other.

    Attributes:
        rows: finite numbers, (k, d), images flattened; floats, or bytes of images.
        share: of the files that has been read, in [0, 1].
    """

    rows: Values
    share: float


@dataclass(frozen=True)
class Rows:
    """All rows of one or more files.

    Args:
        source: the name that the user gave.
        files: one after the other.
        columns: what is done with the columns of tables; None for arrays.
        n_features: d.
        table_options: how tables of text are read.
        filled: the number of missing values of each column that have been read.
    """

    source: str
    files: tuple[Path, ...]
    columns: ColumnPlan | None
    n_features: int
    table_options: TableOptions = field(default_factory=TableOptions)
    filled: Counter[str] = field(default_factory=Counter, compare=False)

    def blocks(self, first_row: int = 0) -> Iterator[Block]:
        """Blocks of any number of rows, from a row on.

        Raises:
            DataError: for a file that cannot be read, no rows, or rows that are not finite
                numbers, with their place in their file.
        """
        sizes = [file.stat().st_size for file in self.files]
        skip, before, some = first_row, 0, False
        for file, size in zip(self.files, sizes, strict=True):
            for rows, share in self._blocks_of(file):
                some = some or len(rows) > 0
                kept = rows[skip:]
                skip -= len(rows) - len(kept)
                if len(kept):
                    yield Block(kept, (before + share * size) / sum(sizes))
            before += size
        if not some:
            raise DataError(f"{self.source} has no rows: add data")

    @property
    def reorders(self) -> bool:
        """Whether the columns of a file come in another order than in the training."""
        if self.columns is None:
            return False
        wanted = [column.name for column in self.columns.used]
        for file in self.files:
            names = set(wanted)
            found = [name for name in column_names(file, self.table_options) if name in names]
            if found != wanted:
                return True
        return False

    def marks(self) -> list[tuple[str, int, int]]:
        """Path, size and time of change (ns) of each file, by which a change of it shows."""
        stats = [(file.resolve(), file.stat()) for file in self.files]
        return [(str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats]

    def _blocks_of(self, file: Path) -> Iterator[Block]:
        if self.columns is None:
            return _npy_blocks(file)
        return self._table_blocks(file, self.columns)

    def _table_blocks(self, file: Path, columns: ColumnPlan) -> Iterator[Block]:
        decimals = decimals_of(file, columns, self.table_options)
        names = [column.name for column in columns.used]
        for part in read_parts(file, names, options=self.table_options):
            rows = columns.apply(
                part.frame,
                str(file),
                first_row=part.first_row,
                decimals=decimals,
                filled=self.filled,
            )
            yield Block(rows, part.share)


def open_rows(
    source: str,
    columns: ColumnPlan | Sequence[str] = (),
    table_options: TableOptions = TableOptions(),
) -> Rows | None:
    """The rows of a file, or of the tables in a folder in the order of their names.

    Args:
        source: its path.
        columns: what is done with the columns of a table, or the names of columns that are numbers;
            without any only arrays are read.
        table_options: how tables of text are read.

    Returns:
        The rows; None for what cannot be read some rows at a time: sets of images, archives, built-
        in sets, and what is no such file, for which `gedi.load` gives the reason.

    Raises:
        DataError: for a damaged file, and missing columns.
    """
    files = _files(source)
    if not files:
        return None
    if files[0].suffix.lower() == ".npy":
        array = read_npy(existing_file(source), mapped=True)
        if array.ndim not in _ARRAY_DIMENSIONS:
            return None
        return Rows(source, files, None, checked_rows(array[:0], source).shape[1])
    if not isinstance(columns, ColumnPlan):
        columns = ColumnPlan.of_numbers(columns)
    if not columns.features:
        return None
    names = [column.name for column in columns.used]
    for file in files:
        require_columns(
            file, column_names(existing_file(str(file)), table_options), names, "column"
        )
        if file.suffix.lower() == ".parquet":
            with reading(file, "parquet"):
                check_texts(file, names)
    return Rows(source, files, columns, len(columns.features), table_options)


def in_parts(blocks: Iterable[ArrayLike], size: int) -> Iterator[NDArray[Any]]:
    """The same rows in parts of one size, except that the last may be smaller.

    Args:
        blocks: rows (k, ...), any number in each.
        size: rows in a part.
    """
    held: list[NDArray[Any]] = []
    n = 0
    for block in blocks:
        rows = np.asarray(block)
        while len(rows):
            held.append(rows[: size - n])
            rows, n = rows[size - n :], n + len(held[-1])
            if n == size:
                yield held[0] if len(held) == 1 else np.concatenate(held)
                held, n = [], 0
    if held:
        yield held[0] if len(held) == 1 else np.concatenate(held)


# Files


def _files(source: str) -> tuple[Path, ...]:
    """The files that can be read some rows at a time; none for images and for all else."""
    path = local_path(source)
    try:
        if path.suffix.lower() == ".npy" and path.is_file():
            return (path,)
    except OSError:  # `gedi.load` gives the reason
        return ()
    return () if holds_images(source) else table_files(source)


def _npy_blocks(file: Path) -> Iterator[Block]:
    array = read_npy(file, mapped=True)
    assert isinstance(array, np.memmap)
    n, step = len(array), max(1, min(_MOST_ROWS, _BLOCK_VALUES // max(1, array[:1].size)))
    # Columns that lie one after the other cannot be read row by row.
    is_plain = array.flags.c_contiguous
    for start in range(0, n, step):
        rows: NDArray[Any] = array[start : start + step]
        if is_plain:
            offset = array.offset + start * array.strides[0]
            flat = np.fromfile(file, array.dtype, rows.size, offset=offset)
            rows = flat.reshape(rows.shape)
        checked = checked_rows(rows, str(file), first_row=start)
        yield Block(checked, min(1.0, (start + step) / n))
