"""Tables in .csv and .parquet files: their columns, and their rows, all at once or in parts.

All readers of tables use these functions: those of whole tables here, of predictions in
`gedi.data.rows`, of streams in `gedi.data.shards`, and of groups in `gedi.evidence.group_files`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np

from gedi.data.columns import not_numeric, numeric_rows, require_columns, value_in_row
from gedi.data.dataset import Dataset
from gedi.data.file_errors import listed, read_each, reading
from gedi.data.labels import label_column
from gedi.errors import DataError
from gedi.untrusted import refuse_special
from gedi.untrusted.tables import (
    check_columns,
    check_csv_claims,
    check_csv_head,
    check_parquet_claims,
    csv_marks,
    is_nested,
)

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.parsers import TextFileReader
    from pyarrow.parquet import ParquetFile

__all__ = [
    "Part",
    "column_names",
    "load_table",
    "open_parquet",
    "read_parts",
    "read_table",
]

_CSV, _PARQUET = "comma-separated text in UTF-8", "parquet"
_PART_VALUES = 2**18  # 2 MiB
_MOST_ROWS = 2**16  # in a part


class Part(NamedTuple):
    """Rows of a table that follow each other.

    Attributes:
        frame: the rows.
        first_row: the place of the first of them in the file.
        share: of the file that has been read, in [0, 1].
    """

    frame: "pd.DataFrame"
    first_row: int
    share: float


def load_table(
    path: Path, label: str | None, features: Sequence[str] | None, drop: Sequence[str]
) -> Dataset:
    """The points of a table.

    Args:
        path: of the file.
        label: the column of labels, or None.
        features: the columns to take, in this order; None: all but labels and row numbers.
        drop: columns to leave out.

    Raises:
        DataError: the file is damaged, lacks a column, or holds values that are not finite numbers.
    """
    names = column_names(path)
    labels = () if label is None else (label,)
    require_columns(path, names, labels, "label column")
    require_columns(path, names, drop, "column to leave out (--drop)")
    require_columns(path, names, features or (), "column")
    if features is None:
        wanted = [name for name in names if name not in drop]
    else:
        wanted = list(dict.fromkeys((*features, *labels)))
    frame = read_table(path, wanted)
    if len(frame) == 0:
        raise DataError(f"{path} has a header but no rows: add data")
    codes, class_names = (None, ()) if label is None else label_column(path, frame[label])
    if features is None:
        features = [n for n in wanted if n != label and not _counts_rows(n, frame[n])]
    if not features:
        raise DataError(f"{path} has no feature columns: it holds {listed(names)}")
    x = numeric_rows(path, frame[list(features)])
    return Dataset(path.stem, x, codes, class_names, tuple(features))


def column_names(path: Path) -> list[str]:
    """The names of the columns, without those that pandas keeps its index in.

    Raises:
        DataError: the file is of another kind or damaged, its first line holds no names, or two
            columns of a .parquet file have the same name.
    """
    if _is_csv(path):
        with reading(path, _CSV):
            check_csv_head(path)
            with _csv(path) as table:
                names = [str(name) for name in table.read(0).columns]
        _check_names(path, names)
        return names
    with reading(path, _PARQUET), open_parquet(path) as table:
        schema = table.schema_arrow
        check_columns(len(schema))
        twice = [name for name, count in Counter(schema.names).items() if count > 1]
        if twice:
            raise DataError(f"{path} has more than one column {twice[0]!r}: rename all but one")
        return [str(name) for name in schema.empty_table().to_pandas().columns]


def read_table(path: Path, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """All rows of a table.

    Args:
        path: of the file.
        columns: the columns to read from a .parquet file; None: all.

    Raises:
        DataError: the file is of another kind, damaged, or does not fit into memory.
    """
    if _is_csv(path):
        with reading(path, _CSV):
            check_csv_claims(path)
            with _csv(path) as table:
                return _checked(path, table.read())
    with reading(path, _PARQUET), open_parquet(path) as table:
        _refuse_nested(path, table, columns)
        check_parquet_claims(path, columns)
        chosen = None if columns is None else list(columns)
        return _named(table.read(chosen, use_pandas_metadata=True).to_pandas())


def read_parts(
    path: Path, columns: Sequence[str], groups: range | None = None, first_row: int = 0
) -> Iterator[Part]:
    """Rows of a table, some at a time, so that memory does not grow with the file.

    Args:
        path: of the file.
        columns: the columns to read, in this order.
        groups: the row groups of a .parquet file to read; None: all.
        first_row: the place of their first row in the file.

    Raises:
        DataError: the file is damaged.
    """
    if _is_csv(path):
        yield from _csv_parts(path, columns)
        return
    with reading(path, _PARQUET):
        table = open_parquet(path)
    with table:
        _refuse_nested(path, table, columns)
        n, row = table.metadata.num_rows, first_row
        chosen = None if groups is None else list(groups)
        batches = table.iter_batches(
            _part_rows(len(columns)), chosen, list(columns), use_threads=False
        )
        for batch in read_each(batches, path, _PARQUET):
            frame = _named(batch.to_pandas())[list(columns)]
            yield Part(frame, row, (row + len(frame)) / n)
            row += len(frame)


def open_parquet(path: Path) -> "ParquetFile":
    """A .parquet file, whose columns are read with a small buffer each instead of as a whole."""
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    refuse_special(path)
    return ParquetFile(path, buffer_size=2**16, pre_buffer=False)


def _is_csv(path: Path) -> bool:
    kind = path.suffix.lower()
    if kind not in {".csv", ".parquet"}:
        raise DataError(f"{path}: expected a table, .csv or .parquet, got {kind or 'no suffix'}")
    return kind == ".csv"


def _csv(path: Path, stream: IO[bytes] | None = None, rows: int | None = None) -> "TextFileReader":
    """A reader of a .csv file, or of a stream of its bytes; some rows at a time if so asked."""
    import pandas as pd  # noqa: PLC0415

    marks = csv_marks(path)
    try:
        return pd.read_csv(
            path if stream is None else stream,
            iterator=True,
            chunksize=rows,
            low_memory=False,
            sep=marks["sep"],
            decimal=marks["decimal"],
        )
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path} is empty: add a line of column names and rows") from error


def _csv_parts(path: Path, columns: Sequence[str]) -> Iterator[Part]:
    size = path.stat().st_size
    with path.open("rb") as stream:
        with reading(path, _CSV):
            with _csv(path) as table:
                n_columns = len(table.read(0).columns)
            frames = _csv(path, stream, _part_rows(n_columns))
        row, before = 0, None
        for frame in read_each(frames, path, _CSV):
            chosen = _checked(path, frame, row)[list(columns)]
            before = _refuse_changed_type(path, chosen, before, row)
            yield Part(chosen, row, stream.tell() / size)
            row += len(chosen)


def _part_rows(n_columns: int) -> int:
    return max(1, min(_MOST_ROWS, _PART_VALUES // n_columns))


def _refuse_changed_type(
    path: Path, frame: "pd.DataFrame", before: list[bool] | None, row: int
) -> list[bool]:
    """Which columns hold booleans: neither may numbers follow them, nor they numbers.

    In the whole file such a column would be text.
    """
    found = [bool(kind == np.bool_) for kind in frame.dtypes]
    for name, was, now in zip(frame.columns, before or found, found, strict=True):
        if was != now:
            raise not_numeric(path, name, value_in_row(frame[name], 0, row))
    return found


def _checked(path: Path, frame: "pd.DataFrame", first_row: int = 0) -> "pd.DataFrame":
    """Rows of a .csv file with names of text.

    Raises:
        DataError: the rows are longer than the header, or it holds no names.
    """
    import pandas as pd  # noqa: PLC0415

    if not frame.index.equals(pd.RangeIndex(first_row, first_row + len(frame))):
        raise DataError(f"{path}: the rows have more fields than the header: name every column")
    frame = _named(frame)
    _check_names(path, list(frame.columns))
    return frame


def _named(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The rows with names of text."""
    frame.columns = frame.columns.map(str)
    return frame


