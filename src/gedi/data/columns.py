"""Columns of tables: names that have to be there, and values that have to be finite numbers."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gedi.data.dataset import Values
from gedi.data.file_errors import listed
from gedi.data.values import checked_rows
from gedi.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["not_numeric", "numeric_rows", "require_columns", "value_in_row"]

_CHUNK_VALUES = 2**18  # of plain numbers that are converted at a time, 2 MiB


def require_columns(path: Path, columns: Iterable[str], names: Sequence[str], what: str) -> None:
    """Check that all names are among the columns.

    Raises:
        DataError: some are not, with all columns that are there.
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
        first_row: the place of the first of these rows in the table; None if these are all.

    Raises:
        DataError: for a column that is not numeric and for values that are not finite, with the
            row.
    """
    out = np.empty(frame.shape)
    if all(isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in frame.dtypes):
        step = max(1, _CHUNK_VALUES // frame.shape[1])
        for start in range(0, len(frame), step):
            out[start : start + step] = frame.iloc[start : start + step].to_numpy(np.float64)
        return checked_rows(out, str(path), names=list(frame.columns), first_row=first_row)
    bad: dict[str, int] = {}
    for i, (name, column) in enumerate(frame.items()):
        out[:, i], wrong = _numbers(column)
        if wrong is not None:
            bad[str(name)] = wrong
    if bad:
        name, row = next(iter(bad.items()))
        raise not_numeric(path, name, value_in_row(frame[name], row, first_row or 0), list(bad)[1:])
    return checked_rows(out, str(path), names=list(frame.columns), first_row=first_row)


def not_numeric(path: Path, name: str, offender: str, others: Sequence[str] = ()) -> DataError:
    """The error for a column with a value that is not a number, and for others like it."""
    also = f" (nor are {listed(others)})" if others else ""
    return DataError(
        f"{path}: column {name!r} is not numeric, it holds {offender}{also}: leave it out with "
        "--drop, encode it as numbers (categories, dates and gaps: docs/estimators.md), or pass "
        "it with --label if it is the label"
    )


def value_in_row(column: "pd.Series", place: int, first_row: int = 0) -> str:
    """The value at a place of some rows, and its row in the table, in words."""
    return f"{_shown(column.iloc[place])} in row {first_row + place}"


def _numbers(column: "pd.Series") -> tuple[NDArray[np.float64], int | None]:
    """The column as numbers, missing values as NaN; and the place of the first other value."""
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
    """The value; infinite, like 1e999, if it is a whole number too large for a float."""
    try:
        return float(value) if isinstance(value, int) else value
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]


def _shown(value: object, width: int = 40) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= width else text[: width - 3] + "..."
