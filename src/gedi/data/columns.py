"""Columns of tables as numbers: what is done with each one, learned once and applied again.

    number     as it is; text such as 1,357, 45% or $5 is read as `gedi.data.cells` describes
    flag       0 and 1
    date       days since 1970-01-01; times of the day in hours
    category   one column of 0 and 1 for each level, rare ones together in "other"; of two levels
               one column
    text       free text, only where asked for: leading principal axes of the vectors of a network,
               see `gedi.data.text_columns`
    drop       left out: empty columns, row indices, text that differs in nearly every row

A missing number, flag or date is filled with the median of the training, a missing category with
the most frequent one, and a missing text with the mean of all texts. Where 5 % or more are missing,
a column of 0 and 1 says which, and "missing" is a level of a category.
"""

import datetime
import decimal
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache, cached_property
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.api import types

from gedi.data.cells import (
    Numbers,
    Shapes,
    dates_of,
    decimal_marks,
    flag_values,
    flags_of,
    numbers_of,
    odd_date,
    texts_of,
)
from gedi.data.file_errors import listed
from gedi.data.text_columns import Encode, TextAxes, vectors_of
from gedi.data.values import Values, checked_rows
from gedi.errors import DataError

__all__ = [
    "FILES",
    "FRAMES",
    "KINDS",
    "MISSING",
    "SPAN",
    "Advice",
    "Column",
    "ColumnPlan",
    "learn_columns",
    "level_codes",
    "level_name",
    "level_places",
    "not_numeric",
    "numeric_rows",
    "plain",
    "pooled_name",
    "require_columns",
    "text_of",
    "typed",
    "value_in_row",
]

KINDS = ("number", "flag", "date", "category", "text", "drop")

_MOST_LEVELS = 20
_RARE = 0.01  # of the rows, and at least two rows: levels with fewer are pooled
_FEW_ROWS = 20  # below, no level is rare and no text an ID
_OFTEN_MISSING = 0.05  # of the rows
_WORDY = 4  # words, on average, of a column of free text
_OTHER, MISSING = "other", "missing"
_FORMS = {
    **{"%Y": "year", "%y": "year", "%m": "month", "%b": "month", "%B": "month", "%d": "day"},
    **{"%H": "hour", "%I": "hour", "%M": "minute", "%S": "second", "%p": "AM/PM"},
    **{"ISO8601": "year-month-day", "span": "spans of time"},
}
_DAYS, _SINCE = "%Y%m%d", "days since 1970-01-01"
_CHUNK_VALUES = 2**18  # of plain numbers that are converted at a time, 2 MiB
SPAN = "span"  # the form of time spans


class Advice(NamedTuple):
    """What to do about a column that cannot be read, in words.

    Attributes:
        mixed: of numbers together with other values.
        not_numeric: of values that nothing can be done with.
        other_kind: of values that are not of the kind that was asked for.
        texts: how to use free text.
    """

    mixed: str
    not_numeric: str
    other_kind: str
    texts: str

    def of(self, name: str) -> Self:
        """The advice about one column."""
        return type(self)(*(text.replace("NAME", name) for text in self))


FILES = Advice(
    "or read the column otherwise with --columns NAME=category or NAME=drop",
    "leave it out with --drop, encode it as numbers, or pass it with --label if it is the label",
    "give another kind with --columns",
    "; to use it, add --columns NAME=text",
)
FRAMES = Advice(
    "or make it a category with X.astype({'NAME': 'category'}), or leave it out with "
    "X.drop(columns='NAME')",
    "leave it out with X.drop(columns='NAME'), or encode it as numbers",
    "give another type",
    "; to use it, set columns={'NAME': 'text'}",
)


