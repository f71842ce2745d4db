"""Cells of text: each way of writing a number, a flag or a date, and its value."""

import numpy as np
import pyarrow as pa
import pytest

from gedi.data.cells import Shapes, dates_of, decimal_marks, flags_of, numbers_of, odd_date
from gedi.errors import DataError

NAN = np.nan


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        (" 12 ", ".", 12.0),
        ("+1.5", ".", 1.5),
        ("2e3", ".", 2000.0),
        ("1,357", ".", 1357.0),
        ("1,357,000.5", ".", 1357000.5),
        ("12,34,567", ".", 1234567.0),
        ("1.357", ",", 1357.0),
        ("1.357.000,5", ",", 1357000.5),
        ("0,5", ",", 0.5),
        ("1'357", ".", 1357.0),
        ("1’357.5", ".", 1357.5),
        ("1 234 567", ".", 1234567.0),
        ("1\u2009357", ".", 1357.0),
        ("1\u202f357,5", ",", 1357.5),
        ("1\u00a0357", ".", 1357.0),
        ("1_357", ".", 1357.0),
        ("\u22125", ".", -5.0),
        ("(1,250)", ".", -1250.0),
        ("45%", ".", 0.45),
        ("12,5 %", ",", 0.125),
        ("$5.50", ".", 5.5),
        ("-$5", ".", -5.0),
        ("€ 3", ".", 3.0),
        ("3,20 €", ",", 3.2),
        ("1.200 EUR", ",", 1200.0),
        ("9" * 400, ".", np.inf),
        ("1e300", ".", 1e300),
    ],
)
def test_ways_to_write_a_number(text, decimal, value):
    found = numbers_of(pa.array([text]), decimal)
    assert found.values.tolist() == [value] and not found.wrong.any()


@pytest.mark.parametrize(
    "text", ["", "NA", "n/a", "-", "#DIV/0!", "NULL", "NaN", " ", "?", "None", "#N/A", "<NA>"]
)
def test_ways_to_write_a_missing_value(text):
    found = numbers_of(pa.array([text, "1"]))
    np.testing.assert_array_equal(found.values, [NAN, 1])
    assert not found.wrong.any()


@pytest.mark.parametrize(
    ("text", "decimal"), [("x", "."), ("1.2.3", "."), ("1,5", "."), ("1.35", ","), ("1,35,7", ".")]
)
def test_what_is_no_number(text, decimal):
    assert numbers_of(pa.array(["1", text]), decimal).wrong.tolist() == [False, True]


def marks(separator=",", known=None, **columns):
    shapes = {name: Shapes() for name in columns}
    for name, values in columns.items():
        for start in range(0, len(values), 2):  # as parts of a file come
            shapes[name].add(pa.array(values[start : start + 2]), start)
    return decimal_marks("f", shapes, separator=separator, known=known)


@pytest.mark.parametrize(
    ("separator", "columns", "expected"),
    [
        (",", {"a": ["1.5", "2"]}, "."),
        (";", {"a": ["1,5", "2"]}, ","),
        (";", {"a": ["1.5", "2"]}, "."),
        (";", {"a": ["+1.5", "+2"]}, "."),
        (";", {"a": [" 1.5", "2 "]}, "."),
        (",", {"a": ["0.357", "1.357"]}, "."),
        (";", {"a": ["1.357.000", "5"]}, ","),
        (";", {"a": ["1.357", "991"], "b": ["1,5", "2"]}, ","),
        (";", {"a": ["1.357", "991"], "b": ["1.5", "2"]}, "."),
        (",", {"a": ["1,357", "991"]}, "."),
        (",", {"a": ["1.357", "2.468"]}, "."),
        (";", {"a": ["1,357", "2,468"]}, ","),
        (",", {"a": ["1,357.5", "2"]}, "."),
        (";", {"a": ["1", "2"]}, ","),
        (";", {"a": [*["991"] * 9, "1.357,5"]}, ","),
    ],
)
def test_marks_that_the_values_show(separator, columns, expected):
    assert marks(separator, **columns)["a"] == expected


