"""Tables in .csv and .parquet files: one numeric column a feature, and perhaps one of labels."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gedi.data.dataset import Dataset, Values
from gedi.data.file_errors import listed, reading
from gedi.data.labels import label_column
from gedi.data.values import checked_rows
from gedi.errors import DataError
from gedi.untrusted.tables import check_csv_claims, check_parquet_claims, csv_marks, is_nested

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "check_csv",
    "check_parquet",
    "load_table",
    "not_numeric",
    "numeric_rows",
    "read_table",
    "require_columns",
    "value_in_row",
]


def load_table(
    path: Path, label: str | None, features: Sequence[str] | None, drop: Sequence[str]
) -> Dataset:
    if path.suffix.lower() == ".csv":
        frame = _read_csv(path)
    else:
        frame = _read_parquet(path, None if features is None else [*features, *_given(label)])
    frame.columns = frame.columns.map(str)
    if len(frame) == 0:
        raise DataError(f"{path} has a header but no rows: add data")
    codes: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    if label is not None:
        require_columns(path, frame.columns, [label], "label column")
        codes, class_names = label_column(path, frame[label])
    require_columns(path, frame.columns, drop, "column to leave out (--drop)")
    if features is None:
        left_out = {label, *drop}
        names = [n for n in frame.columns if n not in left_out and not _counts_rows(n, frame[n])]
    else:
        names = [str(name) for name in features]
        require_columns(path, frame.columns, names, "column")
    if not names:
        raise DataError(f"{path} has no feature columns: it holds {listed(frame.columns)}")
    x = numeric_rows(path, frame[names])
    return Dataset(path.stem, x, codes, class_names, tuple(names))


def read_table(path: Path) -> "pd.DataFrame":
    """All columns of a .csv or .parquet file, with names of text.

    Raises:
        DataError: for a file of another kind, or one that cannot be read.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise DataError(f"{path}: expected a table, .csv or .parquet, got {kind or 'no suffix'}")
    frame = _read_csv(path) if kind == ".csv" else _read_parquet(path, None)
    frame.columns = frame.columns.map(str)
    return frame


def _read_csv(path: Path) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415

    with reading(path, "comma-separated text in UTF-8"):
        check_csv_claims(path)
        marks = csv_marks(path)
        frame = pd.read_csv(path, low_memory=False, sep=marks["sep"], decimal=marks["decimal"])
    check_csv(path, frame)
    return frame


def _read_parquet(path: Path, wanted: Sequence[str] | None) -> "pd.DataFrame":
    """The columns that are wanted, or all of a file that lacks one of them; None for all."""
    import pandas as pd  # noqa: PLC0415
    from pyarrow.parquet import read_schema  # noqa: PLC0415

    with reading(path, "parquet"):
        schema = read_schema(path)
        check_parquet(path, schema.names)
        columns = None if wanted is None or not set(wanted) <= set(schema.names) else list(wanted)
        for name in schema.names if columns is None else columns:
            if is_nested(schema.field(name).type):
                raise not_numeric(path, name, f"values of type {schema.field(name).type}")
        check_parquet_claims(path, columns)
        return pd.read_parquet(path, engine="pyarrow", columns=columns)


def check_csv(path: Path, frame: "pd.DataFrame", first_row: int = 0) -> None:
    """Check that rows have a header that fits.

    Args:
        path: of the file.
        frame: its rows, or some that follow each other.
        first_row: the place of the first of them.

    Raises:
        DataError: for rows longer than the header, another mark than the comma, or no header.
    """
    import pandas as pd  # noqa: PLC0415

    if not frame.index.equals(pd.RangeIndex(first_row, first_row + len(frame))):
        raise DataError(f"{path}: the rows have more fields than the header: name every column")
    names = [str(name) for name in frame.columns]
    if len(names) == 1 and "|" in names[0]:
        raise DataError(f"{path}: the first line {names[0]!r} has no commas: separate by commas")
    if all(_is_number(name) for name in names) and not _counts_columns(names):
        raise DataError(
            f"{path}: the first line is numbers ({', '.join(names[:3])}, ...), not column names: "
            f"add a line of names"
        )