@dataclass(frozen=True)
class Column:
    """What is done with a column.

    Args:
        name: of the column.
        kind: one of `KINDS`.
        decimal: the mark of decimals of numbers in text; None if no value of the training shows it.
        percent: whether numbers are percentages, which are divided by 100.
        form: the format of dates in text, as pandas has it.
        levels: of a category, the most frequent first; of a flag, the words for 0 and 1.
        pooled: whether a category has a column for all other levels.
        fill: what takes the place of a missing value; None refuses missing values.
        mark_missing: whether a further column says which values are missing; of a category, whether
            it is a level.
        note: how the column was read, in words.
        axes: of a column of texts.
    """

    name: str
    kind: str
    decimal: str | None = None
    percent: bool = False
    form: str | None = None
    levels: tuple[str, ...] = ()
    pooled: bool = False
    fill: float | None = None
    mark_missing: bool = False
    note: str = ""
    axes: TextAxes | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features that it becomes."""
        if self.kind == "drop":
            return ()
        if self.kind == "category":
            found = [f"{self.name}={level}" for level in self.levels]
            if self.pooled:
                found.append(f"{self.name}={pooled_name(self)}")
            return tuple(found if len(found) > 2 else found[1:])
        missing = (f"{self.name} is missing",) if self.mark_missing else ()
        if self.axes is not None:
            return (*(f"{self.name} axis {j + 1}" for j in range(self.axes.n)), *missing)
        unit = {"date": " (hours)" if _is_time(self.form) else " (days)"}.get(self.kind, "")
        return (f"{self.name}{unit}", *missing)

    def __str__(self) -> str:
        n = len(self.features)
        made = f", {n} features" if n > 1 else ""
        return f"{self.name}: {'left out' if self.kind == 'drop' else self.kind}{made}" + (
            f" ({self.note})" if self.note else ""
        )


@dataclass(frozen=True)
class ColumnPlan:
    """What is done with each column of a table.

        plan, x = learn_columns(frame)
        plan.apply(new_frame)                            # the same features of other rows
        ColumnPlan.of_json(json.loads(json.dumps(plan.to_json()))) == plan

    Args:
        columns: in the order of their features.
    """

    columns: tuple[Column, ...]

    @classmethod
    def of_numbers(cls, names: Iterable[str]) -> Self:
        """Columns that are numbers, of which none may be missing."""
        return cls(tuple(Column(name, "number") for name in names))

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The names of the features, d."""
        return tuple(name for column in self.columns for name in column.features)

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that are not left out."""
        return tuple(column for column in self.columns if column.kind != "drop")

    @property
    def plain_features(self) -> list[int]:
        """The places of the features that are no axes of texts."""
        kinds = [column.kind for column in self.used for _ in column.features]
        return [place for place, kind in enumerate(kinds) if kind != "text"]

    @property
    def texts(self) -> tuple[str, ...]:
        """The names of the columns of texts."""
        return tuple(column.name for column in self.columns if column.kind == "text")

    def row_texts(self, frame: "pd.DataFrame") -> list[str]:
        """The texts of each row, those of several columns one after the other, (n,)."""
        columns = [frame[name].astype(object).fillna("").map(str) for name in self.texts]
        return [" | ".join(filter(None, row)) for row in zip(*columns, strict=True)]

    def __str__(self) -> str:
        """A line for each column that is not simply a number."""
        return "\n".join(
            " ".join(str(column).split())
            for column in self.columns
            if column.kind != "number" or column.note
        )

    def to_json(self) -> list[dict[str, Any]]:
        """The columns as JSON has them."""
        return [asdict(column) | {"levels": list(column.levels)} for column in self.columns]

    @classmethod
    def of_json(cls, content: Any) -> Self:
        """The plan that `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        if not isinstance(content, list):
            raise ValueError("columns: expected a list")
        return cls(tuple(_column_of(each) for each in content))

    def apply(
        self,
        frame: "pd.DataFrame",
        where: str = "the table",
        *,
        first_row: int | None = None,
        decimals: Mapping[str, str] | None = None,
        filled: "Counter[str] | None" = None,
        texts: Mapping[str, Any] | None = None,
        keep_missing: bool = False,
        encode: Encode = vectors_of,
    ) -> NDArray[np.float64]:
        """The features of some rows, (n, d).

        Args:
            frame: with all columns that are used, in any order.
            where: the source of the rows, for errors.
            first_row: the place of the first of them among more; None if these are all.
            decimals: the decimal marks of columns of text; by default those of the training.
            filled: the number of missing values of each column is added to it.
            texts: columns of text, if `text_of` has been called for them.
            keep_missing: whether features of missing values are NaN, and the features that say
                which values are missing are 0.
            encode: makes vectors of the values of columns of texts.

        Raises:
            DataError: a column is missing, or holds values that are not of its kind, with the row.
        """
        require_columns(where, frame.columns, [column.name for column in self.used], "column")
        out = np.empty((len(frame), len(self.features)))
        if self._are_plain(frame) and not keep_missing:
            names = [column.name for column in self.used]
            step = max(1, _CHUNK_VALUES // max(1, len(names)))
            for start in range(0, len(frame), step):
                part = frame[names].iloc[start : start + step]
                out[start : start + step] = part.to_numpy(np.float64)
            return checked_rows(out, where, names=self.features, first_row=first_row)
        at = 0
        for column in self.used:
            mark = (decimals or {}).get(column.name, column.decimal) or "."
            series = plain(frame[column.name])
            text = text_of(series) if texts is None else texts.get(column.name)
            values: Any
            if column.axes is not None:
                values = _places(where, column, series, text, encode)
            else:
                values = _values(where, column, series, text, mark=mark, first_row=first_row or 0)
            if filled is not None:
                is_level = not isinstance(values, np.ndarray)
                missing = values == MISSING if is_level else _gaps(values)
                filled[column.name] += int(missing.sum())
            for feature in _missing(column, values) if keep_missing else _features(column, values):
                out[:, at] = feature
                at += 1
        if keep_missing:
            return out
        return checked_rows(out, where, names=self.features, first_row=first_row)

    def _are_plain(self, frame: "pd.DataFrame") -> bool:
        """Whether all columns are numbers of numpy and none is filled, so that a copy is enough."""
        return all(column.kind == "number" and column.fill is None for column in self.used) and all(
            isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in frame.dtypes
        )


def learn_columns(
    frame: "pd.DataFrame",
    where: str = "the table",
    *,
    kinds: Mapping[str, str] | None = None,
    separator: str = ",",
    decimal: str | None = None,
    advice: Advice = FILES,
    network: str | None = None,
    encode: Encode = vectors_of,
) -> tuple[ColumnPlan, NDArray[np.float64]]:
    """Choose what is done with each column, and do it.

    Args:
        frame: all rows.
        where: their source, for errors.
        kinds: the kinds of some columns, by name; see `KINDS`.
        separator: between the fields of the file, which tells how decimals are usually marked.
        decimal: the mark of decimals in text, `.` or `,`; None: from the values.
        advice: for errors.
        network: the name of the network of columns of texts; None is the default.
        encode: makes vectors of the values of columns of texts.

    Returns:
        The plan, and the features (n, d).

    Raises:
        DataError: a column mixes numbers with other values, with the row; or no column is left.
    """
    kinds = kinds or {}
    encode = cache(encode)  # the same texts are encoded once, here and below
    require_columns(where, frame.columns, list(kinds), "column")
    columns = {str(name): plain(column) for name, column in frame.items()}
    texts = {name: text_of(column) for name, column in columns.items()}
    texts = {name: text for name, text in texts.items() if text is not None}
    usual = {name: "category" if _is_category(each) else "number" for name, each in columns.items()}
    shapes = {name: Shapes() for name in texts if kinds.get(name, usual[name]) == "number"}
    for name, each in shapes.items():
        each.add(texts[name])
    if decimal is None:
        decimals = decimal_marks(where, shapes, separator=separator)
    else:
        decimals = dict.fromkeys(texts, decimal)
    found = [
        _learned(
            where,
            name,
            column,
            text=texts.get(name),
            shapes=shapes.get(name),
            kind=kinds.get(name),
            mark=decimals.get(name, "."),
            place=place,
            advice=advice.of(name),
        )
        if kinds.get(name) != "text"
        else _axes_of(where, name, column, text=texts.get(name), network=network, encode=encode)
        for place, (name, column) in enumerate(columns.items())
    ]
    plan = ColumnPlan(tuple(found))
    if not plan.used:
        raise DataError(
            f"{where} has no feature columns: it holds {listed(map(str, frame.columns))}"
            + (f" ({'; '.join(map(str, found))})" if found else "")
        )
    return plan, plan.apply(frame, where, decimals=decimals, texts=texts, encode=encode)


# Learning


def _learned(
    where: str,
    name: str,
    column: "pd.Series",
    *,
    text: Any,
    shapes: Shapes | None,
    kind: str | None,
    mark: str,
    place: int,
    advice: Advice,
) -> Column:
    declared = kind is None and _is_category(column)
    numbers = None if text is None or declared else numbers_of(text, mark)
    if numbers is None:
        n_missing = int(column.isna().sum())
    else:
        n_missing = int((np.isnan(numbers.values) & ~numbers.wrong).sum())
    if kind == "drop":
        return Column(name, "drop", note="as asked")
    if n_missing == len(column):
        return Column(name, "drop", note="every value is missing")
    if kind is None and place == 0 and _is_index(name, column, text):
        return Column(name, "drop", note="it is the row index of the table")
    if numbers is None:
        found = _learned_values(where, name, column, "category" if declared else kind, advice)
    else:
        found = _learned_text(where, name, text, kind, numbers=numbers, advice=advice)
    if found.kind == "category":
        return _levels_of(name, column, text, given=kind is not None)
    if found.kind == "drop":
        return found
    if found.kind == "number" and numbers is not None:
        found = _number_column(where, name, text, numbers, shapes=shapes or Shapes(), mark=mark)
        values: Any = numbers.values
    else:
        values = _values(where, found, column, text, mark=mark)
    middle = float(np.nanmedian(values))
    fill = math.floor(middle + 0.5) if found.kind == "flag" else middle
    share = n_missing / len(column)
    notes = [found.note] * bool(found.note)
    if n_missing:
        notes.append(f"{n_missing} missing, filled with the median {fill:.6g}")
    return Column(
        **_facts(found)
        | {"fill": fill, "mark_missing": share >= _OFTEN_MISSING, "note": "; ".join(notes)}
    )


def _axes_of(
    where: str,
    name: str,
    column: "pd.Series",
    *,
    text: Any,
    network: str | None,
    encode: Encode,
) -> Column:
    """A column of texts, with the principal axes of their vectors."""
    present, there = _texts(where, name, column, text)
    if not present:
        return Column(name, "drop", note="every value is missing")
    n_missing = len(there) - len(present)
    axes, share = TextAxes.learn(network, encode(network, present))
    notes = [f"{axes.n} principal axes of vectors of {axes.width}, {share:.0%} of their variance"]
    if n_missing:
        notes.append(f"{n_missing} missing, filled with the mean of all texts")
    often = n_missing >= _OFTEN_MISSING * len(there)
    return Column(
        name, "text", mark_missing=often and n_missing > 0, note="; ".join(notes), axes=axes
    )


def _facts(column: Column) -> dict[str, Any]:
    return {each.name: getattr(column, each.name) for each in fields(column)}


def _learned_values(
    where: str, name: str, column: "pd.Series", kind: str | None, advice: Advice
) -> Column:
    """The treatment of a column of typed values."""
    if kind == "category":
        return Column(name, "category")
    if types.is_bool_dtype(column.dtype):
        return Column(name, kind or "flag", levels=("false", "true"))
    if types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype):
        return Column(name, kind or "number")
    if _is_dated(column):
        form = "time" if _holds_times(column) else SPAN if _is_span(column) else None
        note = {"time": "hours since midnight", SPAN: "days"}.get(form or "")
        return Column(name, "date", form=form, note=note or "days since 1970-01-01")
    if _is_objects_of(column, (int, float, decimal.Decimal, bool)):
        booleans = all(isinstance(value, bool) for value in column.dropna())
        levels = ("false", "true") if booleans else ()
        return Column(name, kind or ("flag" if booleans else "number"), levels=levels)
    raise not_numeric(where, name, value_in_row(column, int(column.notna().argmax())), advice)


def _learned_text(
    where: str, name: str, text: Any, kind: str | None, *, numbers: Numbers, advice: Advice
) -> Column:
    """The treatment of a column of text."""
    if kind == "category":
        return Column(name, kind)
    n_wrong = int(numbers.wrong.sum())
    right = int((~np.isnan(numbers.values)).sum())
    n = right + n_wrong
    if kind in (None, "flag") and right < n and (pair := flags_of(text)) is not None:
        return Column(name, "flag", levels=pair[0], note=f"{pair[0][0]} is 0, {pair[0][1]} is 1")
    if kind == "date" and right == n:
        if _are_days(text):
            return Column(name, "date", form=_DAYS, note=f"read as {_form(_DAYS)}, {_SINCE}")
    elif kind in (None, "date") and (dates := dates_of(text)) is not None:
        what = "hours since midnight" if _is_time(dates[0]) else _SINCE
        return Column(name, "date", form=dates[0], note=f"read as {_form(dates[0])}, {what}")
    if kind in (None, "date") and right < n / 2 and (odd := odd_date(text)) is not None:
        held = f"dates as {_form(odd[0])}"
        raise _mixed(where, name, text, odd[1], advice, held=held)
    if kind in ("flag", "date"):
        raise DataError(
            f"{where}: column {name!r} cannot be read as {kind}: it holds "
            f"{_present(text)[0][0].as_py()!r}: {advice.other_kind}"
        )
    if kind == "number" or right >= n / 2:
        wrong = np.flatnonzero(numbers.wrong)
        if len(wrong):
            raise _mixed(where, name, text, int(wrong[0]), advice)
        return Column(name, "number")
    return Column(name, "category") if kind else _words_column(name, _present(text)[0], advice)


def _are_days(text: Any) -> bool:
    """Whether all values are dates such as 20210304."""
    present = _present(text)[0]
    pattern = r"^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$"
    if not pc.all(pc.match_substring_regex(present, pattern)).as_py():
        return False
    found = dates_of(present, _DAYS)
    return found is not None and not found[1].isna().any()


def _words_column(name: str, present: Any, advice: Advice) -> Column:
    """A category, or left out if nearly every value differs."""
    n, distinct = len(present), len(present.unique())
    if n < _FEW_ROWS or distinct <= n / 2:
        return Column(name, "category")
    words = np.mean([value.as_py().count(" ") + 1 for value in present[:1000]])
    if words >= _WORDY:
        return Column(name, "drop", note=f"free text{advice.texts}")
    return Column(name, "drop", note=f"{distinct} different values in {n} rows, like an ID")


def _number_column(
    where: str, name: str, text: Any, numbers: Numbers, *, shapes: Shapes, mark: str
) -> Column:
    """A column of numbers in text, and how they are written."""
    is_percent = bool(numbers.percent.any())
    if len(numbers.units) > 1:
        raise DataError(
            f"{where}: column {name!r} holds amounts in {' and '.join(sorted(numbers.units))}: "
            "convert them to one currency"
        )
    if is_percent:
        bare = np.flatnonzero(~numbers.percent & ~np.isnan(numbers.values))
        if len(bare):
            raise DataError(
                f"{where}: column {name!r} holds percentages, but {text[bare[0]].as_py()!r} in row "
                f"{bare[0]} has no percent sign: write all values in one way"
            )
    notes = ["percentages, divided by 100"] * is_percent
    notes += [f"amounts in {unit}" for unit in numbers.units]
    if mark == "," and shapes.found.keys() & {",", "e,"}:
        notes.append("decimal commas")
    other = "." if mark == "," else ","
    grouped = shapes.found.get(f"t{other}") or shapes.found.get(f"e{other}")
    if grouped:
        value, row = grouped
        notes.append(f"{other!r} marks thousands, as in {value} in row {row}")
    if "p" in shapes.found and not shapes.found.keys() - {"p"}:  # whole numbers
        coded = pc.index(pc.match_substring_regex(text, r"^\s*0\d"), True).as_py()
        if coded >= 0:
            notes.append(
                f"without leading zeros, as in {text[coded].as_py()!r}; codes are better read as a "
                "category"
            )
        elif _are_days(text):
            first = _present(text)[0][0].as_py()
            notes.append(f"numbers such as {first} may be dates: if so, give the kind date")
    is_shown = bool(shapes.found.keys() - {"p"})
    return Column(
        name,
        "number",
        decimal=mark if is_shown else None,
        percent=is_percent,
        note=", ".join(notes),
    )


def _levels_of(name: str, column: "pd.Series", text: Any, *, given: bool) -> Column:
    """The levels of a category."""
    counts = _levels(column, text).value_counts()
    n, n_missing = int(counts.sum()), int(counts.get(MISSING, 0))
    often = n_missing >= _OFTEN_MISSING * n
    if not often:
        counts = counts.drop(MISSING, errors="ignore")
    least = max(2, math.ceil(_RARE * n)) if n >= _FEW_ROWS and not given else 1
    order = sorted(counts.index, key=lambda level: (-int(counts[level]), level))
    kept = [level for level in order if counts[level] >= least][:_MOST_LEVELS]
    n_pooled = len(order) - len(kept)
    if not kept or len(order) < 2:
        why = "only one value" if len(order) == 1 else f"{len(order)} values, all of them rare"
        return Column(name, "drop", note=why)
    missing = "a level of its own" if often else f"filled with {kept[0]!r}"
    notes = [f"{n_missing} missing, {missing}"] if n_missing else []
    if n_pooled:
        pooled = "level" if n_pooled == 1 else "levels"
        notes.append(f"{n_pooled} rare {pooled} pooled as {_OTHER!r}")
    shown = ", ".join(kept[:5]) + (", ..." if len(kept) > 5 else "")
    return Column(
        name,
        "category",
        levels=tuple(kept),
        pooled=n_pooled > 0,
        mark_missing=often and n_missing > 0,
        note="; ".join([shown, *notes]),
    )


def _is_index(name: str, column: "pd.Series", text: Any) -> bool:
    """Whether this is the row index, which many programs write as a first column without a name."""
    if name and not name.startswith("Unnamed: "):
        return False
    values = column if text is None else texts_of(text).to_pandas()
    numbers = None if text is not None else column.to_numpy(np.float64, na_value=np.nan)
    whole = numbers is None or bool((numbers == np.round(numbers)).all())
    return whole and bool(values.notna().all() and values.is_unique)


# Values


def _values(
    where: str, column: Column, series: "pd.Series", text: Any, *, mark: str, first_row: int = 0
) -> "NDArray[np.float64] | pd.Series":
    """The values of a column, (n,): numbers, NaN where missing; or levels of a category."""
    if column.kind == "category":
        return _levels(series, text)
    if text is None:
        return _typed(where, column, series, first_row)
    if column.kind == "date":
        dates = dates_of(text, column.form or "ISO8601")
        assert dates is not None
        values = _since(dates[1], column.form)
        bad = np.isnan(values) & texts_of(text).is_valid().to_numpy(zero_copy_only=False)
    else:
        numbers = flag_values(text) if column.kind == "flag" else numbers_of(text, mark)
        values = numbers.values
        bad = numbers.wrong | ((numbers.percent != column.percent) & ~np.isnan(values))
    wrong = np.flatnonzero(bad)
    if len(wrong):
        raise _unlike(where, column, text[wrong[0]].as_py(), first_row + int(wrong[0]))
    return values


def _texts(
    where: str, name: str, column: "pd.Series", text: Any
) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """The texts of a column that are not missing, and a mask of their rows, (n,)."""
    if text is None and column.isna().all():
        return (), np.zeros(len(column), dtype=bool)
    if text is None:
        raise DataError(
            f"{where}: column {name!r} cannot be read as text: it holds "
            f"{value_in_row(column, int(column.notna().argmax()))}: give it another kind"
        )
    found = texts_of(text)
    there = found.is_valid().to_numpy(zero_copy_only=False)
    return tuple(found.drop_null().to_pylist()), there


def _places(
    where: str, column: Column, series: "pd.Series", text: Any, encode: Encode
) -> NDArray[np.float64]:
    """The places of texts along the axes of their column, (n, k); NaN where they are missing."""
    assert column.axes is not None
    present, there = _texts(where, column.name, series, text)
    values = np.full((len(there), column.axes.n), np.nan)
    if present:
        try:
            values[there] = column.axes.apply(encode(column.axes.network, present))
        except ValueError as error:
            raise DataError(
                f"{where}: column {column.name!r}: the network of the training has changed: {error}"
            ) from error
    return values


def _gaps(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values of a column, (n,) or (n, k), are missing, (n,)."""
    return np.asarray(np.isnan(values if values.ndim == 1 else values[:, 0]))


def _typed(where: str, column: Column, series: "pd.Series", first_row: int) -> NDArray[np.float64]:
    """Typed values as numbers."""
    if _is_dated(series):
        return _since(series, column.form)
    if types.is_numeric_dtype(series.dtype) or types.is_bool_dtype(series.dtype):
        if not types.is_complex_dtype(series.dtype):
            return series.to_numpy(dtype=np.float64, na_value=np.nan)
    elif _is_objects_of(series, (int, float, decimal.Decimal, bool)):
        return pd.to_numeric(series.map(_bounded), errors="coerce").to_numpy(np.float64)
    elif series.isna().all():
        return np.full(len(series), np.nan)
    place = int(series.notna().argmax())
    raise _unlike(where, column, series.iloc[place], first_row + place)


def _since(dates: "pd.Series", form: str | None) -> NDArray[np.float64]:
    """Dates as days since 1970, spans as days, times of the day as hours; NaN where missing."""
    if _holds_times(dates):
        dates = pd.to_timedelta(dates.map(lambda time: None if time is None else str(time)))
    if types.is_timedelta64_dtype(dates.dtype):
        unit = pd.Timedelta(1, "h" if _is_time(form) else "D")
        return _divided(dates, unit)
    found = pd.to_datetime(dates, errors="coerce", utc=True)
    since: NDArray[Any] = np.asarray(found.dt.tz_localize(None))  # of any resolution and year
    days: NDArray[np.float64] = since.astype("datetime64[D]").astype(np.float64)
    part = (since - since.astype("datetime64[D]")) / np.timedelta64(1, "D")
    return np.where(np.isnat(since), np.nan, days + part)


def _divided(spans: "pd.Series", unit: "pd.Timedelta") -> NDArray[np.float64]:
    seconds = spans.dt.total_seconds().to_numpy(np.float64, na_value=np.nan)
    found: NDArray[np.float64] = seconds / unit.total_seconds()
    return found


def _levels(series: "pd.Series", text: Any) -> "pd.Series":
    """The level of each row, as text."""
    if text is not None:
        levels = texts_of(text).to_pandas()
    else:
        levels = series.astype(object).map(level_name, na_action="ignore")
    found: pd.Series = levels.astype(object).where(levels.notna(), MISSING)
    return found


def level_name(value: object) -> str:
    """The name of a level; whole numbers lose their '.0'."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _features(
    column: Column, values: "NDArray[np.float64] | pd.Series"
) -> Iterable[NDArray[np.float64]]:
    """The features (n,) that the values of a column become, in the order of their names."""
    if not isinstance(values, np.ndarray):
        codes, rest = level_codes(column)
        found = values.map(lambda level: codes.get(level, rest)).to_numpy(np.int64)
        for place in level_places(column):
            yield (found == place).astype(np.float64)
        return
    missing = _gaps(values)
    if column.axes is not None:
        yield from np.where(missing, 0.0, values.T)
    else:
        yield values if column.fill is None else np.where(missing, column.fill, values)
    if column.mark_missing:
        yield missing.astype(np.float64)


def level_codes(column: Column) -> tuple[dict[str, int], int]:
    """The code of each level of a category, and that of all others; -1 has no feature."""
    codes = {level: i for i, level in enumerate(column.levels)}
    rest = len(codes) if column.pooled else -1
    if not column.mark_missing:
        codes.setdefault(MISSING, 0)
    return codes, rest


def level_places(column: Column) -> range:
    """The codes of a category that have a feature, in the order of the features."""
    places = range(len(column.levels) + column.pooled)
    return places if len(places) > 2 else places[1:]


def _missing(
    column: Column, values: "NDArray[np.float64] | pd.Series"
) -> Iterable[NDArray[np.float64]]:
    """The features (n,) of the values of a column, NaN where they are missing."""
    marks = column.mark_missing
    if isinstance(values, np.ndarray):
        yield from np.atleast_2d(values.T)
        if marks:
            yield np.zeros(len(values))
        return
    missing = (values == MISSING).to_numpy(bool)
    names = [name == MISSING for name in (*column.levels, *[""] * column.pooled)]
    names = names if len(names) > 2 else names[1:]
    for feature, is_mark in zip(_features(column, values), names, strict=True):
        yield np.where(missing, 0.0 if is_mark and marks else np.nan, feature)


def pooled_name(column: Column) -> str:
    """The name of all levels of a category that have no column of their own."""
    return _OTHER if _OTHER not in column.levels else "all others"


def plain(column: "pd.Series") -> "pd.Series":
    """A column as one of the types of numpy, a category, or objects.

    Values of pyarrow and sparse ones become those of numpy, periods the dates of their beginning,
    and intervals categories.
    """
    kind = column.dtype
    if isinstance(kind, np.dtype):
        return column
    if isinstance(kind, pd.SparseDtype):
        return pd.Series(np.asarray(column), column.index, name=column.name)
    if isinstance(kind, pd.PeriodDtype):
        return pd.Series(column.dt.to_timestamp())
    if isinstance(kind, pd.IntervalDtype):
        return column.astype("category")
    if isinstance(kind, pd.ArrowDtype):
        found = pa.array(column.array).to_pandas()
        return pd.Series(found).set_axis(column.index)
    return column


def _is_category(column: "pd.Series") -> bool:
    return isinstance(column.dtype, types.CategoricalDtype)


def text_of(column: "pd.Series") -> Any:
    """The values of a column of text, an array of pyarrow; None for a column of another type.

    Objects of several types, as spreadsheets have them, are turned into text.
    """
    kind = column.dtype
    if isinstance(kind, types.CategoricalDtype):
        column = column.astype(object)
    elif not (types.is_object_dtype(kind) or types.is_string_dtype(kind)):
        return None
    if types.is_object_dtype(column.dtype):
        plain = (str, int, float, decimal.Decimal, np.number, np.bool_, datetime.date)
        present = column[column.notna()]
        texts = sum(isinstance(value, str) for value in present)
        if not texts or not all(isinstance(value, plain) for value in present):
            return None
        if texts < len(present):
            column = column.map(level_name, na_action="ignore")
    if types.is_object_dtype(column.dtype):
        found = pa.array(column, type=pa.large_string(), from_pandas=True)
    else:
        found = pa.array(column.array).cast(pa.large_string())  # without a copy if it is that
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def typed(column: "pd.Series") -> "pd.Series":
    """A column of text as integers, numbers or booleans, if all its values are; None is missing."""
    text = text_of(column)
    if text is None:
        return column
    found: pd.Series | NDArray[np.float64]
    numbers = numbers_of(text)
    present, n_missing = _present(text)
    if len(present) and not numbers.wrong.any():
        found = numbers.values
        if not n_missing and (found == np.round(found)).all() and (abs(found) < 2**53).all():
            found = found.astype(np.int64)
    elif (flags := flags_of(text)) is not None and not n_missing and flags[0][0] == "false":
        found = flags[1].astype(bool)
    else:
        found = texts_of(text).to_pandas().astype(object)
    return pd.Series(found, index=column.index, name=column.name)


def _present(text: Any) -> tuple[Any, int]:
    """The values that are there, and the number of those that are missing."""
    found = texts_of(text)
    return found.drop_null(), found.null_count


def _is_objects_of(column: "pd.Series", kinds: tuple[type, ...]) -> bool:
    present = column[column.notna()] if column.dtype == object else ()
    return len(present) > 0 and all(isinstance(value, (*kinds, np.number)) for value in present)


def _is_dated(column: "pd.Series") -> bool:
    return (
        types.is_datetime64_any_dtype(column.dtype)
        or _is_span(column)
        or _is_objects_of(column, (datetime.date, datetime.time))
    )


def _is_span(column: "pd.Series") -> bool:
    return bool(types.is_timedelta64_dtype(column.dtype))


def _holds_times(column: "pd.Series") -> bool:
    return column.dtype == object and _is_objects_of(column, (datetime.time,))


def _is_time(form: str | None) -> bool:
    return form in ("time", "hours:minutes")


def _form(form: str) -> str:
    """A format of dates, in words."""
    for code, word in _FORMS.items():
        form = form.replace(code, word)
    return form


def _column_of(content: Any) -> Column:
    """A column from JSON.

    Raises:
        ValueError: it is something else.
    """
    kinds = {"percent": bool, "pooled": bool, "mark_missing": bool, "note": str}
    if isinstance(content, dict):
        content = {"axes": None} | content  # which earlier versions do not have
    if not isinstance(content, dict) or content.keys() != {each.name for each in fields(Column)}:
        raise ValueError("columns: expected the facts of each column")
    axes = None if content["axes"] is None else TextAxes.of_json(content["axes"])
    levels, fill, form = (content[name] for name in ("levels", "fill", "form"))
    right = (
        isinstance(content["name"], str)
        and content["kind"] in KINDS
        and all(isinstance(content[name], kind) for name, kind in kinds.items())
        and (content["kind"] == "text") == (axes is not None)
        and content["decimal"] in (None, ".", ",")
        and isinstance(levels, list)
        and all(isinstance(level, str) for level in levels)
        and (form is None or isinstance(form, str))
        and (fill is None or (isinstance(fill, int | float) and math.isfinite(fill)))
    )
    if not right:
        raise ValueError(f"columns: cannot be read: {str(content)[:100]}")
    return Column(**content | {"levels": tuple(levels), "axes": axes})


# Errors, and numbers alone


def require_columns(where: Any, columns: Iterable[Any], names: Sequence[str], what: str) -> None:
    """Check that all names are among the columns.

    Raises:
        DataError: some are not, with all columns that are there.
    """
    known = dict.fromkeys(map(str, columns))
    missing = [name for name in names if name not in known]
    if missing:
        raise DataError(f"{where} has no {what} {listed(missing)}: its columns are {listed(known)}")


def numeric_rows(where: Any, frame: "pd.DataFrame", *, first_row: int | None = None) -> Values:
    """All columns, which are of types of numbers, as finite numbers, (n, d), float64.

    Args:
        where: the source of the table, for errors.
        frame: its columns, or some rows of them.
        first_row: the place of the first of these rows in the table; None if these are all.

    Raises:
        DataError: for values that are not finite, with the row.
    """
    return ColumnPlan.of_numbers(map(str, frame.columns)).apply(
        frame, str(where), first_row=first_row
    )


def not_numeric(where: Any, name: str, offender: str, advice: Advice = FILES) -> DataError:
    """The error for a column of values that nothing can be done with."""
    return DataError(
        f"{where}: column {name!r} is not numeric, it holds {offender}: {advice.not_numeric}"
    )


def _mixed(
    where: str, name: str, text: Any, row: int, advice: Advice, *, held: str = "numbers"
) -> DataError:
    return DataError(
        f"{where}: column {name!r} holds {held}, but {_shown(text[row].as_py())} in row {row}: "
        f"correct the value or leave it empty, {advice.mixed}"
    )


def _unlike(where: str, column: Column, value: object, row: int) -> DataError:
    what = {"number": "percentages" if column.percent else "numbers", "flag": "flags"}.get(
        column.kind, f"dates as {_form(column.form or 'ISO8601')}"
    )
    return DataError(
        f"{where}: column {column.name!r} holds {what}, but {_shown(value)} in row {row}: correct "
        "the value, or leave it empty if it is missing"
    )


def value_in_row(column: "pd.Series", place: int, first_row: int = 0) -> str:
    """The value at a place of some rows, and its row in the table, in words."""
    return f"{_shown(column.iloc[place])} in row {first_row + place}"


def _bounded(value: object) -> object:
    """The value; infinite, like 1e999, if it is a whole number too large for a float."""
    try:
        return float(value) if isinstance(value, int | decimal.Decimal) else value
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]


def _shown(value: object, width: int = 40) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= width else text[: width - 3] + "..."