def _check_names(path: Path, names: Sequence[str]) -> None:
    """Check that the first line of a .csv file is a header, with commas."""
    if len(names) == 1 and "|" in names[0]:
        raise DataError(f"{path}: the first line {names[0]!r} has no commas: separate by commas")
    if all(_is_number(name) for name in names) and not _counts_columns(names):
        raise DataError(
            f"{path}: the first line is numbers ({', '.join(names[:3])}, ...), not column names: "
            f"add a line of names"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _counts_columns(names: Sequence[str]) -> bool:
    """Whether the names are integers that go up by one, which is how pandas names columns."""
    first = names[0]
    return first.isdecimal() and list(names) == [str(int(first) + i) for i in range(len(names))]


def _counts_rows(name: str, column: "pd.Series") -> bool:
    """Whether this is the row index, which pandas writes to .csv files as an unnamed column."""
    return name == "Unnamed: 0" and np.array_equal(column.to_numpy(), np.arange(len(column)))


def _refuse_nested(path: Path, table: "ParquetFile", columns: Sequence[str] | None) -> None:
    """Check that no column holds lists, structures or maps."""
    for field in table.schema_arrow:
        if is_nested(field.type) and (columns is None or field.name in columns):
            raise not_numeric(path, field.name, f"values of type {field.type}")
