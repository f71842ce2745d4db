"""Tables: which columns are features, and one test for each mistake a user can make."""

import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gedi.data.dataset import constant_features, counting_columns
from gedi.data.rows import open_rows
from gedi.data.source import load
from gedi.errors import DataError
from small_files import X, npy, npz, parquet, write


def test_table_takes_numbers_booleans_and_the_label_out():
    text = "a,ok,kind,b\n1,True,u,2.5\n3,False,v,4\n5,True,u,6\n"
    csv = load(write("t.csv", text), label="kind")
    table = load(
        parquet(a=[1, 3, 5], ok=[True, False, True], kind=["u", "v", "u"], b=[2.5, 4, 6]),
        label="kind",
    )
    for data in (csv, table):
        np.testing.assert_array_equal(data.x, [[1, 1, 2.5], [3, 0, 4], [5, 1, 6]])
        np.testing.assert_array_equal(data.labels, [0, 1, 0])
        assert data.feature_names == ("a", "ok", "b") and data.class_names == ("u", "v")


def test_a_column_of_lists_can_be_left_out():
    name = parquet(a=[1.0, 2.0], b=[[1], [2]])
    with pytest.raises(DataError, match=r"column 'b' is not numeric.*--drop"):
        load(name)
    np.testing.assert_array_equal(load(name, drop=["b"]).x, [[1], [2]])


def test_features_are_taken_by_name_and_in_order():
    name = write("t.csv", "kind,b,a,note\nu,2,1,hi\nv,4,3,ho\n")
    data = load(name, features=("a", "b"))
    np.testing.assert_array_equal(data.x, [[1, 2], [3, 4]])
    assert data.labels is None and data.feature_names == ("a", "b")
    assert load(name, features=("a",), label="kind").class_names == ("u", "v")


def test_the_row_index_of_pandas_is_no_feature():
    pd.DataFrame({"a": [5, 6, 8]}).to_csv("t.csv")
    assert load("t.csv").feature_names == ("a",)
    pd.DataFrame({"a": [5, 6, 8]}, index=[3, 1, 2]).to_csv("t.csv")
    data = load("t.csv")
    assert data.feature_names == ("a",)
    assert str(data.columns) == "Unnamed: 0: left out (it is the row index of the table)"


def test_column_names_may_be_numbers_that_count():
    pd.DataFrame(X).to_csv("t.csv", index=False)
    assert load("t.csv").feature_names == ("0", "1", "2")
    pd.DataFrame(X).to_parquet("t.parquet")
    assert load("t.parquet").feature_names == ("0", "1", "2")


def test_nullable_and_textual_numbers_count_as_numbers():
    data = load(parquet(a=pd.array([1, 2], dtype="Int64"), b=["3", "4.5"]))
    np.testing.assert_array_equal(data.x, [[1, 3], [2, 4.5]])


def test_suffix_may_be_upper_case_and_a_constant_feature_is_no_mistake():
    data = load(write("T.CSV", "a,b,c\n1,2,7\n1,3,7\n"))
    np.testing.assert_array_equal(constant_features(data.x), [0, 2])


def test_blank_csv():
    with pytest.raises(DataError, match="is empty: add a line of column names"):
        load(write("a.csv", "\n  \n"))


def test_header_only():
    with pytest.raises(DataError, match=r"a\.csv has a header but no rows"):
        load(write("a.csv", "a,b\n"))


def test_a_column_of_numbers_and_words():
    with pytest.raises(
        DataError, match=r"column 'b' holds numbers, but 'oops' in row 2: .*b=category"
    ):
        load(write("b.csv", "a,b,c\n1,2,u\n2,,u\n3,oops,v\n"))


@pytest.mark.parametrize(
    "values", [[[1.0, 2.0], [3.0, 4.0]], [{"bytes": b"1"}, {"bytes": b"2"}], [b"1x", b"2x"]]
)
def test_column_of_another_type(values):
    with pytest.raises(DataError, match="column 'when' is not numeric, it holds"):
        load(parquet(a=[1.0, 2.0], when=values))


def test_columns_of_one_name():
    pq.write_table(pa.table([[1.0, 2.0], [3.0, 4.0]], names=["a", "a"]), "a.parquet")
    with pytest.raises(DataError, match="has more than one column 'a': rename all but one"):
        load("a.parquet")


def test_a_long_value_is_shortened():
    with pytest.raises(DataError, match=r"numbers, but '\w{36}\.\.\. in row 1: correct"):
        load(parquet(a=[1.0, 2.0], text=["1", "w" * 5000]))


def test_no_feature_columns():
    with pytest.raises(DataError, match=r"a\.csv has no feature columns: it holds 'kind'"):
        load(write("a.csv", "kind\nu\nv\n"), label="kind")
    with pytest.raises(DataError, match=r"no feature columns, its shape is \(3, 0\)"):
        load(npy(np.zeros((3, 0))))


