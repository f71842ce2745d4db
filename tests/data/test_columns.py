"""Columns of tables: what is done with each kind, learned once and applied again."""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from gedi.data.columns import ColumnPlan, learn_columns, typed
from gedi.errors import DataError


def frame(n=100):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(n)],
            "age": rng.integers(20, 60, n),
            "city": [["Rome", "Oslo", "Bonn"][i % 3] if i != 8 else "Pisa" for i in range(n)],
            "sex": np.array(["f", "m"])[np.arange(n) % 2],
            "paid": np.array(["yes", "no"])[np.arange(n) % 2],
            "when": pd.date_range("2021-01-01", periods=n).astype(str),
            "remark": [f"a remark of several words, number {i}" for i in range(n)],
            "gap": np.where(np.arange(n) % 10 == 0, np.nan, 2.0 * (np.arange(n) % 3)),
            "empty": np.nan,
        }
    )


def test_each_column_gets_what_its_values_ask_for():
    table = frame()
    plan, x = learn_columns(table)
    assert plan.features == (
        *("age", "city=Rome", "city=Oslo", "city=Bonn", "city=other", "sex=m", "paid"),
        *("when (days)", "gap", "gap is missing"),
    )
    by_name = dict(zip(plan.features, x.T, strict=True))
    np.testing.assert_array_equal(by_name["age"], table["age"])
    for city in ("Rome", "Oslo", "Bonn"):
        np.testing.assert_array_equal(by_name[f"city={city}"], table["city"] == city)
    np.testing.assert_array_equal(by_name["city=other"], table["city"] == "Pisa")
    np.testing.assert_array_equal(by_name["sex=m"], table["sex"] == "m")
    np.testing.assert_array_equal(by_name["paid"], table["paid"] == "yes")
    np.testing.assert_array_equal(by_name["when (days)"], 18628 + np.arange(100))
    np.testing.assert_array_equal(by_name["gap"], table["gap"].fillna(2.0))
    np.testing.assert_array_equal(by_name["gap is missing"], table["gap"].isna())
    said = str(plan).splitlines()
    assert said == [
        "id: left out (100 different values in 100 rows, like an ID)",
        "city: category, 4 features (Rome, Oslo, Bonn; 1 rare level pooled as 'other')",
        "sex: category (f, m)",
        "paid: flag (no is 0, yes is 1)",
        "when: date (read as year-month-day, days since 1970-01-01)",
        "remark: left out (free text; to use it, add --columns remark=text)",
        "gap: number, 2 features (10 missing, filled with the median 2)",
        "empty: left out (every value is missing)",
    ]


def test_a_plan_survives_json_and_is_applied_by_name():
    plan, x = learn_columns(frame())
    again = ColumnPlan.of_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    shuffled = frame()[::-1][list(frame().columns[::-1])].drop(columns=["id", "empty"])
    np.testing.assert_array_equal(again.apply(shuffled)[::-1], x)
    with pytest.raises(DataError, match="has no column 'age': its columns are"):
        again.apply(shuffled.drop(columns="age"))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: None,
        lambda content: content[0],
        lambda content: [content[0] | {"kind": "code"}],
        lambda content: [content[0] | {"fill": "1"}],
        lambda content: [content[0] | {"fill": float("nan")}],
        lambda content: [content[0] | {"levels": [1]}],
        lambda content: [{"name": "a"}],
    ],
)
def test_json_that_is_no_plan(change):
    content = learn_columns(frame())[0].to_json()
    with pytest.raises(ValueError, match="columns: "):
        ColumnPlan.of_json(change(content))


def test_new_rows_may_have_new_levels_and_missing_values():
    plan, _ = learn_columns(frame())
    new = frame(2).astype(object)
    new.loc[0] = [None, None, "Lima", "f", "yes", "2021-01-01", "x", 1.0, None]
    new.loc[1] = [None, 30, None, None, None, None, None, None, None]
    found = [dict(zip(plan.features, row, strict=True)) for row in plan.apply(new).tolist()]
    assert found[0]["age"] == np.median(frame()["age"]) and found[0]["city=other"] == 1
    assert found[1]["city=Rome"] == 1 and found[1]["gap is missing"] == 1  # the most frequent
    assert found[1]["when (days)"] == 18628 + 49.5


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("age", "old", "holds numbers, but 'old' in row 1"),
        ("paid", "perhaps", "holds flags, but 'perhaps' in row 1"),
        ("when", "soon", "holds dates as year-month-day, but 'soon' in row 1"),
        ("gap", np.inf, "1 infinite values, the first in row 1, column 'gap'"),
    ],
)
def test_new_values_of_another_kind_are_named_with_their_row(column, value, words):
    plan, _ = learn_columns(frame())
    new = frame().astype(object)
    new.loc[1, column] = value
    with pytest.raises(DataError, match=words):
        plan.apply(new)


def test_kinds_that_the_user_gives():
    kinds = {"age": "category", "id": "category", "city": "drop", "when": "drop", "gap": "number"}
    plan, x = learn_columns(frame(), kinds=kinds)
    assert plan.features[0] == "id=u0" and sum(f.startswith("id=") for f in plan.features) == 21
    assert not any(f.startswith(("city", "when")) for f in plan.features)
    assert x.shape == (100, len(plan.features))
    with pytest.raises(DataError, match="'city' holds numbers, but 'Rome' in row 0"):
        learn_columns(frame(), kinds={"city": "number"})
    with pytest.raises(DataError, match="'city' cannot be read as date"):
        learn_columns(frame(), kinds={"city": "date"})
    with pytest.raises(DataError, match="no column 'town'"):
        learn_columns(frame(), kinds={"town": "number"})


