"""Claims of tables: how much a table would take, before it is read."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gedi.untrusted.limits import MOST_COLUMNS, RefusedError, check_room, refuse_special

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "check_columns",
    "check_csv_claims",
    "check_csv_head",
    "check_parquet_claims",
    "check_texts",
    "csv_marks",
    "is_nested",
]

_HEAD = 2**16  # bytes that show how fields and decimals are marked
_DECIMAL_POINT, _DECIMAL_COMMA = re.compile(rb"\d\.\d"), re.compile(rb"\d,\d")
_LONGEST_LINES = 2**24  # bytes of the first two lines of a csv file
_FIELD_BYTES = 64  # that pandas takes for a field, most of them while it reads
_CELL_BYTES = 16  # that a number takes in a column, and once more among all columns
_BATCH = 2**16  # rows


def check_columns(n: int) -> None:
    """Refuse more columns than a table may have.

    Raises:
        RefusedError: there are too many.
    """
    if n > MOST_COLUMNS:
        raise RefusedError(f"it has {n:,} columns, more than {MOST_COLUMNS:,}")


def csv_marks(path: Path) -> dict[str, str]:
    """The marks between fields and in decimals, as `sep` and `decimal` of pandas.

    They are found in the first lines: commas and points, unless the first line holds semicolons or
    tabs and no comma. With semicolons, which spreadsheets write where decimals have commas,
    decimals are read with commas unless they have points.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    names, _, rows = head.partition(b"\n")
    mark = next((m for m in (b";", b"\t") if m in names and b"," not in names), b",")
    points = mark != b";" or (_DECIMAL_POINT.search(rows) and not _DECIMAL_COMMA.search(rows))
    return {"sep": mark.decode(), "decimal": "." if points else ","}


def check_csv_head(path: Path) -> None:
    """Check the first two lines of a file that is read some rows at a time.

    The first line holds the names, and the second may make more columns.

    Raises:
        RefusedError: there are too many columns, or a line without end.
        OSError: the file cannot be read.
    """
    refuse_special(path)
    with path.open("rb") as stream:
        _check_lines(stream.read(_LONGEST_LINES), csv_marks(path)["sep"])


def check_csv_claims(path: Path) -> None:
    """Check the first two lines, and count the marks between fields in all lines.

    Raises:
        RefusedError: there are too many columns, a line without end, or too many fields for memory.
        OSError: the file cannot be read.
    """
    check_csv_head(path)
    mark = csv_marks(path)["sep"].encode()
    n_fields = 1
    with path.open("rb") as stream:
        while part := stream.read(2**20):
            n_fields += _marks(part, mark)
    n_bytes = path.stat().st_size + _FIELD_BYTES * n_fields
    check_room(n_bytes, f"its {n_fields:,} fields")


def _marks(text: bytes, mark: bytes) -> int:
    return text.count(mark) + text.count(b"\n") + text.count(b"\r")


def _check_lines(start: bytes, mark: str) -> None:
    text = io.StringIO(start.decode("latin-1"), newline="")
    lines = (
        line for line in csv.reader(text, delimiter=mark) if len(line) > 1 or "".join(line).strip()
    )
    try:
        widest = max((len(line) for line in islice(lines, 2)), default=0)
    except csv.Error as error:
        raise RefusedError(f"its first lines are no comma-separated text ({error})") from error
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
