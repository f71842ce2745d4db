"""Rows in blocks: the same numbers and the same refusals as from the whole file."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gedi.data import rows, tables
from gedi.data.rows import in_parts, open_rows
from gedi.data.source import load
from gedi.errors import DataError

NAMES = ["a", "b"]


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(rows, "_BLOCK_VALUES", 300)  # blocks of 100 rows or fewer
    monkeypatch.setattr(tables, "_PART_VALUES", 300)


def frame(n=1000):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "note": [f"row {i}" for i in range(n)],
            "b": rng.normal(size=n) * 10.0 ** rng.integers(-9, 9, n),
            # Whole blocks of it look like integers.
            "a": np.where(np.arange(n) < n // 2, np.arange(n), rng.normal(size=n)),
        }
    )


def write(table, kind):
    if kind == "csv":
        table.to_csv("t.csv", index=False)
        return "t.csv"
    if kind == "folder":
        Path("t").mkdir()
        for i, part in enumerate(np.array_split(np.arange(len(table)), 3)):
            table.iloc[part].to_parquet(f"t/{i}.parquet")
        Path("t/_SUCCESS").write_text("")
        Path("t/.hidden.parquet").write_text("")
        return "t"
    table.to_parquet("t.parquet", row_group_size=150)
    return "t.parquet"


def read(source, first_row=0, features=NAMES):
    found = [block.rows for block in open_rows(source, features).blocks(first_row)]
    assert max(map(len, found), default=0) <= 150
    return np.concatenate(found) if found else np.empty((0, len(features)))


@pytest.mark.parametrize("kind", ["csv", "parquet", "folder"])
@pytest.mark.parametrize("first_row", [0, 1, 333, 1000])
def test_tables_have_the_numbers_of_the_whole_file(kind, first_row):
    table = frame()
    found = read(write(table, kind), first_row)
    assert found.dtype == np.float64
    if kind != "folder":
        np.testing.assert_array_equal(found, load(f"t.{kind}", features=NAMES).x[first_row:])
    np.testing.assert_array_equal(found, table[NAMES].to_numpy()[first_row:])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f4", ">f8", "u1", "?", "i8"])
@pytest.mark.parametrize("shape", [(500, 3), (500, 2, 3), (500, 1, 2, 2)])
def test_arrays_have_the_numbers_of_the_whole_file(order, dtype, shape):
    x = np.random.default_rng(0).integers(0, 2, size=shape).astype(dtype)
    np.save("x.npy", np.asarray(x, order=order))
    rows, whole = open_rows("x.npy"), load("x.npy").x
    assert rows.n_features == whole.shape[1]
    found = np.concatenate([block.rows for block in rows.blocks(70)])
    assert found.dtype == whole.dtype
    np.testing.assert_array_equal(found, whole[70:])


@pytest.mark.parametrize("kind", ["csv", "parquet", "folder"])
def test_shares_grow_to_one(kind):
    shares = [block.share for block in open_rows(write(frame(), kind), NAMES).blocks()]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)
    assert kind == "csv" or shares[0] < 0.4  # of a small one all is in the first buffer


def test_marks_change_with_the_file():
    source = write(frame(), "csv")
    before = open_rows(source, NAMES).marks()
    assert open_rows(source, NAMES).marks() == before
    write(frame(n=999), "csv")
    assert open_rows(source, NAMES).marks() != before


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_errors_tell_the_row(kind):
    table = frame()
    table.loc[[903, 904], "b"] = np.inf
    with pytest.raises(
        DataError,
        match=rf"t\.{kind}: 2 infinite values among rows 9\d\d to 9\d\d, "
        "the first in row 903, column 'b'",
    ):
        read(write(table, kind))
    table = frame().astype({"a": str})
    table.loc[871, "a"] = "many"
    with pytest.raises(DataError, match="column 'a' holds numbers, but 'many' in row 871: "):
        read(write(table, kind))


def test_rows_of_a_folder_are_told_by_their_file():
    write(frame(), "folder")
    table = frame(n=200)
    table.loc[120, "a"] = np.inf
    table.to_parquet("t/1.parquet")
    with pytest.raises(DataError, match=r"t/1\.parquet: 1 infinite .* the first in row 120"):
        read("t")


def test_errors_of_arrays_tell_the_row():
    x = np.zeros((1000, 3))
    x[912, 1] = np.nan
    np.save("x.npy", x)
    with pytest.raises(DataError, match="the first in row 912, column 1"):
        list(open_rows("x.npy").blocks())


def test_columns_that_turn_from_booleans_to_numbers_are_text_as_in_the_whole_file():
    lines = ["a,b", *["1,True"] * 500, *["1,2.5"] * 500]
    Path("t.csv").write_text("\n".join(lines))
    for reader in (read, lambda source: load(source, features=NAMES)):
        with pytest.raises(DataError, match="column 'b' holds numbers, but 'True' in row 0"):
            reader("t.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,c\n1,2\n", r"t\.csv has no column 'b': its columns are 'a', 'c'"),
        ("a,b\n", r"t\.csv has no rows: add data"),
        ("a,b\n" + "1,2\n" * 500 + "1,2,3\n", "line 502 has 3 fields, the header 2"),
        ("a,b\n" + "1,2,3\n" * 500, "the rows have more fields than the header"),
        ("", r"is empty"),
    ],
)
def test_csv_that_is_refused(content, message):
    Path("t.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read("t.csv")


def test_parquet_that_is_refused():
    pq.write_table(pa.table([[1.0], [2.0], [3.0]], names=["a", "a", "b"]), "t.parquet")
    with pytest.raises(DataError, match="more than one column 'a'"):
        read("t.parquet")
    frame().set_index("a").to_parquet("t.parquet")
    with pytest.raises(DataError, match="has no column 'a'"):
        read("t.parquet")
    content = Path(write(frame(), "parquet")).read_bytes()
    Path("t.parquet").write_bytes(content[:3000] + b"\xff" * 600 + content[3600:])
    with pytest.raises(DataError, match=r"t\.parquet cannot be read as parquet and may be damaged"):
        read("t.parquet")


def test_what_is_not_read_in_blocks(tmp_path):
    np.savez("x.npz", x=np.eye(3))
    np.save("line.npy", np.arange(3.0))
    Path("empty").mkdir()
    buffer = io.BytesIO()
    Image.new("L", (2, 2)).save(buffer, "png")
    Path("images").mkdir()
    pd.DataFrame({"image": [{"bytes": buffer.getvalue(), "path": None}]}).to_parquet(
        "images/0.parquet"
    )
    for source in ("moons", "x.npz", "line.npy", "empty", "images", "images/0.parquet", "none.csv"):
        assert open_rows(source, NAMES) is None
    write(frame(), "csv")
    assert open_rows("t.csv") is None  # which columns are features hangs on all rows


@pytest.mark.parametrize("sizes", [[10], [1] * 10, [3, 0, 7], [4, 4, 2], [9, 1]])
def test_parts_have_one_size_whatever_the_blocks(sizes):
    x = np.arange(20).reshape(10, 2)
    blocks = np.split(x, np.cumsum(sizes)[:-1])
    parts = list(in_parts(blocks, 4))
    assert [len(part) for part in parts] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(parts), x)


def test_no_blocks_make_no_parts():
    assert list(in_parts([], 4)) == []
