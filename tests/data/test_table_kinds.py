"""Tables in files of every kind: the same points, at once and in blocks."""

import bz2
import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from gedi.data import tables
from gedi.data.rows import open_rows
from gedi.data.source import Source, load
from gedi.errors import DataError

N = 120


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(tables, "_PART_VALUES", 300)


def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "a": rng.normal(size=N).round(6),
            "n": rng.integers(9, size=N),
            "city": rng.choice(["Rome", "Oslo", "Bonn"], N),
            "ok": rng.random(N) < 0.5,
            "when": pd.date_range("2021-01-01", periods=N),
            "gap": np.where(np.arange(N) % 9 == 0, np.nan, 1.5),
        }
    )


def packed(name, content):
    match Path(name).suffix:
        case ".gz":
            Path(name).write_bytes(gzip.compress(content))
        case ".bz2":
            Path(name).write_bytes(bz2.compress(content))
        case ".zst":
            with pa.output_stream(name, compression="zstd") as stream:
                stream.write(content)
        case _:
            with zipfile.ZipFile(name, "w") as archive:
                archive.writestr("inside.csv", content)
    return name


def save(name, table):
    path = Path(name)
    if path.suffix in (".gz", ".bz2", ".zst", ".zip"):
        inner = save(path.stem if "." in path.stem else "inside.csv", table)
        return packed(name, Path(inner).read_bytes())
    {
        ".csv": lambda: table.to_csv(name, index=False),
        ".tsv": lambda: table.to_csv(name, index=False, sep="\t"),
        ".txt": lambda: table.to_csv(name, index=False, sep="|"),
        ".parquet": lambda: table.to_parquet(name),
        ".feather": lambda: table.to_feather(name),
        ".arrow": lambda: stream(name, table),
        ".orc": lambda: table.to_orc(name),
        ".json": lambda: table.to_json(name, orient="records", date_format="iso"),
        ".jsonl": lambda: table.to_json(name, orient="records", date_format="iso", lines=True),
        ".ndjson": lambda: table.to_json(name, orient="records", date_format="iso", lines=True),
        ".xlsx": lambda: table.to_excel(name, index=False),
    }[path.suffix]()
    return name


def stream(name, table):
    whole = pa.Table.from_pandas(table)
    with pa.OSFile(name, "wb") as file, pa.ipc.new_stream(file, whole.schema) as writer:
        writer.write_table(whole, max_chunksize=50)


@pytest.mark.parametrize(
    "name",
    [
        *("t.csv", "t.tsv", "t.txt", "t.parquet", "t.feather", "t.arrow", "t.orc", "t.json"),
        *("t.jsonl", "t.ndjson", "t.xlsx", "t.csv.gz", "t.tsv.bz2", "t.jsonl.zst", "t.csv.zip"),
        *("t.zip", "t.parquet.gz", "t.xlsx.zip"),
    ],
)
def test_every_kind_gives_the_same_points(name):
    table = frame()
    data = load(save(name, table))
    assert data.name == "t"
    cities = [f"city={city}" for city in table["city"].value_counts().index]
    assert data.feature_names == (
        *("a", "n", *cities, "ok", "when (days)", "gap"),
        "gap is missing",
    )
    by_name = dict(zip(data.feature_names, data.x.T, strict=True))
    np.testing.assert_allclose(by_name["a"], table["a"], rtol=1e-15)
    np.testing.assert_array_equal(by_name["n"], table["n"])
    np.testing.assert_array_equal(by_name["city=Oslo"], table["city"] == "Oslo")
    np.testing.assert_array_equal(by_name["ok"], table["ok"])
    np.testing.assert_array_equal(by_name["when (days)"], 18628 + np.arange(N))
    np.testing.assert_array_equal(by_name["gap is missing"], table["gap"].isna())
    blocks = [block.rows for block in open_rows(name, data.columns).blocks()]
    np.testing.assert_array_equal(np.concatenate(blocks), data.x)
    assert len(blocks) > 1


def test_a_plan_of_one_kind_serves_another():
    data = load(save("t.parquet", frame()))
    for name in ("t.csv", "t.xlsx", "t.feather"):
        (blocks,) = [open_rows(save(name, frame()), data.columns).blocks()]
        np.testing.assert_allclose(np.concatenate([b.rows for b in blocks]), data.x, rtol=1e-12)


