"""Packed and foreign tables made to harm: refused within bounded memory."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from gedi.data.source import load
from gedi.errors import DataError
from gedi.untrusted import limits
from gedi.untrusted.packed import suffix_of, unpacked


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr(limits, "most_bytes", lambda: 2**20)


def zipped(name, **members):
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member.replace("_", "."), content)
    return name


@pytest.mark.parametrize("suffix", [".gz", ".zip", ".zst"])
def test_bombs_are_stopped_while_they_unpack(little_memory, suffix):
    content = b"a\n" + b"1\n" * 2**22
    match suffix:
        case ".gz":
            Path("a.csv.gz").write_bytes(gzip.compress(content))
        case ".zip":
            zipped("a.csv.zip", a_csv=content)
        case _:
            with pa.output_stream("a.csv.zst", compression="zstd") as stream:
                stream.write(content)
    assert Path(f"a.csv{suffix}").stat().st_size < 50_000
    with pytest.raises(DataError, match=r"is not read: what is packed in it .* would take"):
        load(f"a.csv{suffix}")


def test_archives_of_several_files_and_names():
    with pytest.raises(DataError, match="packs 2 files: expected one"):
        load(zipped("t.csv.zip", a_csv="a\n1\n", b_csv="a\n1\n"))
    assert suffix_of(Path(zipped("t.zip", a_csv="a\n1\n"))) == ".csv"
    assert suffix_of(Path("none.zip")) == "" and suffix_of(Path("T.CSV.GZ")) == ".csv"


def test_names_in_archives_lead_nowhere():
    with zipfile.ZipFile("t.csv.zip", "w") as archive:
        archive.writestr("../../evil.csv", "a\n1\n2\n")
    with unpacked(Path("t.csv.zip")) as plain:
        assert plain.name == "table.csv" and plain.read_text() == "a\n1\n2\n"
    assert not plain.exists()
    assert load("t.csv.zip").x.tolist() == [[1], [2]]


def test_sheets_and_batches_larger_than_memory(little_memory):
    pd.DataFrame({"a": np.zeros(30_000)}).to_excel("t.xlsx", index=False)
    with pytest.raises(DataError, match="its sheets would take"):
        load("t.xlsx")
    pd.DataFrame({"a": np.zeros(300_000)}).to_feather("t.feather")
    with pytest.raises(DataError, match="rows of 1 columns would take"):
        load("t.feather")
    pd.DataFrame({"a": np.zeros(300_000)}).to_orc("t.orc")
    with pytest.raises(DataError, match="300,000 rows of 1 columns would take"):
        load("t.orc")
    Path("t.jsonl").write_text('{"a": 1}\n' * 10_000)
    with pytest.raises(DataError, match="its records would take"):
        load("t.jsonl")


def test_json_that_is_nested_without_end():
    Path("t.jsonl").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"t\.jsonl"):
        load("t.jsonl")
    Path("t.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="nested too deeply"):
        load("t.json")


def test_sparse_matrices_that_lie():
    matrix = sparse.random(20, 5, 0.3, random_state=0).tocsr()
    matrix.indices[0] = 10**6
    sparse.save_npz("s.npz", matrix)
    with pytest.raises(DataError, match=r"s\.npz cannot be read"):
        load("s.npz")
    parts = {"data": np.ones(1), "indices": np.zeros(1, int), "indptr": np.zeros(10, int)}
    np.savez("s.npz", format=b"csr", shape=np.array([10**9, 10**9]), **parts)
    with pytest.raises(DataError, match=r"values, unpacked, would take"):
        load("s.npz")
    np.savez("s.npz", format=np.array({}, dtype=object), shape=np.array([2, 2]), **parts)
    with pytest.raises(DataError, match="Python objects"):
        load("s.npz")
