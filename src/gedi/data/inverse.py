"""Features of a table as the values of its columns: the inverse of a plan of columns."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gedi.data.columns import MISSING, SPAN, Column, ColumnPlan, pooled_name

__all__ = ["date_places", "date_text", "inverse", "places", "same_type"]

_SECONDS = {"date": 86_400, "time": 3_600}  # of a unit
_ROUND = 1_000  # parts of a second, to which times are rounded
_FARTHEST = 253_402_300_800_000  # of them: the end of the year 9999


def places(plan: ColumnPlan) -> dict[str, slice]:
    """The features of each column that is used, by its name."""
    found: dict[str, slice] = {}
    at = 0
    for column in plan.used:
        n = len(column.features)
        found[column.name] = slice(at, at + n)
        at += n
    return found


def date_places(plan: ColumnPlan) -> dict[int, str]:
    """The features that are dates, days since 1970-01-01, and the names of their columns."""
    found = zip(plan.used, places(plan).values(), strict=True)
    others = (SPAN, "time", "hours:minutes")
    return {
        at.start: column.name
        for column, at in found
        if column.kind == "date" and column.form not in others
    }


def date_text(days: float) -> str:
    """A number of days since 1970-01-01 as a date, with the time of the day if it has one."""
    date = _dates(None, pd.Series([days])).dt.round("s").iloc[0]
    return "no date" if pd.isna(date) else str(date).removesuffix(" 00:00:00")


def same_type(column: "pd.Series") -> "pd.Series":
    """A column of `inverse` in a type that does not depend on the values, as files need it."""
    if column.dtype != object:
        return column
    present = column.dropna()
    holds_flags = len(present) > 0 and isinstance(present.iloc[0], bool)
    if holds_flags or not len(present):
        return column.astype("boolean" if holds_flags else "string")
    return column.map(str, na_action="ignore").astype("string")


def inverse(plan: ColumnPlan, x: NDArray[np.floating]) -> "pd.DataFrame":
    """The values of the columns that are used, except texts, of rows of features (n, d).

    Categories and flags get the most likely of their values, dates in text are written as in the
    training, and values that are marked as missing are missing. Rounded are only dates, to
    milliseconds.

    Args:
        plan: of the columns.
        x: features, which need not be ones that the plan makes.
    """
    found = {
        column.name: _values(column, x[:, places_])
        for column, places_ in zip(plan.used, places(plan).values(), strict=True)
        if column.axes is None
    }
    return pd.DataFrame(found, index=pd.RangeIndex(len(x)))


def _values(column: Column, x: NDArray[np.floating]) -> "pd.Series":
    """The values of a column from its features, (n, k)."""
    if column.kind == "category":
        code = x.argmax(1) if x.shape[1] > 1 else (x[:, 0] >= 0.5).astype(np.int64)
        names = [*column.levels, *[pooled_name(column)] * column.pooled]
        levels = pd.Series(np.array(names, dtype=object)[code], dtype=object)
        return levels.where(levels != MISSING, None) if column.mark_missing else levels
    values: pd.Series = pd.Series(x[:, 0].astype(np.float64))
    if column.kind == "date":
        values = _dates(column.form, values)
    elif column.levels:
        high = x[:, 0] >= 0.5
        words = [False, True] if column.levels == ("false", "true") else list(column.levels)
        kind: Any = bool if words[1] is True and not column.mark_missing else object
        values = pd.Series(np.array(words, dtype=object)[high.astype(np.int64)], dtype=kind)
    return values.where(x[:, 1] < 0.5) if column.mark_missing else values


def _dates(form: str | None, values: "pd.Series") -> "pd.Series":
    """Days or hours as dates, spans, times of the day, or text in the format of the training."""
    unit = _SECONDS["time" if form in ("time", "hours:minutes") else "date"]
    if form == SPAN:
        return pd.Series(pd.to_timedelta(values * unit, unit="s", errors="coerce"))
    rounded = (values * unit * _ROUND).round()
    known = rounded.abs() < _FARTHEST
    dates = pd.Series(rounded.where(known, 0).to_numpy(np.int64).view("datetime64[ms]"))
    dates = dates.where(known)
    if form is None:
        return dates
    if form == "time":
        return pd.Series(dates.dt.time)
    if form == "hours:minutes":
        whole = bool((dates.dropna().dt.second == 0).all())
        form = "%H:%M" if whole else "%H:%M:%S"
    if form == "ISO8601":
        dates = dates.dt.round("s")
        whole = bool((dates.dropna() == dates.dropna().dt.normalize()).all())
        form = "%Y-%m-%d" if whole else "%Y-%m-%d %H:%M:%S"
    return pd.Series(dates.dt.strftime(form), dtype=object)
