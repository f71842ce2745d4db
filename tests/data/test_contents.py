"""Files of other kinds, and with the wrong name: what they seem to be, and what to do."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gedi.data.contents import content_of, document_of
from gedi.data.source import load
from gedi.errors import DataError

FRAME = pd.DataFrame({"a": [1.5, 2.5, 3.5], "b": [1, 2, 3]})
CSV = FRAME.to_csv(index=False)
HTML = "<!DOCTYPE html>\n<html><body>Not found</body></html>\n"


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.json", "t.jsonl", "t.xlsx"])
def test_pages_of_sites_are_recognised(name):
    Path(name).write_text(HTML)
    with pytest.raises(DataError, match=r"seems to be an HTML page, .*: download it again"):
        load(name)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (FRAME.to_json(orient="records"), r"a \.json file"),
        (json.dumps(FRAME.to_dict("records"), indent=1), r"a \.json file"),
        (FRAME.to_json(), r"a \.json file"),
        (FRAME.to_json(orient="records", lines=True), r"a \.jsonl file"),
        ("<?xml version='1.0'?>\n<a><b>1</b></a>", "an XML document: save it as"),
        ("%PDF-1.4\n1 0 obj\n", "a PDF document"),
        (
            "version https://git-lfs.github.com/spec/v1\nsize 5\n",
            "a pointer of Git LFS.*git lfs pull",
        ),
        ("% weather\n@relation x\n@attribute a numeric\n@data\n1\n", r"a \.arff file.*loadarff"),
        ("1 1:0.5 2:3\n0 1:0.2 2:4\n" * 9, "a file of svmlight.*load_svmlight_file"),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.txt"])
def test_documents_in_tables_of_text_are_recognised(name, text, what):
    Path(name).write_text(text)
    with pytest.raises(DataError, match=f"not a table of text: it seems to be {what}"):
        load(name)


@pytest.mark.parametrize(
    "text", [CSV, "a b\n1 2\n", "# a\nx\n", "t: <html>\n", "a:1\n", "time,1:2\n"]
)
def test_tables_are_no_documents(text):
    assert document_of(text) is None


@pytest.mark.parametrize(
    ("name", "start", "words"),
    [
        ("t.xlsx", b"PAR1", r"not a \.xlsx file: it seems to be a \.parquet file, whose name must"),
        ("t.parquet", b"ARROW1", r"not a \.parquet file: it seems to be a \.feather file"),
        ("t.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"a \.xls file: save it as \.xlsx"),
        ("t.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", r"a \.xls file: save it as \.xlsx"),
        ("t.csv", b"SQLite format 3\x00", "a database of SQLite"),
        ("t.feather", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        *((f"t{kind}", CSV.encode(), r"seems to be text, such as a \.csv file") for kind in
          (".xlsx", ".parquet", ".feather", ".orc", ".json")),
    ],
)  # fmt: skip
def test_names_that_are_wrong(name, start, words):
    Path(name).write_bytes(start)
    with pytest.raises(DataError, match=words):
        load(name)


def test_what_is_not_known_is_not_guessed():
    assert content_of(np.random.default_rng(0).bytes(99)) is None
    assert content_of(b"a\x00b") is None and content_of(b"") is None


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("t.xls", r"save it as \.xlsx"),
        ("t.pkl", "pickles are never loaded"),
        ("iris.data", r"rename it to end in \.csv; if it has no line of names, add --no-header"),
        ("table", r"rename it to end in \.csv"),
        ("t.arff", r"scipy\.io\.arff"),
        ("t.npy.gz", "unpack it"),
    ],
)
def test_other_kinds_of_files_have_advice(name, advice):
    Path(name).write_text("x")
    with pytest.raises(DataError, match=f"unknown kind of file.*{advice}"):
        load(name)


@pytest.mark.parametrize("orient", ["records", "columns", "split", "index", "table"])
def test_json_as_pandas_writes_it(orient):
    FRAME.to_json("t.json", orient=orient)
    data = load("t.json")
    np.testing.assert_array_equal(data.x, FRAME)
    assert data.feature_names == ("a", "b")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.json", FRAME.to_json(orient="records", lines=True)),
        ("t.jsonl", FRAME.to_json(orient="records")),
        ("t.json", "\ufeff" + FRAME.to_json(orient="records")),
        ("t.json", json.dumps({"n": 3, "page": {"next": None}, "data": FRAME.to_dict("records")})),
        ("t.json", json.dumps({"result": FRAME.to_dict("list")})),
    ],
)
def test_json_as_others_write_it(name, text):
    Path(name).write_text(text)
    np.testing.assert_array_equal(load(name).x, FRAME)


@pytest.mark.parametrize("text", ["[1]\n[2]\n", '{"error": "not found"}', "{}", '{"a": {}}', "[]"])
def test_json_that_is_no_table(text):
    Path("t.json").write_text(text)
    with pytest.raises(DataError):
        load("t.json")


def test_columns_of_json_that_count_stay_columns():
    table = pd.DataFrame(np.arange(12.0).reshape(4, 3))
    table.to_json("t.json")
    np.testing.assert_array_equal(load("t.json").x, table)


def test_packed_files_are_looked_into():
    Path("t.csv.gz").write_bytes(gzip.compress(HTML.encode()))
    with pytest.raises(DataError, match="HTML page"):
        load("t.csv.gz")


def test_sparse_matrices_in_a_folder_or_of_a_pattern():
    Path("many").mkdir()
    parts = [sparse.random(9, 4, 0.5, format="csr", random_state=i) for i in range(2)]
    for i, part in enumerate(parts):
        sparse.save_npz(f"many/{i}.npz", part)
    for source in ("many", "many/*.npz"):
        np.testing.assert_array_equal(load(source).x, sparse.vstack(parts).toarray())
    sparse.save_npz("many/2.npz", sparse.random(9, 3, 0.5, format="csr"))
    with pytest.raises(DataError, match=r"2\.npz holds points of shape \(3,\)"):
        load("many")


def test_labels_of_archives_are_joined_by_name():
    Path("many").mkdir()
    np.savez("many/0.npz", x=np.eye(2), y=["a", "c"])
    np.savez("many/1.npz", x=np.eye(2), y=["b", "a"])
    data = load("many")
    assert data.class_names == ("a", "b", "c") and data.labels.tolist() == [0, 2, 1, 0]
    np.savez("many/2.npz", x=np.eye(2))
    with pytest.raises(DataError, match="only one holds labels"):
        load("many")
    np.save("many/3.npy", np.eye(2))  # which would be left out
    with pytest.raises(DataError, match="one at a time: join them with"):
        load("many")


def test_folders_and_patterns_without_tables_say_what_there_is():
    Path("t/deep").mkdir(parents=True)
    Path("t/deep/a.csv").write_text(CSV)
    Path("t/a.txt").write_text(CSV)
    with pytest.raises(DataError) as caught:
        load("t")
    assert "'t/*.txt'" in str(caught.value) and "'t/**/*.csv'" in str(caught.value)
    assert load("t/**/*.csv").n_rows == load("t/*.txt").n_rows == 3
    with pytest.raises(DataError, match=r"no file matches the pattern 't/\*\.tsv'"):
        load("t/*.tsv")
    np.save("t/a.npy", np.eye(2))
    with pytest.raises(DataError, match=r"matches 1 files, such as t/a\.npy: expected"):
        load("t/*.npy")