def check_parquet(path: Path, names: Sequence[str]) -> None:
    """Check the names of the columns.

    Raises:
        DataError: if two are the same.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{path} has more than one column {twice[0]!r}: rename all but one")


def require_columns(path: Path, columns: Iterable[str], names: Sequence[str], what: str) -> None:
    """Check that all names are among the columns.

    Raises:
        DataError: with those that are not.
    """
    known = dict.fromkeys(columns)
    missing = [name for name in names if name not in known]
    if missing:
        raise DataError(f"{path} has no {what} {listed(missing)}: its columns are {listed(known)}")


def numeric_rows(path: Path, frame: "pd.DataFrame", *, first_row: int | None = None) -> Values:
    """All columns as finite numbers, (n, d), float64.

    Args:
        path: of the table.
        frame: its columns, or some rows of them.
        first_row: the place of the first of these rows in the table; None: they are all.

    Raises:
        DataError: for a column that is not numeric and for values that are not finite, with the
            row.
    """
    out = np.empty(frame.shape)
    bad: dict[str, int] = {}
    for i, name in enumerate(frame.columns):
        out[:, i], wrong = _numbers(frame[name])
        if wrong is not None:
            bad[name] = wrong
    if bad:
        name, row = next(iter(bad.items()))
        raise not_numeric(path, name, value_in_row(frame[name], row, first_row or 0), list(bad)[1:])
    return checked_rows(out, str(path), names=list(frame.columns), first_row=first_row)


def not_numeric(path: Path, name: str, offender: str, others: Sequence[str] = ()) -> DataError:
    """The error for a column that holds something that is no number, and perhaps others that do."""
    beside = f" (nor are {listed(others)})" if others else ""
    return DataError(
        f"{path}: column {name!r} is not numeric, it holds {offender}{beside}: leave it out with "
        "--drop, encode it as numbers (categories, dates and gaps: docs/estimators.md), or pass "
        "it with --label if it is the label"
    )


def value_in_row(column: "pd.Series", place: int, first_row: int = 0) -> str:
    """The value at a place of some rows, and the row of the table it is in, in words."""
    return f"{_shown(column.iloc[place])} in row {first_row + place}"


def _given(label: str | None) -> list[str]:
    return [] if label is None else [label]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _counts_columns(names: Sequence[str]) -> bool:
    """Whether the names are integers that go up by one, as pandas names columns by default."""
    first = names[0]
    return first.isdecimal() and list(names) == [str(int(first) + i) for i in range(len(names))]


def _counts_rows(name: str, column: "pd.Series") -> bool:
    """Whether this is the row index that pandas writes as an unnamed first column of a csv."""
    return name == "Unnamed: 0" and np.array_equal(column.to_numpy(), np.arange(len(column)))


def _numbers(column: "pd.Series") -> tuple[NDArray[np.float64], int | None]:
    """The column as numbers, missing values as NaN; and where its first value is that is none."""
    import pandas as pd  # noqa: PLC0415
    from pandas.api import types  # noqa: PLC0415

    if types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype):
        try:
            numbers = pd.to_numeric(column, errors="coerce")
        except OverflowError:  # a whole number of hundreds of digits
            numbers = pd.to_numeric(column.map(_bounded), errors="coerce")
        wrong = np.flatnonzero(numbers.isna() & column.notna())
    elif types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype):
        numbers, wrong = column, np.arange(0)
    else:  # dates, categories, complex numbers
        numbers, wrong = pd.Series(np.nan, index=column.index), np.arange(len(column))
    first = int(wrong[0]) if len(wrong) else None
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan), first


def _bounded(value: object) -> object:
    """The value; infinite, as 1e999 is, if it is a whole number too large for a float."""
    try:
        return float(value) if isinstance(value, int) else value
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]


def _shown(value: object, width: int = 40) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= width else text[: width - 3] + "..."
