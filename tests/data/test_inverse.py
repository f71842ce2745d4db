"""Features of a table as the values of its columns."""

import numpy as np
import pandas as pd
import pytest

from gedi.data.columns import learn_columns
from gedi.data.inverse import date_places, date_text, inverse, places, same_type

N = 60
FRAME = pd.DataFrame(
    {
        "number": np.arange(N) / 4,
        "word": ["low", "mid", "mid", "top"] * 15,
        "pair": ["left", "right", "right"] * 20,
        "flag": ["yes", "no"] * 30,
        "true": [True, False] * 30,
        "day": (pd.Timestamp("2021-01-01") + pd.to_timedelta(np.arange(N), "D")).strftime(
            "%d.%m.%Y"
        ),
        "iso": (pd.Timestamp("2021-01-01") + pd.to_timedelta(np.arange(N), "h")).astype(str),
        "at": [f"{hour % 24:02d}:30" for hour in range(N)],
        "typed": pd.Timestamp("2021-01-01") + pd.to_timedelta(np.arange(N), "min"),
        "gaps": [1.5, None, 2.5] * 20,
        "lacks": ["a", None, "b", "a"] * 15,
    }
)


def test_the_inverse_gives_the_values_back():
    plan, x = learn_columns(FRAME)
    back = inverse(plan, x)
    for name in FRAME:
        expected, found = FRAME[name], back[name]
        assert found.isna().tolist() == expected.isna().tolist(), name
        assert found.dropna().tolist() == expected.dropna().tolist(), name


def test_features_between_values_get_the_likeliest_one():
    plan, _ = learn_columns(FRAME[["word", "flag"]])
    assert plan.features == ("word=mid", "word=low", "word=top", "flag")
    found = inverse(plan, np.array([[0.2, 0.7, 0.1, 0.6], [0.9, 0.4, 0.0, -0.2]]))
    assert found["word"].tolist() == ["low", "mid"] and found["flag"].tolist() == ["yes", "no"]


def test_places_are_those_of_the_features():
    plan, _ = learn_columns(FRAME)
    for name, at in places(plan).items():
        assert all(feature.startswith(name) for feature in plan.features[at])
    assert date_places(plan) == {places(plan)[name].start: name for name in ("day", "iso", "typed")}


@pytest.mark.parametrize(
    ("days", "text"),
    [(18_628, "2021-01-01"), (18_628.5, "2021-01-01 12:00:00"), (1e12, "no date")],
)
def test_days_are_written_as_dates(days, text):
    assert date_text(days) == text


def test_columns_of_files_have_one_type():
    assert same_type(pd.Series(["a", None], dtype=object)).dtype == "string"
    assert same_type(pd.Series([None, None], dtype=object)).dtype == "string"
    assert same_type(pd.Series([True, None], dtype=object)).dtype == "boolean"
    assert same_type(pd.Series([0.5])).dtype == float