def test_folders_and_patterns():
    table = frame()
    Path("set").mkdir()
    save("set/1.csv", table[:50])
    save("set/2.parquet", table[50:])
    Path("set/_SUCCESS").touch()
    Path("set/readme.txt").write_text("what this is\n")
    Path("set/about.json").write_text('{"made": "on Monday"}')
    whole = load(save("t.csv", table))
    for source in ("set", "set/[12].*"):
        data = load(source)
        assert data.feature_names == whole.feature_names
        np.testing.assert_array_equal(data.x, whole.x)
        rows = open_rows(source, data.columns)
        np.testing.assert_array_equal(np.concatenate([b.rows for b in rows.blocks()]), whole.x)
        assert load(str(Source(source).absolute().data)).x.shape == whole.x.shape
    # Each file marks its decimals in its own way.
    table[50:].to_csv("set/2.csv", index=False, sep=";", decimal=",")
    Path("set/2.parquet").unlink()
    again = Source("set").read(plan=whole.columns)
    np.testing.assert_array_equal(again.x, whole.x)
    save("set/3.csv", table[["a"]])
    with pytest.raises(DataError, match=r"set/3\.csv has no column 'n', as set/1\.csv has"):
        load("set")
    with pytest.raises(DataError, match=r"no file matches the pattern 'none/\*\.csv'"):
        load("none/*.csv")


def test_a_sheet_as_people_fill_it():
    cells = [["Sales", None, None], [None] * 3, ["city", "amount", "share"], ["Rome", 1, "5%"]]
    cells += [["Oslo", 2.5, "7%"], ["Rome", None, "1%"], ["Total", 3.5, None], [None] * 3]
    with pd.ExcelWriter("t.xlsx") as book:
        pd.DataFrame(cells).to_excel(book, sheet_name="2020", header=False, index=False)
        pd.DataFrame([[1]]).to_excel(book, sheet_name="2021")
    with pytest.raises(DataError, match="seems to hold totals"):
        load("t.xlsx")
    data = load("t.xlsx", skip_footer=1)
    assert data.feature_names == ("city=Oslo", "amount", "amount is missing", "share")
    np.testing.assert_array_equal(data.x, [[0, 1, 0, 0.05], [1, 2.5, 0, 0.07], [0, 1.75, 1, 0.01]])
    assert data.notes == (
        "the first of 2 sheets, '2020', was read",
        "a line above the table was left out: 'Sales'",
    )


def test_spreadsheets_need_an_extra(monkeypatch):
    save("t.xlsx", frame())
    monkeypatch.setattr(tables, "version_of", lambda package: None)
    with pytest.raises(DataError, match=r"spreadsheets need an extra: pip install 'gedi\[excel\]'"):
        load("t.xlsx")


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ([{"a": 1, "b": 2}, {"b": 4, "a": 3}], [[1, 2], [3, 4]]),
        ({"a": [1, 3], "b": [2, 4]}, [[1, 2], [3, 4]]),
        ({"data": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}, [[1, 2], [3, 4]]),
    ],
)
def test_ways_to_write_records(content, rows):
    Path("t.json").write_text(json.dumps(content))
    np.testing.assert_array_equal(load("t.json").x, rows)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.json", "[1, 2]", "expected records"),
        ("t.json", '{"a": [1], "b": [1, 2]}', "expected records"),
        ("t.json", "[{", "cannot be read as json and may be damaged"),
        ("t.jsonl", '{"a": 1}\n[1]\n', "line 2 is no record"),
        ("t.json", '[{"a": {"b": 1}}, {"a": {"b": 2}}]', "'a' is not numeric, it holds {'b': 1}"),
        ("t.feather", "\x7fELF\x00", "cannot be read as feather and may be damaged"),
        ("t.orc", "\x7fELF\x00", "cannot be read as orc and may be damaged"),
        ("t.xlsx", "\x7fELF\x00", "cannot be read as xlsx and may be damaged"),
        ("t.csv.gz", "nonsense", "cannot be read as text and may be damaged"),
        ("t.csv.zip", "nonsense", "cannot be read as text and may be damaged"),
        ("t.csv.zst", "nonsense", "cannot be read as text and may be damaged"),
    ],
)
def test_files_that_are_none(name, text, words):
    Path(name).write_text(text)
    with pytest.raises(DataError, match=words):
        load(name)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia"])
def test_sparse_matrices(form):
    matrix = sparse.random(20, 5, 0.3, random_state=0)
    sparse.save_npz("s.npz", matrix.asformat(form))
    data = load("s.npz")
    np.testing.assert_array_equal(data.x, matrix.toarray())
    assert data.feature_names == ("x0", "x1", "x2", "x3", "x4")


def test_records_of_numpy_are_refused_with_advice():
    np.save("r.npy", np.zeros(4, dtype=[("a", "f4"), ("b", "i4")]))
    with pytest.raises(DataError, match=r"records with the fields a, b: .*structured_to_unstr"):
        load("r.npy")
