"""What an update adds to a run: its facts, joined data and settings."""

import json

import numpy as np
import pytest

from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.data.texts import Texts
from gedi.evaluation.drift import Batch
from gedi.runs.growth import Growth, joined

BATCH = Batch(20, 0.05, 0.1, 0.5)


def test_growth_comes_back_from_json(tmp_path):
    growth = Growth((Source(str(tmp_path / "a.csv")), Source(str(tmp_path / "b.csv"))), 30, BATCH)
    assert Growth.of_json(json.loads(json.dumps(growth.to_json()))) == growth


@pytest.mark.parametrize(
    "change",
    [
        {"sources": []},
        {"n_before": 0},
        {"n_before": "3"},
        {"batch": {"rows": 3}},
        {"batch": BATCH._asdict() | {"p_value": "low"}},
        {"sources": 3},
    ],
)
def test_other_content_is_refused(change):
    content = json.loads(json.dumps(Growth((Source("a.csv"),), 30, BATCH).to_json()))
    with pytest.raises(ValueError, match="growth: "):
        Growth.of_json(content | change)
    with pytest.raises(ValueError, match="growth: "):
        Growth.of_json([])


def part(x, labels=None, names=(), **more):
    labels = None if labels is None else np.array(labels)
    return Dataset("x", np.array(x)[:, None], labels, names, feature_names=("a",), **more)


def test_rows_are_joined_and_labels_get_common_codes():
    one = part([1.0, 2.0], [0, 1], ("u", "w"), notes=("read",), n_skipped=1)
    two = part([3.0, 4.0], [1, 0], ("v", "w"), notes=("read", "filled"), n_skipped=2)
    both = joined([one, two])
    assert both.x.tolist() == [[1.0], [2.0], [3.0], [4.0]]
    assert [both.class_names[k] for k in both.labels] == ["u", "w", "w", "v"]
    assert both.notes == ("read", "filled") and both.n_skipped == 3
    assert both.feature_names == ("a",)
    without = joined([one, part([3.0])])
    assert without.labels is None and without.class_names == ()


def test_texts_are_joined_where_all_rows_have_them():
    one, two = part([1.0], texts=Texts.of(["good"])), part([2.0], texts=Texts.of(["bad"]))
    assert list(joined([one, two]).texts) == ["good", "bad"]
    assert joined([one, part([2.0])]).texts is None