@pytest.mark.parametrize(
    ("separator", "values", "words"),
    [
        (";", ["1.357", "991"], "'1.357' in row 0 may be 1357 or 1.357.*--decimal ','"),
        (",", ["991", *["5"] * 7, "1.357"], "'1.357' in row 8 may be 1357 or 1.357"),
        (";", ["1,357", "991"], "'1,357' in row 0 may be 1357 or 1.357.*--decimal '.'"),
        ("\t", ["1,357", "991"], "'1,357' in row 0 may be"),
        (";", ["1.357", "2.468"], "'1.357' in row 0 may be"),
        (";", [" 1.357", "991"], "'1.357' in row 0 may be"),
        (";", ["+1.357", "+2.468"], "'.1.357' in row 0 may be"),
        (",", ["1.357", "1,357"], "'1.357' in row 0 and '1,357' in row 1.*cannot be told"),
        (",", ["1.5", "2", "1,5"], "in two ways, '1.5' in row 0 and '1,5' in row 2"),
        (",", ["1.357,5", "1,357.5"], "in two ways"),
    ],
)
def test_marks_that_are_ambiguous(separator, values, words):
    with pytest.raises(DataError, match=f"column 'a'.*{words}"):
        marks(separator, a=values)


def test_marks_of_the_training_decide_where_values_do_not():
    assert marks(";", {"a": "."}, a=["1.357", "991"]) == {"a": "."}
    assert marks(";", {"a": "."}, a=["1,5"]) == {"a": ","}
    # What only looks like numbers in part says nothing.
    assert marks(",", a=["1.5"], b=["1,5", "x"]) == {"a": "."}
    assert marks(",", a=["1.357"], b=["12.03.2021"]) == {"a": "."}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["Yes", "no", "NA"], [1, 0, NAN]),
        (["true", "FALSE"], [1, 0]),
        (["y", "y"], [1, 1]),
        (["off", "on"], [0, 1]),
    ],
)
def test_flags(values, expected):
    np.testing.assert_array_equal(flags_of(pa.array(values))[1], expected)


def test_what_is_no_flag():
    assert flags_of(pa.array(["yes", "maybe"])) is None
    assert flags_of(pa.array(["yes", "false"])) is None
    assert flags_of(pa.array(["", ""])) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2021-03-04", "NA"], ["2021-03-04", None]),
        (["2021-03-04 10:30", "2021-03-05"], ["2021-03-04 10:30", "2021-03-05"]),
        (["2021-03-04T10:30:00Z"], ["2021-03-04 10:30"]),
        (["03/04/2021", "12/25/2021"], ["2021-03-04", "2021-12-25"]),
        (["03/04/2021", "25/12/2021"], ["2021-04-03", "2021-12-25"]),
        (["03.04.2021", "05.04.2021"], ["2021-04-03", "2021-04-05"]),
        (["Mar 4, 2021"], ["2021-03-04"]),
        (["03/04/21", "12/25/21"], ["2021-03-04", "2021-12-25"]),
        (["03.04.21", "25.12.21"], ["2021-04-03", "2021-12-25"]),
        (["03/04/2021 3:45 PM"], ["2021-03-04 15:45"]),
        (["Mar 2021", "Apr 2021"], ["2021-03-01", "2021-04-01"]),
        (["2021-03", "2021-12"], ["2021-03-01", "2021-12-01"]),
        (["03/2021", "12/2021"], ["2021-03-01", "2021-12-01"]),
    ],
)
def test_dates(values, expected):
    _, found = dates_of(pa.array(values))
    assert [None if date is None else str(date)[:16] for date in _plain(found)] == [
        None if date is None else f"{date} 00:00"[:16] for date in expected
    ]


def _plain(dates):
    return [None if missing else date for date, missing in zip(dates, dates.isna(), strict=True)]


def test_times_of_the_day():
    _, found = dates_of(pa.array(["12:30", "1:00:36"]))
    assert (found.dt.total_seconds() / 3600).tolist() == [12.5, 1.01]
    _, found = dates_of(pa.array(["12:00 am", "12:30pm", "1:00:36 p.m.", "11:00 AM"]))
    assert (found.dt.total_seconds() / 3600).tolist() == [0, 12.5, 13.01, 11]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2021-03-04", "never", "2021-03-05", "NA"], ("ISO8601", 1)),
        (["never", "03/04/2021", "", "12/25/2021"], ("%m/%d/%Y", 0)),
        (["10:30", "11:00", "5 h"], ("hours:minutes", 2)),
        (["a", "b", "2021-03-04"], None),
        (["1-5", "6-10"], None),
    ],
)
def test_values_among_dates(values, expected):
    assert odd_date(pa.array(values)) == expected


@pytest.mark.parametrize("values", [["red"], ["may"], ["C-12"], ["1.5"], ["2021-03-04", "soon"]])
def test_what_is_no_date(values):
    assert dates_of(pa.array(values)) is None
