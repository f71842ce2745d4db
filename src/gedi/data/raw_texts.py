"""Texts in files: a column of a table, or one text a line; read in parts.

.txt               a text on each line; empty lines are left out
.jsonl             a JSON object on each line
.csv, .parquet     a column; missing values are empty texts
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gedi.data.file_errors import existing_file, listed, read_each, reading
from gedi.errors import DataError
from gedi.untrusted import refuse_special
from gedi.untrusted.tables import check_csv_head, csv_marks, is_nested

__all__ = ["SUFFIXES", "column_parts"]

SUFFIXES = (".csv", ".jsonl", ".parquet", ".txt")
_TEXT = "text"  # the column of a file of one text a line
_ROWS = 2**14  # in a part
_LONGEST = 2**24  # characters of a line


def column_parts(path: Path, column: str | None) -> Iterator[list[str]]:
    """The values of a column as texts, some at a time.

    Args:
        path: of the file.
        column: its name; None for a file of one text a line.

    Raises:
        DataError: if the file is of another kind or damaged, or has no such column.
    """
    path = existing_file(str(path))
    kind = path.suffix.lower()
    if kind == ".txt":
        if column not in (None, _TEXT):
            raise DataError(f"{path} has a text on each line, and no column {column!r}")
        yield from _line_parts(path)
        return
    if kind not in SUFFIXES:
        raise DataError(
            f"{path}: expected texts in a file of the kinds {', '.join(SUFFIXES)}, got "
            f"{kind or 'no suffix'}"
        )
    if column is None:
        raise DataError(f"{path}: expected the name of the column of texts: give --text COLUMN")
    read = {".csv": _csv_parts, ".jsonl": _json_parts, ".parquet": _parquet_parts}[kind]
    yield from read(path, column)


def _line_parts(path: Path) -> Iterator[list[str]]:
    part = []
    for _, line in _lines(path):
        part.append(line)
        if len(part) == _ROWS:
            yield part
            part = []
    if part:
        yield part


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers from 1."""
    refuse_special(path)
    with path.open(encoding="utf-8-sig", newline=None) as stream:
        number = 0
        while True:
            with reading(path, "text in UTF-8"):
                line = stream.readline(_LONGEST)
            if not line:
                return
            number += 1
            if len(line) == _LONGEST:
                raise DataError(f"{path}: line {number} has more than {_LONGEST:,} characters")
            if text := line.strip():
                yield number, text


def _json_parts(path: Path, column: str) -> Iterator[list[str]]:
    part, found = [], False
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {number} is not JSON ({error})") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}: line {number}: expected a JSON object, such as {{...}}")
        if not found and number == 1 and column not in row:
            raise _no_column(path, column, list(row))
        found = True
        value = row.get(column)
        part.append("" if value is None else str(value))
        if len(part) == _ROWS:
            yield part
            part = []
    if part:
        yield part


def _csv_parts(path: Path, column: str) -> Iterator[list[str]]:
    import pandas as pd  # noqa: PLC0415

    kind = "comma-separated text in UTF-8"
    with reading(path, kind):
        check_csv_head(path)
        marks = csv_marks(path)
        options: Any = {
            "sep": marks["sep"],
            "dtype": str,
            "keep_default_na": False,
            "index_col": False,
        }
        names = list(pd.read_csv(path, nrows=0, **options).columns)
    if column not in names:
        raise _no_column(path, column, names)
    with reading(path, kind):
        frames = pd.read_csv(path, usecols=[column], chunksize=_ROWS, **options)
    with frames:
        for frame in read_each(frames, path, kind):
            yield [str(value) for value in frame[column].fillna("")]


def _parquet_parts(path: Path, column: str) -> Iterator[list[str]]:
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    with reading(path, "parquet"):
        refuse_special(path)
        file = ParquetFile(path, buffer_size=2**16, pre_buffer=False)
    with file:
        names = file.schema_arrow.names
        if column not in names:
            raise _no_column(path, column, names)
        if is_nested(file.schema_arrow.field(column).type):
            raise DataError(f"{path}: the column {column!r} holds no texts")
        batches = file.iter_batches(batch_size=_ROWS, columns=[column], use_threads=False)
        for batch in read_each(batches, path, "parquet"):
            yield ["" if v is None else str(v) for v in batch.column(0).to_pylist()]


def _no_column(path: Path, column: str, names: Sequence[str]) -> DataError:
    return DataError(f"{path} has no column {column!r} of texts (--text): it holds {listed(names)}")
