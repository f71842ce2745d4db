"""Features on disk: half precision, whole or not there, continued after an interruption."""

import numpy as np
import pytest

from gedi import DataError
from gedi.features.store import FEATURES, PICTURES, FeatureStore

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
SHAPES = {FEATURES: (3,)}


def fill(store, rows, n=4):
    with store.filling(n, lambda: SHAPES) as (start, add):
        for row in rows[start:]:
            add({FEATURES: row[None]})
    return start


def test_rows_come_back_in_half_precision(tmp_path):
    store = FeatureStore(tmp_path / "key")
    assert not store.is_complete
    assert fill(store, ROWS) == 0
    x = store.open(4)
    assert store.is_complete and x.dtype == np.float16 and not x.flags.writeable
    np.testing.assert_array_equal(x, ROWS)
    assert sorted(file.name for file in store.folder.iterdir()) == [".lock", FEATURES]


def test_an_interrupted_computation_goes_on(tmp_path):
    store = FeatureStore(tmp_path / "key")
    with pytest.raises(KeyboardInterrupt), store.filling(4, lambda: SHAPES) as (_, add):
        add({FEATURES: ROWS[:2]})
        raise KeyboardInterrupt
    assert not store.is_complete
    assert fill(store, ROWS) == 2
    np.testing.assert_array_equal(store.open(4), ROWS)


def test_a_damaged_beginning_is_computed_again(tmp_path):
    store = FeatureStore(tmp_path / "key")
    with pytest.raises(KeyboardInterrupt), store.filling(4, lambda: SHAPES) as (_, add):
        add({FEATURES: ROWS[:2]})
        raise KeyboardInterrupt
    (store.folder / "rows").write_text("9")
    assert fill(store, ROWS) == 0


def test_what_is_complete_is_not_computed_again(tmp_path):
    store = FeatureStore(tmp_path / "key")
    fill(store, ROWS)
    with store.filling(4, lambda: 1 / 0) as (start, _):
        assert start == 4


def test_too_few_rows_leave_nothing_behind(tmp_path):
    store = FeatureStore(tmp_path / "key")
    with pytest.raises(DataError, match="expected 4 rows, got 3"):
        fill(store, ROWS[:3])
    assert not store.is_complete


def test_values_beyond_half_precision_are_refused(tmp_path):
    with pytest.raises(DataError, match="too large for half precision"):
        fill(FeatureStore(tmp_path / "key"), 1e6 * ROWS + 1)


@pytest.mark.parametrize("content", [b"", b"not an array", None])
def test_a_damaged_file_is_named(tmp_path, content):
    store = FeatureStore(tmp_path)
    if content is not None:
        (tmp_path / FEATURES).write_bytes(content)
    with pytest.raises(DataError, match=r"features.npy: the features there cannot be read"):
        store.open(4)
    np.save(tmp_path / FEATURES, np.zeros((5, 3)))
    with pytest.raises(DataError, match=r"expected 4 rows of float16, got float64"):
        store.open(4)


def test_features_of_another_run_are_taken_over_without_a_copy(tmp_path):
    first, second = FeatureStore(tmp_path / "a"), FeatureStore(tmp_path / "b")
    fill(first, ROWS)
    second.adopt(iter([tmp_path / "none", tmp_path / "a"]))
    assert (tmp_path / "a" / FEATURES).samefile(tmp_path / "b" / FEATURES)
    both = FeatureStore(tmp_path / "c", (FEATURES, PICTURES))
    both.adopt(iter([tmp_path / "a"]))  # has no pictures
    assert not both.is_complete