@pytest.mark.parametrize(
    ("values", "expected", "feature"),
    [
        (pd.array([1, None, 3], dtype="Int64"), [1, 2, 3], "a"),
        (pd.array([True, None, True], dtype="boolean"), [1, 1, 1], "a"),
        ([Decimal("1.5"), Decimal(2), None], [1.5, 2, 1.75], "a"),
        ([10**400, -(10**3), 5], None, "a"),
        (
            pd.to_datetime(["1970-01-02 00:00", "1970-01-03 12:00", None]),
            [1, 2.5, 1.75],
            "a (days)",
        ),
        (pd.to_datetime(["1970-01-02", "1970-01-03"] * 2, utc=True)[:3], [1, 2, 1], "a (days)"),
        (pd.to_timedelta([1, 36, 12], unit="h"), [1 / 24, 1.5, 0.5], "a (days)"),
        (pd.to_datetime(["2021-01-01 06:30"] * 3).time, [6.5] * 3, "a (hours)"),
        (pd.to_datetime(["1970-01-03"] * 3).date, [2] * 3, "a (days)"),
        (pd.Categorical(["u", "v", "u"]), [0, 1, 0], "a=v"),
        (["45%", "7%", "100 %"], [0.45, 0.07, 1], "a"),
        (["$5", "$1,000", "$2"], [5, 1000, 2], "a"),
        ([1, "2", 3.5], [1, 2, 3.5], "a"),
        (pd.array(["1", "2", "2.5"], dtype="string[pyarrow]"), [1, 2, 2.5], "a"),
    ],
)
def test_types_of_values(values, expected, feature):
    table = pd.DataFrame({"a": values})
    if expected is None:
        with pytest.raises(DataError, match="1 infinite values, the first in row 0, column 'a'"):
            learn_columns(table)
        return
    plan, x = learn_columns(table)
    assert plan.features[0] == feature
    np.testing.assert_allclose(x[:, 0], expected, rtol=1e-15)
    np.testing.assert_array_equal(plan.apply(table), x)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["$5", "€5"], r"amounts in \$ and €"),
        (["45%", "0.45"], "holds percentages, but '0.45' in row 1 has no percent sign"),
        (["1", "2", "three"], "holds numbers, but 'three' in row 2.*--columns a=category"),
        (["2021-03-04", "2021-03-05", "3 May"], "dates as year-month-day, but '3 May' in row 2"),
        ([1 + 2j, 2], "not numeric"),
    ],
)
def test_mixed_columns_are_refused(values, words):
    with pytest.raises(DataError, match=words):
        learn_columns(pd.DataFrame({"a": values, "b": 1.0}))


def test_dates_that_may_be_numbers_are_said():
    table = pd.DataFrame({"a": ["20210304", "20210305"], "b": ["20211304", "20210305"]})
    plan, x = learn_columns(table)
    assert "numbers such as 20210304 may be dates" in plan.columns[0].note
    assert not plan.columns[1].note
    plan, x = learn_columns(table, kinds={"a": "date"})
    assert (x[:, 0] == [18690, 18691]).all() and "read as yearmonthday" in plan.columns[0].note
    with pytest.raises(DataError, match="'b' cannot be read as date: it holds '20211304'"):
        learn_columns(table, kinds={"b": "date"})


def test_percentages_stay_percentages():
    plan, _ = learn_columns(pd.DataFrame({"a": ["45%", "7%"]}))
    with pytest.raises(DataError, match="holds percentages, but '45' in row 0"):
        plan.apply(pd.DataFrame({"a": ["45"]}))


def test_often_missing_categories_have_a_level():
    city = pd.Series(["Rome", "Oslo", None, "Rome"] * 10)
    plan, x = learn_columns(pd.DataFrame({"city": city}))
    assert plan.features == ("city=Rome", "city=Oslo", "city=missing")
    np.testing.assert_array_equal(x[:, 2], city.isna())


def test_row_indices_are_left_out():
    rng = np.random.default_rng(0)
    for index in (rng.permutation(50), [f"row {i}" for i in range(50)]):
        plan, _ = learn_columns(pd.DataFrame({"Unnamed: 0": index, "a": rng.normal(size=50)}))
        assert plan.features == ("a",)
    plan, _ = learn_columns(pd.DataFrame({"Unnamed: 0": [1.0, 1.0, 3.0], "a": [1.0, 2, 3]}))
    assert plan.features == ("Unnamed: 0", "a")


def test_nothing_left_is_refused_with_the_reasons():
    with pytest.raises(DataError, match=r"no feature columns.*b: left out \(every value"):
        learn_columns(pd.DataFrame({"b": [None, None]}))


def test_text_gets_types():
    assert typed(pd.Series(["1", "2"])).dtype == np.int64
    assert typed(pd.Series(["1.5", "NA"])).dtype == np.float64
    assert typed(pd.Series(["True", "false"])).tolist() == [True, False]
    assert typed(pd.Series(["a", "", "b"])).isna().tolist() == [False, True, False]
