"""A column of texts among others: some axes of the vectors of a network, learned and applied."""

import json

import numpy as np
import pandas as pd
import pytest

from gedi.data.columns import ColumnPlan, learn_columns
from gedi.data.inverse import inverse
from gedi.data.text_columns import AXES, TextAxes
from gedi.errors import DataError

WIDTH = 40


def encode(network, texts):
    """Vectors that depend on the number at the end of a text."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(3, WIDTH))
    numbers = np.array([int(text.split()[-1]) for text in texts], float)
    return np.stack([np.sin(numbers), np.cos(3 * numbers), np.ones_like(numbers)], 1) @ directions


def table(n=1500):
    return pd.DataFrame(
        {
            "remark": [None if i % 5 == 4 else f"a remark with number {i}" for i in range(n)],
            "age": np.arange(n) % 7,
        }
    )


def learned(frame, **more):
    return learn_columns(frame, kinds={"remark": "text"}, encode=encode, **more)


def test_texts_become_axes_of_variance_one_among_the_other_columns():
    plan, x = learned(table())
    k = plan.columns[0].axes.n
    assert k == AXES and plan.texts == ("remark",)
    names = (*(f"remark axis {j + 1}" for j in range(k)), "remark is missing", "age")
    assert plan.features == names
    there = x[:, k] == 0
    np.testing.assert_array_equal(there, table()["remark"].notna())
    np.testing.assert_allclose(x[there, :2].std(0, ddof=1), 1, rtol=1e-4)
    np.testing.assert_allclose(x[there, :k].mean(0), 0, atol=1e-5)
    assert (x[~there, :k] == 0).all()  # the mean of all texts
    np.testing.assert_allclose(x[:, 3:k], 0)  # these vectors fill a plane
    np.testing.assert_array_equal(x[:, -1], table()["age"])
    said = str(plan)
    assert said.startswith(f"remark: text, {k + 1} features ({k} principal axes of vectors of 40")
    assert "300 missing, filled with the mean of all texts" in said
    assert plan.plain_features == [k + 1]


def test_each_text_is_encoded_once_while_a_table_is_learned():
    seen = []

    def counting(network, texts):
        seen.extend(texts)
        return encode(network, texts)

    learn_columns(table(), kinds={"remark": "text"}, network="a", encode=counting)
    assert len(seen) == 1200


def test_new_rows_get_the_same_axes_and_gaps_stay_where_they_are_wanted():
    plan, x = learned(table())
    again = ColumnPlan.of_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    np.testing.assert_allclose(again.apply(table()[10:20], encode=encode), x[10:20], atol=1e-12)
    known = plan.apply(table()[:5], keep_missing=True, encode=encode)
    assert np.isnan(known[4, : plan.columns[0].axes.n]).all() and np.isfinite(known[:4]).all()
    empty = plan.apply(table()[4:5], encode=encode)
    np.testing.assert_array_equal(empty, x[4:5])


def test_a_plan_of_an_earlier_version_has_no_axes():
    plan, _ = learn_columns(table()[["age"]])
    content = [{k: v for k, v in each.items() if k != "axes"} for each in plan.to_json()]
    assert ColumnPlan.of_json(content) == plan


@pytest.mark.parametrize(
    "change",
    [{"packed": "no base64"}, {"packed": ""}, {"width": 7}, {"width": -1}, {"network": 3}],
)
def test_damaged_axes_are_refused(change):
    content = learned(table())[0].to_json()
    content[0]["axes"] |= change
    with pytest.raises(ValueError):
        ColumnPlan.of_json(content)


def test_another_network_is_refused():
    plan, _ = learned(table())
    with pytest.raises(DataError, match="the network of the training has changed: expected vec"):
        plan.apply(table(), encode=lambda network, texts: encode(network, texts)[:, 1:])


def test_numbers_are_no_texts():
    with pytest.raises(DataError, match="'age' cannot be read as text: it holds"):
        learn_columns(table(), kinds={"age": "text"}, encode=encode)


def test_texts_cannot_be_written_back():
    plan, x = learned(table())
    assert list(inverse(plan, x)) == ["age"]


def test_a_column_without_texts_is_left_out():
    plan, x = learned(table().assign(remark=None))
    assert x.shape == (1500, 1) and "remark: left out (every value is missing)" in str(plan)


@pytest.mark.parametrize(("n", "n_axes"), [(60, 3), (300, 8), (1200, 32)])
def test_few_texts_have_few_axes(n, n_axes):
    assert learned(table(n))[0].columns[0].axes.n == n_axes


def test_few_or_equal_texts_have_few_axes():
    axes, share = TextAxes.learn(None, encode(None, ["0", "1"]))
    assert axes.n == 1 and share == pytest.approx(1)
    same, share = TextAxes.learn(None, encode(None, ["5"] * 4))
    assert share == 0 and (same.apply(encode(None, ["5"])) == 0).all()
