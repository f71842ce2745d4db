"""Claims of tables: how much a table would take, before it is read."""

import csv
import io
import zipfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gedi.untrusted.limits import MOST_COLUMNS, RefusedError, check_room, refuse_special

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "check_book_claims",
    "check_columns",
    "check_parquet_claims",
    "check_text_claims",
    "check_text_head",
    "check_texts",
    "is_nested",
]

_LONGEST_LINES = 2**24  # bytes of the first two lines of a csv file
_FIELD_BYTES = 64  # that pandas takes for a field, most of them while it reads
_CELL_BYTES = 16  # that a number takes in a column, and once more among all columns
_SHEET_BYTES = 8  # that openpyxl and pandas take for a byte of XML
_BATCH = 2**16  # rows


def check_columns(n: int) -> None:
    """Refuse more columns than a table may have.

    Raises:
        RefusedError: there are too many.
    """
    if n > MOST_COLUMNS:
        raise RefusedError(f"it has {n:,} columns, more than {MOST_COLUMNS:,}")


def check_text_head(path: Path, mark: str) -> None:
    """Check the first two lines of a file that is read some rows at a time.

    The first line holds the names, and the second may make more columns.

    Raises:
        RefusedError: there are too many columns, or a line without end.
        OSError: the file cannot be read.
    """
    refuse_special(path)
    with path.open("rb") as stream:
        _check_lines(stream.read(_LONGEST_LINES), mark)


def check_text_claims(path: Path, mark: str) -> None:
    """Count the marks between fields in all lines.

    Raises:
        RefusedError: there are too many fields for memory.
        OSError: the file cannot be read.
    """
    n_fields = 1
    with path.open("rb") as stream:
        while part := stream.read(2**20):
            n_fields += part.count(mark.encode()) + part.count(b"\n") + part.count(b"\r")
    n_bytes = path.stat().st_size + _FIELD_BYTES * n_fields
    check_room(n_bytes, f"its {n_fields:,} fields")


def check_book_claims(path: Path) -> None:
    """Check how large the sheets of an .xlsx file are, which is a .zip file.

    Raises:
        RefusedError: they do not fit into memory.
        OSError, zipfile.BadZipFile: the file cannot be read.
    """
    refuse_special(path)
    with zipfile.ZipFile(path) as archive:
        n_bytes = sum(member.file_size for member in archive.infolist())
    check_room(_SHEET_BYTES * n_bytes, "its sheets")


def _check_lines(start: bytes, mark: str) -> None:
    text = io.StringIO(start.decode("latin-1"), newline="")
    lines = (
        line for line in csv.reader(text, delimiter=mark) if len(line) > 1 or "".join(line).strip()
    )
    try:
        widest = max((len(line) for line in islice(lines, 2)), default=0)
    except csv.Error as error:
        raise RefusedError(f"its first lines are no table of text ({error})") from error
    check_columns(widest)
    if text.tell() >= _LONGEST_LINES:
        raise RefusedError(f"its first two lines are longer than {_LONGEST_LINES // 2**20} MiB")


def check_parquet_claims(path: Path, names: Sequence[str] | None = None) -> None:
    """Check the footer of the file, and unpack its texts once, part by part.

    A few bytes can stand for many rows, and one long text for a text in each of them.

    Args:
        path: of the file.
        names: columns that will be read; None for all.

    Raises:
        RefusedError: there are too many columns, or more values than fit into memory.
        ValueError: it is damaged; pyarrow raises `OSError` and its own errors for this as well.
    """
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    refuse_special(path)
    with ParquetFile(path) as file:
        facts, schema = file.metadata, file.schema_arrow
    check_columns(facts.num_columns)
    groups = [facts.row_group(i) for i in range(facts.num_row_groups)]
    rows = [group.num_rows for group in groups]
    if min(rows, default=0) < 0 or facts.num_rows != sum(rows):
        raise RefusedError(f"it claims {facts.num_rows:,} rows, but its parts {sum(rows):,}")
    wanted = [field for field in schema if names is None or field.name in names]
    row_bytes = sum(max(_CELL_BYTES, _width(field.type)) for field in wanted) or _CELL_BYTES
    check_room(facts.num_rows * row_bytes, f"{facts.num_rows:,} rows of {len(wanted)} columns")
    check_texts(path, [field.name for field in wanted])


def check_texts(path: Path, wanted: Sequence[str]) -> None:
    """Unpack the texts among some columns of a .parquet file once, part by part.

    Raises:
        RefusedError: they do not fit into memory.
        ValueError: it is damaged; pyarrow raises `OSError` and its own errors for this as well.
    """
    from pyarrow.parquet import read_schema  # noqa: PLC0415

    refuse_special(path)
    names = [each.name for each in read_schema(path) if each.name in wanted and _is_text(each.type)]
    if names:
        _unpack_texts(path, names)


def _unpack_texts(path: Path, names: list[str]) -> None:
    import pyarrow.compute as pc  # noqa: PLC0415
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    n_bytes = 0
    # As dictionaries, so that a text that comes in many rows is unpacked once.
    with ParquetFile(path, read_dictionary=names) as file:
        for batch in file.iter_batches(batch_size=_BATCH, columns=names):
            for column in batch.columns:
                lengths = pc.binary_length(getattr(column, "dictionary", column))
                if hasattr(column, "dictionary"):
                    lengths = lengths.take(column.indices)
                n_bytes += (pc.sum(lengths.cast("int64")).as_py() or 0) + _FIELD_BYTES * len(column)
            check_room(n_bytes, f"the texts of {', '.join(map(repr, names[:5]))}")


def _width(kind: "pa.DataType") -> int:
    """The bytes of a value where all values of the type have the same number; else 0."""
    try:
        return int(kind.bit_width) // 8
    except ValueError:
        return 0


def _is_text(kind: "pa.DataType") -> bool:
    from pyarrow import types  # noqa: PLC0415

    tests = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    return any(test(kind) for test in tests)


def is_nested(kind: "pa.DataType | Any") -> bool:
    """Whether the values of a column hold others: lists, structs and maps."""
    from pyarrow import types  # noqa: PLC0415

    return bool(types.is_nested(kind))
