"""Shards of a table: what is in them, who reads what, and what is refused."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gedi.data import shards as module
from gedi.data import tables
from gedi.data.shards import load_stream, mixed
from gedi.data.source import load
from gedi.errors import DataError
from small_shards import write


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(module, "_SMALL_GROUP", 1)
    monkeypatch.setattr(tables, "_PART_VALUES", 14)


@pytest.mark.parametrize("at_once", [1, 3, 50])
@pytest.mark.parametrize("buffer_size", [1, 7, 40, 1000])
def test_buffers_hold_every_row_once(buffer_size, at_once):
    sizes = {place: 1 + place % 9 for place in range(23)}
    order = np.random.default_rng(0).permutation(23).tolist()
    buffers = list(mixed(order, sizes, buffer_size, at_once))
    rows = [
        (piece.group, row)
        for pieces in buffers
        for piece in pieces
        for row in range(piece.start, piece.stop)
    ]
    assert sorted(rows) == [(group, row) for group in range(23) for row in range(sizes[group])]
    assert max(sum(p.stop - p.start for p in pieces) for pieces in buffers) <= buffer_size
    for group in range(23):  # each is read from its first row to its last
        assert [row for place, row in rows if place == group] == list(range(sizes[group]))
    full = buffers[0]
    if sum(sizes.values()) > buffer_size:
        assert len({piece.group for piece in full}) >= min(at_once, buffer_size, 23)


def test_a_file_gives_its_groups_from_any_row_on(tmp_path):
    shards = load_stream(write(tmp_path / "t", group=30)).shards
    assert [group.n_rows for group in shards.groups] == [30, 30, 30, 10] * 4
    rows = shards.open(5)
    found = [np.concatenate(list(rows.take(n))) for n in (1, 17, 12)]
    np.testing.assert_array_equal(np.concatenate(found)[:, 0], np.arange(130, 160))


def test_small_neighbours_count_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SMALL_GROUP", 25)
    shards = load_stream(write(tmp_path / "t")).shards
    assert [group.n_rows for group in shards.groups] == [20] * 20
    np.testing.assert_array_equal(next(shards.open(6).take(5))[:, 0], np.arange(120, 125))


def test_processes_share_the_groups(tmp_path):
    shards = load_stream(write(tmp_path / "t")).shards
    for epoch in (0, 1):
        parts = [shards.order(3, epoch, rank, 3) for rank in range(3)]
        assert sorted(place for part in parts for place in part) == list(range(40))
    assert shards.order(3, 0) != shards.order(3, 1) != shards.order(4, 1)


def test_the_sample_is_of_all_rows_and_its_labels_are_theirs(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SAMPLED", 120)
    kinds = pa.array(["x", "y"] * 50)
    data = load_stream(write(tmp_path / "t", kind=kinds), label="kind", seed=1)
    assert data.x.shape == (120, 2) and data.n_rows == 400 and data.feature_names == ("a", "b")
    a = data.x[:, 0]
    assert len(set(a)) == 120 and abs(a.mean() - 199.5) < 30
    assert data.class_names == ("x", "y")
    np.testing.assert_array_equal(data.labels, a % 2)
    again = load_stream(str(tmp_path / "t"), label="kind", seed=1)
    np.testing.assert_array_equal(again.x, data.x)


def test_the_sample_looks_at_some_groups_where_there_are_too_many_values(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LOOKED_AT", 2 * 55)
    data = load_stream(write(tmp_path / "t"))
    assert len(data.x) == 50
    assert len(np.unique(data.x[:, 0] // 10)) == 5


def test_files_tell_the_bounds_of_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SAMPLED", 10)
    shards = load_stream(write(tmp_path / "t")).shards
    np.testing.assert_array_equal([shards.low, shards.high], [[0, 0], [399, 99]])
    table = pa.table({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    pq.write_table(table, tmp_path / "t" / "9.parquet", write_statistics=False)
    shards = load_stream(str(tmp_path / "t")).shards
    assert np.isnan([shards.low, shards.high]).all()


def test_numbers_of_all_kinds_come_as_they_are(tmp_path):
    table = pa.table({"i": pa.array([1, 2], "int8"), "t": [True, False], "f": [0.5, 1e300]})
    pq.write_table(table, tmp_path / "t.parquet")
    data = load_stream(str(tmp_path / "t.parquet"))
    np.testing.assert_array_equal(data.x, [[1, 1, 0.5], [2, 0, 1e300]])


def test_decimals_are_the_numbers_of_the_whole_file(tmp_path):
    cents = np.random.default_rng(0).integers(0, 10**6, 500)
    table = pa.table({"a": pa.array([Decimal(int(cent)) / 100 for cent in cents])})
    pq.write_table(table, tmp_path / "t.parquet")
    streamed = load_stream(str(tmp_path / "t.parquet")).x
    np.testing.assert_array_equal(streamed, load(str(tmp_path / "t.parquet")).x)


def test_an_index_of_pandas_is_no_feature(tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=pd.Index([7, 8], name="id"))
    frame.to_parquet(tmp_path / "t.parquet")
    assert load_stream(str(tmp_path / "t.parquet")).feature_names == ("a",)


def test_a_damaged_shard_is_named(tmp_path):
    folder = write(tmp_path / "t", n=1000, group=500)
    file = tmp_path / "t" / "2.parquet"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"2\.parquet cannot be read as parquet and may be damaged"):
        load_stream(folder)
    file.write_bytes(content[:2000] + b"\xff" * 3000 + content[5000:])
    with pytest.raises(DataError, match=r"2\.parquet cannot be read as parquet and may be damaged"):
        load_stream(folder)
    file.write_bytes(b"")
    with pytest.raises(DataError, match=r"2\.parquet is empty"):
        load_stream(folder)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1.0]}, r"9\.parquet has no column 'b', as .*0\.parquet has"),
        ({"a": [1.0], "b": [2], "c": [3]}, r"9\.parquet has a column 'c', which .*0\.parquet has"),
        ({"a": [1.0], "b": ["two"]}, r"9\.parquet: column 'b' is not numeric.* type string"),
        ({"a": [1.0], "b": [[1, 2]]}, r"9\.parquet: column 'b' is not numeric.* type list"),
        ({"a": [np.inf], "b": [1]}, r"9\.parquet: column 'a' holds infinite values"),
        ({"a": [1.0, None], "b": [1, 2]}, r"9\.parquet: 1 missing.*in row 1, column 'a'"),
    ],
)
def test_shards_that_do_not_fit_are_named(tmp_path, columns, message):
    folder = write(tmp_path / "t")
    pq.write_table(pa.table(columns), tmp_path / "t" / "9.parquet")
    with pytest.raises(DataError, match=message):
        load_stream(folder)


def test_what_is_no_folder_of_shards_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "_metadata.parquet").write_text("")
    for source in ("empty", "none", "t.csv"):
        with pytest.raises(DataError, match=r"streaming reads \.parquet files: expected"):
            load_stream(str(tmp_path / source))
    folder = write(tmp_path / "bare", n=0)
    with pytest.raises(DataError, match="has no rows: add data"):
        load_stream(folder)
    folder = write(tmp_path / "t")
    for arguments, message in (
        ({"label": "z"}, "has no label column 'z'"),
        ({"buffer_size": 0}, "buffer_size: expected at least 1 row, got 0"),
    ):
        with pytest.raises(DataError, match=message):
            load_stream(folder, **arguments)
