"""Rows of large files, some at a time, so that memory does not grow with the file.

Checked as `gedi.data` checks whole files, and the same numbers: a .csv or .parquet file or a folder
of .parquet files with the columns asked for, or a .npy file. Files are read rather than mapped, as
mapped pages would count as memory of the process.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gedi.data.arrays import read_npy
from gedi.data.dataset import Values
from gedi.data.file_errors import existing_file, reading
from gedi.data.images import holds_images
from gedi.data.tables import (
    check_csv,
    check_parquet,
    not_numeric,
    numeric_rows,
    require_columns,
    value_in_row,
)
from gedi.data.values import checked_rows
from gedi.errors import DataError
from gedi.untrusted.tables import check_columns, check_csv_head, check_texts, csv_marks

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Block", "Rows", "in_parts", "open_rows"]

T = TypeVar("T")

_VALUES = 2**20  # in a block, 8 MiB
_MOST_ROWS = 2**16  # in a block
_ARRAY_DIMENSIONS = (2, 3, 4)
_CSV, _PARQUET = "comma-separated text in UTF-8", "parquet"


class Block(NamedTuple):
    """Some rows that follow each other.

    Attributes:
        rows: finite numbers, (k, d), images flattened; floats, or bytes of images.
        share: of the files that is read by now, in [0, 1].
    """

    rows: Values
    share: float


@dataclass(frozen=True)
class Rows:
    """All rows of one or more files.

    Args:
        source: what the user called them.
        files: one after the other.
        features: columns to take, in this order; empty for arrays.
        n_features: d.
    """

    source: str
    files: tuple[Path, ...]
    features: tuple[str, ...]
    n_features: int

    def blocks(self, first_row: int = 0) -> Iterator[Block]:
        """Blocks of any number of rows, from a row on.

        Args:
            first_row: the row to begin with.

        Raises:
            DataError: for a file that cannot be read, rows that are not finite numbers, told with
                their place in their file, or no rows.
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

    def marks(self) -> list[tuple[str, int, int]]:
        """Path, size and time of change in nanoseconds of each file, which tell if they changed."""
        stats = [(file.resolve(), file.stat()) for file in self.files]
        return [(str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats]

    def _blocks_of(self, file: Path) -> Iterator[Block]:
        suffix = file.suffix.lower()
        if suffix == ".npy":
            return _npy_blocks(file)
        return (_csv_blocks if suffix == ".csv" else _parquet_blocks)(file, self.features)


def open_rows(source: str, features: Sequence[str] = ()) -> Rows | None:
    """The rows of a file, or of a folder of .parquet files in the order of their names.

    Args:
        source: its path.
        features: the columns to take from a table; without them only arrays are read.

    Returns:
        The rows; None for what cannot be read some rows at a time: sets of images, archives, built-
        in sets, and what is no such file at all, of which `gedi.load` tells why.

    Raises:
        DataError: for a damaged file, and missing columns.
    """
    path = Path(source)
    files = _files(path)
    if not files:
        return None
    if files[0].suffix.lower() == ".npy":
        array = read_npy(existing_file(source), mapped=True)
        if array.ndim not in _ARRAY_DIMENSIONS:
            return None
        return Rows(source, files, (), checked_rows(array[:0], source).shape[1])
    if not features:
        return None
    for file in files:
        require_columns(file, _columns(existing_file(str(file))), features, "column")
        if file.suffix.lower() == ".parquet":
            with reading(file, _PARQUET):
                check_texts(file, features)
    return Rows(source, files, tuple(features), len(features))


def in_parts(blocks: Iterable[ArrayLike], size: int) -> Iterator[NDArray[Any]]:
    """The same rows in parts of one size, the last of which may be smaller.

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


def _files(path: Path) -> tuple[Path, ...]:
    """Files that can be read some rows at a time; none where these are images, or no such files."""
    try:
        if path.is_dir():
            found = [file for file in sorted(path.iterdir()) if _is_shard(file)]
            return tuple(found) if found and not holds_images(str(found[0])) else ()
        known = path.suffix.lower() in {".csv", ".parquet", ".npy"} and path.is_file()
    except OSError:  # `gedi.load` says why
        return ()
    return (path,) if known and not holds_images(str(path)) else ()


def _is_shard(file: Path) -> bool:
    """Whether this is a part of a table; what begins with a point or a line is somebody's notes."""
    return file.suffix.lower() == ".parquet" and file.name[0] not in "._" and file.is_file()


def _columns(file: Path) -> list[str]:
    """Names of the columns as a reader of the whole file has them."""
    import pandas as pd  # noqa: PLC0415
    from pyarrow.parquet import read_schema  # noqa: PLC0415

    if file.suffix.lower() == ".csv":
        with reading(file, _CSV):
            check_csv_head(file)
            return [
                str(name) for name in pd.read_csv(file, nrows=0, sep=csv_marks(file)["sep"]).columns
            ]
    with reading(file, _PARQUET):
        schema = read_schema(file)
        check_columns(len(schema))
        check_parquet(file, schema.names)
        return [str(name) for name in schema.empty_table().to_pandas().columns]


def _block_rows(n_columns: int) -> int:
    return max(1, min(_MOST_ROWS, _VALUES // n_columns))


def _npy_blocks(file: Path) -> Iterator[Block]:
    array = read_npy(file, mapped=True)
    assert isinstance(array, np.memmap)
    n, step = len(array), _block_rows(max(1, array[:1].size))
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


def _csv_blocks(file: Path, features: Sequence[str]) -> Iterator[Block]:
    import pandas as pd  # noqa: PLC0415

    size = file.stat().st_size
    start, booleans = 0, None
    with file.open("rb") as stream:
        with reading(file, _CSV):
            marks = csv_marks(file)
            n_columns = len(pd.read_csv(file, nrows=0, sep=marks["sep"]).columns)
            rows_each = _block_rows(n_columns)
            frames = pd.read_csv(
                stream,
                chunksize=rows_each,
                low_memory=False,
                sep=marks["sep"],
                decimal=marks["decimal"],
            )
        for frame in _each(frames, file, _CSV):
            check_csv(file, frame, start)
            frame.columns = frame.columns.map(str)
            chosen = frame[list(features)]
            booleans = _refuse_changed_type(file, chosen, booleans, start)
            rows = numeric_rows(file, chosen, first_row=start)
            yield Block(rows, stream.tell() / size)
            start += len(rows)


def _refuse_changed_type(
    file: Path, frame: "pd.DataFrame", booleans: list[bool] | None, start: int
) -> list[bool]:
    """Which columns are of booleans; numbers may not follow them, nor they numbers.

    In the whole file such a column would be of text.
    """
    found = [bool(kind == np.bool_) for kind in frame.dtypes]
    for name, before, now in zip(frame.columns, booleans or found, found, strict=True):
        if before != now:
            raise not_numeric(file, name, value_in_row(frame[name], 0, start))
    return found


def _parquet_blocks(file: Path, features: Sequence[str]) -> Iterator[Block]:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    with reading(file, _PARQUET):
        # Streams of columns with a buffer, or each would be read as a whole for all its rows.
        table = ParquetFile(file, buffer_size=2**16, pre_buffer=False)
    with table:
        n, start = table.metadata.num_rows, 0
        batches = table.iter_batches(
            batch_size=_block_rows(len(features)), columns=list(features), use_threads=False
        )
        for batch in _each(batches, file, _PARQUET):
            frame = pa.Table.from_batches([batch]).to_pandas()
            frame.columns = frame.columns.map(str)
            rows = numeric_rows(file, frame[list(features)], first_row=start)
            start += len(rows)
            yield Block(rows, start / n)


def _each(items: Iterator[T], file: Path, kind: str) -> Iterator[T]:
    """The items, with what their reader raises as an error of the user's."""
    while True:
        with reading(file, kind):
            item = next(items, None)
        if item is None:
            return
        yield item
