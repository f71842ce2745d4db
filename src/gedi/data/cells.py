"""Cells of text, as people write them: missing values, numbers, flags and dates.

Numbers may have marks of thousands (1,357 or 1.357 or 1'357 or 1 357), a decimal point or comma, a
currency, a percent sign (45% is 0.45), or brackets for a minus. Whether `.` marks decimals or
thousands is decided by all values of a column, then by all columns of the file:

    1.5   0.357   1,357.5    . marks decimals
    1,5   0,357   1.357,5    , marks decimals
    1.357.000                . marks thousands
    1.357 and 991            either: refused, unless the separator or the training decides
"""

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.tseries.api import guess_datetime_format

from gedi.errors import DataError

__all__ = [
    "Numbers",
    "Shapes",
    "dates_of",
    "decimal_marks",
    "flag_values",
    "flags_of",
    "numbers_of",
    "odd_date",
    "texts_of",
]

MISSING = (
    *("", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "null", "none", "nil", "nat", "-", "--"),
    *("?", ".", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "-nan", "1.#qnan"),
)
_PAIRS = (("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("off", "on"))
_GAPS = " \u00a0\u2009\u202f'’_"  # marks of thousands that are nothing else
_MONEY = r"(?:[$€£¥₹₽₩₺]|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|kr|zł)"
_PLAIN = r"^[+-]?\d+$"
_NUMBER = r"^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^-?(?i:inf|infinity)$"
_OTHER = {".": ",", ",": "."}
_TIME = "hours:minutes"
# Formats that pandas does not guess, the usual order of day and month first.
_FORMS = [
    f"{date}{time}"
    for date in ("%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%m-%y", "%d-%b-%y", "%m/%d/%Y", "%d/%m/%Y")
    for time in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
] + ["%b %Y", "%B %Y", "%b-%y", "%d-%b-%Y", "%Y-%m", "%Y/%m", "%m/%Y"]
_HALF_DAY = re.compile(r"(1[0-2]|0?[1-9])(:\d{2}(?::\d{2})?)\s?([ap])\.?m\.?", re.IGNORECASE)


def _patterns(mark: str) -> tuple[str, str, str]:
    """What is certainly a decimal, certainly has thousands, and may be either, for a mark."""
    m, o = (f"[{each}]" for each in (mark, _OTHER[mark]))
    decimal = (
        rf"^[+-]?(?:\d*{m}(?:\d{{0,2}}|\d{{4,}})|0*{m}\d+|\d{{4,}}{m}\d+|\d*{m}\d*[eE][+-]?\d+"
        rf"|[1-9]\d{{0,2}}(?:{o}\d{{2,3}})*{o}\d{{3}}{m}\d*)$"
    )
    thousands = rf"^[+-]?(?:[1-9]\d{{0,2}}(?:{m}\d{{2,3}})+{m}\d{{3}})(?:{o}\d*)?$"
    either = rf"^[+-]?[1-9]\d{{0,2}}{m}\d{{3}}$"
    return decimal, thousands, either


_PATTERNS = {mark: _patterns(mark) for mark in ".,"}
_ANY = "|".join((_PLAIN, _NUMBER, *(each for three in _PATTERNS.values() for each in three)))


class Numbers(NamedTuple):
    """A column of text, read as numbers.

    Attributes:
        values: float64, (n,); NaN where the value is missing or no number.
        wrong: where a value is there but is no number, (n,).
        units: the currencies that were found.
        percent: where the value has a percent sign, (n,).
    """

    values: NDArray[np.float64]
    wrong: NDArray[np.bool_]
    units: frozenset[str]
    percent: NDArray[np.bool_]


@dataclass
class Shapes:
    """How the numbers of a column are written, collected some rows at a time.

    Attributes:
        present: the number of values that are not missing.
        numbers: the number of these that are written like a number.
        found: the first value, and its row, of each shape: "." and "," for decimals, "t." and "t,"
            for thousands, "e." and "e," for either, "p" for neither mark.
    """

    present: int = 0
    numbers: int = 0
    found: dict[str, tuple[str, int]] = field(default_factory=dict)

    def add(self, column: Any, first_row: int = 0) -> None:
        """Look at some rows of text, an array of pyarrow."""
        floats = _plain_floats(column)
        if floats is not None:
            self._add_plain(column, floats, first_row)
            return
        text = texts_of(column)
        bare = _bare(text)[0]
        like = pc.match_substring_regex(bare, _ANY)
        self.present += len(text) - text.null_count
        self.numbers += pc.sum(like).as_py() or 0
        bare = pc.if_else(like, bare, None)
        self._look("p", bare, _PLAIN, first_row)
        for mark, patterns in _PATTERNS.items():
            for name, pattern in zip((mark, f"t{mark}", f"e{mark}"), patterns, strict=True):
                self._look(name, bare, pattern, first_row)

    def _add_plain(self, text: Any, floats: NDArray[np.float64], first_row: int) -> None:
        """Look at numbers with points or without."""
        missing = int(np.isnan(floats).sum())
        self.present += len(floats) - missing
        self.numbers += len(floats) - missing
        if "." in self.found:  # nothing else counts
            return
        with np.errstate(invalid="ignore", over="ignore"):
            fine = np.flatnonzero(np.abs(floats * 1000 - np.round(floats * 1000)) > 0.01)
        if len(fine) and "." in (value := text[int(fine[0])].as_py()):  # four decimals or more
            self.found["."] = (value, first_row + int(fine[0]))
            return
        text = pc.utf8_trim_whitespace(text)
        decimal, _, either = _PATTERNS["."]
        for name, pattern in (("p", _PLAIN), (".", decimal), ("e.", either)):
            self._look(name, text, pattern, first_row)

    def _look(self, name: str, text: Any, pattern: str, first_row: int) -> None:
        if name in self.found:
            return
        at = pc.index(pc.match_substring_regex(text, pattern), True).as_py()
        if at >= 0:
            self.found[name] = (text[at].as_py(), first_row + at)

    @property
    def decided(self) -> dict[str, tuple[str, int]]:
        """The decimal marks that values of this column prove, with the first such value."""
        proofs: dict[str, tuple[str, int]] = {}
        for mark, other in _OTHER.items():
            for name in (mark, f"t{other}"):
                if name in self.found:
                    proofs.setdefault(mark, self.found[name])
        return proofs


def decimal_marks(
    where: str,
    shapes: Mapping[str, Shapes],
    *,
    separator: str = ",",
    known: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The decimal mark of each column whose values are numbers.

    Args:
        where: the source of the table, for errors.
        shapes: of the columns, by name.
        separator: between the fields of the file.
        known: the marks of columns in the training, which decide where the values do not.

    Raises:
        DataError: a column uses a mark in two ways, or may be read in two ways.
    """
    numeric = {name: each for name, each in shapes.items() if _is_numeric(each)}
    of_file: set[str] = set()
    for name, each in numeric.items():
        proofs = each.decided
        if len(proofs) > 1:
            shown = " and ".join(f"{value!r} in row {row}" for value, row in proofs.values())
            raise DataError(
                f"{where}: column {name!r} marks decimals in two ways, {shown}: write all its "
                "numbers in one way, or leave the column out"
            )
        of_file |= proofs.keys()
    marks: dict[str, str] = {}
    for name, each in numeric.items():
        proofs = each.decided
        if proofs:
            marks[name] = next(iter(proofs))
        elif len(of_file) == 1:
            marks[name] = next(iter(of_file))
        elif known and name in known:
            marks[name] = known[name]
        else:
            marks[name] = _mark_by_separator(where, name, each, separator)
    return marks


def _is_numeric(shapes: Shapes) -> bool:
    return 0 < shapes.numbers == shapes.present


def _mark_by_separator(where: str, name: str, shapes: Shapes, separator: str) -> str:
    """The decimal mark of a column in which no value proves one."""
    usual = "," if separator == ";" else "."
    either = {mark: shapes.found[f"e{mark}"] for mark in ".," if f"e{mark}" in shapes.found}
    if not either:
        return usual
    if len(either) == 1:
        ((mark, (value, row)),) = either.items()
        if mark == usual and "p" not in shapes.found:  # all have three decimals
            return usual
        # A comma within quotes, in a file of commas, marks no decimals where points could.
        if mark == "," and separator == ",":
            return usual
        whole, decimal = value.replace(mark, ""), value.replace(mark, ".")
        raise DataError(
            f"{where}: column {name!r}: {value!r} in row {row} may be {whole} or {decimal}, as no "
            f"value shows whether {mark!r} marks thousands or decimals: add --decimal "
            f"{_OTHER[mark]!r} to read {whole}, or --decimal {mark!r} to read {decimal}"
        )
    shown = " and ".join(f"{value!r} in row {row}" for value, row in either.values())
    raise DataError(
        f"{where}: column {name!r} has values such as {shown}, in which the decimal mark cannot be "
        "told from that of thousands: add --decimal '.' or --decimal ','"
    )


def texts_of(column: Any) -> Any:
    """The values without spaces around them; null where they are missing. An array of pyarrow."""
    text = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(pc.utf8_lower(text), pa.array(MISSING, text.type))
    return pc.if_else(missing, None, text)


def numbers_of(column: Any, decimal: str = ".") -> Numbers:
    """Text, an array of pyarrow, as numbers.

    Args:
        column: the values.
        decimal: the mark of decimals; the other of `.` and `,` marks thousands.
    """
    if decimal == ".":
        floats = _plain_floats(column)
        text = None if floats is not None else texts_of(column)
        floats = floats if text is None else _plain_floats(text)
        if floats is not None:
            none = np.zeros(len(floats), dtype=bool)
            return Numbers(floats, none, frozenset(), none)
    text = texts_of(column)
    bare, units, percent = _bare(text)
    m, o = f"[{decimal}]", f"[{_OTHER[decimal]}]"
    grouped = pc.match_substring_regex(
        bare, rf"^-?\d{{1,3}}(?:{o}\d{{2,3}})*{o}\d{{3}}(?:{m}\d*)?$"
    )
    bare = pc.if_else(grouped, pc.replace_substring(bare, _OTHER[decimal], ""), bare)
    right = pc.invert(pc.match_substring(bare, _OTHER[decimal]))
    bare = pc.replace_substring(bare, decimal, ".")
    right = pc.and_(right, pc.match_substring_regex(bare, _NUMBER))
    values = _floats(pc.if_else(right, bare, None))
    values[percent] /= 100
    return Numbers(values, _array(pc.invert(right)), units, percent)


def flags_of(column: Any) -> tuple[tuple[str, str], NDArray[np.float64]] | None:
    """The words of a column such as yes and no, and its values as 0 and 1; NaN where missing.

    Returns:
        None if the column holds other words.
    """
    text = pc.utf8_lower(texts_of(column))
    words = {word.as_py() for word in pc.unique(text)} - {None}
    pair = next((pair for pair in _PAIRS if words and words <= set(pair)), None)
    if pair is None:
        return None
    codes = pc.index_in(text, pa.array(pair, text.type))
    return pair, codes.cast(pa.float64()).to_numpy(zero_copy_only=False)


def flag_values(column: Any) -> Numbers:
    """Words such as yes and no as 0 and 1, of whatever pair, and numbers as they are."""
    found = numbers_of(column)
    text = pc.utf8_lower(texts_of(column))
    places = pc.index_in(text, pa.array([word for pair in _PAIRS for word in pair], text.type))
    places = places.fill_null(-1).to_numpy(zero_copy_only=False)
    known = places >= 0
    values = np.where(known, places % 2, found.values)
    return found._replace(values=values, wrong=found.wrong & ~known)


def dates_of(column: Any, form: str | None = None) -> tuple[str, pd.Series] | None:
    """The format of a column of dates, and its values as dates; NaT where missing or no date.

    Args:
        column: text, an array of pyarrow.
        form: the format; None: that of the first value. pandas then reads all values with it.

    Returns:
        None if the first value is no date, or others are not in its format.
    """
    text = texts_of(column)
    series = text.to_pandas()
    if form is not None:
        return form, _parsed(series, form)
    first = next((value for value in series[series.notna()].head(1)), "")
    for guess in _forms_of(first):
        found = _parsed(series, guess)
        if found.isna().sum() == series.isna().sum():
            return guess, found
    return None


def odd_date(column: Any) -> tuple[str, int] | None:
    """The format of dates of at least half of the values, and the row of the first other value.

    Args:
        column: text, an array of pyarrow, of which not all values are dates of one format.

    Returns:
        None if less than half of the values are dates of one format.
    """
    series = texts_of(column).to_pandas()
    present = series[series.notna()]
    for value in present.head(3):
        for form in _forms_of(value):
            wrong = _parsed(present, form).isna()
            if wrong.mean() <= 0.5:
                return form, int(present.index[wrong.to_numpy().argmax()])
    return None


def _forms_of(value: str) -> list[str]:
    """The formats that a date may have, the most likely first; none for what is no date."""
    if len(value) > 40 or not any(mark in value for mark in "-/:. ") or _number_like(value):
        return []
    # Of two orders of day and month only one fits if a day is above 12. Else the usual one counts:
    # 3/4/2021 has the month first, 3.4.2021 and 3-4-2021 the day.
    orders = [False, True] if "/" in value else [True, False]
    if re.match(r"\d{4}", value):
        orders = [False]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about this very choice
        guesses = [guess_datetime_format(value, dayfirst=dayfirst) for dayfirst in orders]
    others = [form for form in _FORMS if _fits(value, form)]
    found = dict.fromkeys([_TIME if _is_time(value) else None, *guesses, *others])
    return ["ISO8601" if form.startswith("%Y-%m-%d") else form for form in found if form]


def _parsed(series: pd.Series, form: str) -> pd.Series:
    """Dates in a format, or times of the day as time since midnight; NaT for all other text."""
    if form == _TIME:
        series = series.map(_of_whole_day, na_action="ignore")
        full = series.where(series.str.count(":") == 2, series + ":00")
        return pd.to_timedelta(full, errors="coerce")
    return pd.to_datetime(series, format=form, errors="coerce", utc=True)


def _of_whole_day(time: str) -> str:
    """A time of the day with hours from 0 to 24, of one with AM or PM."""
    found = _HALF_DAY.fullmatch(time)
    if found is None:
        return time
    hours = int(found[1]) % 12 + (12 if found[3].lower() == "p" else 0)
    return f"{hours}{found[2]}"


def _fits(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    return re.fullmatch(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?", _of_whole_day(text)) is not None


def _number_like(text: str) -> bool:
    if re.fullmatch(r"(19|20)\d{2}-(0[1-9]|1[0-2])", text):
        return False  # a year and a month
    return all(letter.isdigit() or letter in "+-.,eE " for letter in text) and not (
        text.count("-") == 2 or text.count(".") == 2
    )


def _plain_floats(text: Any) -> NDArray[np.float64] | None:
    """Text as numbers, if pyarrow reads all of it: digits, points and exponents."""
    try:
        return _floats(text)
    except pa.ArrowInvalid:
        return None


def _bare(text: Any) -> tuple[Any, frozenset[str], NDArray[np.bool_]]:
    """Numbers without units, brackets and gaps; the units; and which are percentages."""
    bare = pc.replace_substring_regex(text, "[\u2212\u2013]", "-")
    bare = pc.replace_substring_regex(bare, r"^\((.*)\)$", r"-\1")
    percent = pc.ends_with(bare, "%")
    bare = pc.replace_substring_regex(bare, r"\s*%$", "")
    leading, trailing = rf"^([+-]?)\s*({_MONEY})\s*([+-]?)", rf"\s*({_MONEY})$"
    marked = pc.match_substring_regex(bare, rf"^[+-]?\s*{_MONEY}\s*[\d+.,-]|\d\s*{_MONEY}$")
    units: Iterable[str] = ()
    if pc.any(marked).as_py():
        signs = pc.extract_regex(bare.filter(marked), rf"(?P<unit>{_MONEY})")
        units = {each.as_py() for each in pc.unique(pc.struct_field(signs, 0))}
        stripped = pc.replace_substring_regex(bare, leading, r"\1\3")
        stripped = pc.replace_substring_regex(stripped, trailing, "")
        bare = pc.if_else(marked, stripped, bare)
    gaps = pc.match_substring_regex(bare, rf"^[+-]?\d{{1,3}}(?:[{_GAPS}]\d{{3}})+(?:[.,]\d*)?$")
    bare = pc.if_else(gaps, pc.replace_substring_regex(bare, f"[{_GAPS}]", ""), bare)
    bare = pc.replace_substring_regex(bare, r"^\+", "")
    return bare, frozenset(units), _array(percent)


def _floats(text: Any) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = text.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers if numbers.flags.writeable else numbers.copy()


def _array(mask: Any) -> NDArray[np.bool_]:
    """A mask of pyarrow; missing is false."""
    found: NDArray[np.bool_] = mask.fill_null(False).to_numpy(zero_copy_only=False)
    return found