def test_columns_that_do_not_exist():
    name = write("a.csv", "a,kind\n1,u\n2,v\n")
    with pytest.raises(DataError, match="has no label column 'class': its columns are 'a', 'kind'"):
        load(name, label="class")
    with pytest.raises(DataError, match="has no column 'b', 'c': its columns are 'a', 'kind'"):
        load(name, features=("a", "b", "c"))
    with pytest.raises(DataError, match="no array 'class' of labels: it holds 'x', 'y'"):
        load(npz(x=X, y=np.zeros(4)), label="class")
    with pytest.raises(DataError, match=r"no file 'class\.npy'"):
        load(npy(X), label="class.npy")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("a;b\n1,5;2\n3;4\n", [1.5, 2.0]),
        ("a;b\n1;2\n3,25;4\n", [1.0, 2.0]),
        ("a;b\n1.5;2\n3;4\n", [1.5, 2.0]),
        ("a\tb\n1.5\t2\n3\t4\n", [1.5, 2.0]),
    ],
)
def test_csv_as_spreadsheets_write_it(text, first):
    path = write("a.csv", text)
    data = load(path)
    assert data.feature_names == ("a", "b") and data.x[0].tolist() == first
    (block,) = open_rows(path, ("a", "b")).blocks()
    np.testing.assert_array_equal(block.rows, data.x)


def test_columns_are_left_out():
    path = write("a.csv", "id,a,name\n" + "".join(f"{i},{i % 3},x\n" for i in range(12)))
    data = load(path, drop=["name"])
    assert data.feature_names == ("id", "a") and counting_columns(data) == ["id"]
    assert counting_columns(load(path, drop=["name", "id"])) == []
    with pytest.raises(DataError, match=r"no column to leave out \(--drop\) 'nmae'"):
        load(path, drop=["nmae"])
    with pytest.raises(DataError, match="moons is not a table"):
        load("moons", drop=["a"])


def test_csv_that_is_not_quite_one():
    with pytest.raises(DataError, match=r"the first line is numbers \(1\.5, 2, \.\.\.\)"):
        load(write("a.csv", "1.5,2\n3,4\n5,6\n"))
    for first in ("5,3", "0,0", "3,-1"):
        with pytest.raises(DataError, match="the first line is numbers"):
            load(write("a.csv", first + "\n3,4\n5,6\n"))
    with pytest.raises(DataError, match="the rows have more fields than the header"):
        load(write("a.csv", "a,b\n1,2,3\n4,5,6\n"))
    with pytest.raises(DataError, match="line 3 has 3 fields, the header 2"):
        load(write("a.csv", "a,b\n1,2\n4,5,6\n"))


def test_columns_of_json_as_pandas_writes_them(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2.5, 3.5], "b": [1, 2, 3]}, index=[4, 7, 9])
    frame.to_json(tmp_path / "t.json")
    np.testing.assert_array_equal(load(str(tmp_path / "t.json")).x, frame)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"PK\x03\x04\x00", ".xlsx"), (b"PAR1\x00", ".parquet"), (b"\x1f\x8b\x08\x00", ".gz")],
)
def test_files_of_another_kind_are_recognised(tmp_path, content, kind):
    rest = np.random.default_rng(0).integers(256, size=999, dtype=np.uint8).tobytes()
    (tmp_path / "t.csv").write_bytes(content + rest)
    with pytest.raises(DataError, match=f"seems to be a {kind} file"):
        load(str(tmp_path / "t.csv"))


def test_a_zip_of_two_files_is_refused_with_what_to_do(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("a.csv", "a\n1\n2\n")
        archive.writestr("b.csv", "a\n1\n2\n")
    with pytest.raises(DataError, match="several files: unpack it"):
        load(str(tmp_path / "t.zip"))


def test_a_header_in_which_most_names_are_missing(tmp_path):
    (tmp_path / "t.csv").write_text(",b,\n" + "1,2,3\n4,5,6\n" * 5)
    assert load(str(tmp_path / "t.csv")).n_rows == 10


def test_a_first_line_that_may_hold_values_is_said(tmp_path):
    (tmp_path / "t.csv").write_text("0.5,-1.25,x\n" + "1.5,2.5,y\n3.5,4.5,z\n" * 5)
    assert "add --no-header" in load(str(tmp_path / "t.csv")).notes[0]


def test_leading_zeros_that_are_lost_are_said(tmp_path):
    (tmp_path / "t.csv").write_text("zip,b\n" + "01234,2\n99999,3\n" * 5)
    columns = load(str(tmp_path / "t.csv")).columns
    assert "without leading zeros, as in '01234'" in columns.columns[0].note
    assert not columns.columns[1].note
