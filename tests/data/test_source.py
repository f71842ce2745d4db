"""Loading: what comes out, and one test for each mistake a user can make."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.datasets import load_digits

import gedi
from gedi.data import toy
from gedi.data.dataset import constant_features, counting_columns
from gedi.data.rows import open_rows
from gedi.data.source import load
from gedi.data.values import check_points
from gedi.errors import DataError

X = np.array([[1.5, -2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.5], [0.0, 1.0, 2.0]])


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, text):
    Path(name).write_text(text, encoding="utf-8")
    return name


def npy(array, name="a.npy"):
    np.save(name, array)
    return name


def npz(name="a.npz", **parts):
    np.savez(name, **parts)
    return name


def parquet(name="a.parquet", **columns):
    pd.DataFrame(columns).to_parquet(name)
    return name


# Built-in sets


@pytest.mark.parametrize("name", ["moons", "circles"])
def test_toy_sets(name):
    data = load(name, n_points=50, noise=0.1, seed=3)
    x, labels = getattr(toy, name)(50, noise=0.1, seed=3)
    np.testing.assert_array_equal(data.x, x.astype(np.float32))
    np.testing.assert_array_equal(data.labels, labels)
    assert (data.name, data.class_names, data.feature_names) == (name, ("0", "1"), ("x0", "x1"))
    assert data.image_shape is None and data.value_range is None


def test_toy_sets_have_ten_thousand_points_by_default():
    assert load("moons").x.shape == (10_000, 2)


def test_digits():
    data = load("digits")
    np.testing.assert_array_equal(data.x, load_digits().data)
    np.testing.assert_array_equal(data.labels, load_digits().target)
    assert data.x.shape == (1797, 64) and data.x.dtype == np.float32
    assert (data.image_shape, data.value_range) == ((1, 8, 8), (0.0, 16.0))
    assert data.class_names == tuple("0123456789") and data.feature_names == ()


def test_built_in_sets_refuse_another_label():
    with pytest.raises(DataError, match=r"moons brings its own labels.*'y'"):
        load("moons", label="y")


def test_a_toy_set_of_one_point_is_refused():
    with pytest.raises(DataError, match="at least 2 points, got 1"):
        load("moons", n_points=1)


def test_importing_loads_nothing_heavy():
    heavy = ("torch", "pandas", "sklearn", "scipy")
    parts = ("arrays", "built_in", "shards", "rows", "source", "tables")
    code = "".join(f"import gedi.data.{part}\n" for part in parts)
    code += f"import sys; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(gedi.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.strip() == "[]"


# What comes out of files

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
TABLES = arrays(np.float32, st.tuples(st.integers(2, 6), st.integers(1, 5)), elements=FLOATS)


@given(x=TABLES)
@settings(max_examples=40, deadline=None)
def test_any_finite_array_survives_every_kind_of_file(x):
    with tempfile.TemporaryDirectory() as folder:
        frame = pd.DataFrame(x, columns=[f"c{i}" for i in range(x.shape[1])])
        names = [f"{folder}/a{suffix}" for suffix in (".npy", ".npz", ".csv", ".parquet")]
        np.save(names[0], x)
        np.savez(names[1], x=x)
        frame.to_csv(names[2], index=False)
        frame.to_parquet(names[3])
        for name in names:
            np.testing.assert_array_equal(load(name).x.astype(np.float32), x)


@given(x=arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=5)))
@settings(max_examples=20, deadline=None)
def test_any_grey_images_survive(x):
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/a.npy", x)
        data = load(f"{folder}/a.npy")
    assert data.image_shape == (1, *x.shape[1:]) and data.value_range == (0.0, 255.0)
    np.testing.assert_array_equal(data.x.reshape(x.shape), x)


WIDTHS = {"uint8": "f4", "float16": "f4", "bool": "f4", "int64": "f8", "float64": "f8", ">f8": "f8"}


@pytest.mark.parametrize(("dtype", "wide"), WIDTHS.items())
def test_numbers_become_floats_that_hold_them(dtype, wide):
    x = np.array([[0, 1], [1, 1], [1, 0]]).astype(dtype)
    data = load(npy(x))
    assert data.x.dtype == np.dtype(wide) and data.x.dtype.isnative
    np.testing.assert_array_equal(data.x, x.astype(float))
    assert data.image_shape is None and data.value_range is None


def test_npy_has_a_name_features_and_no_labels():
    data = load(npy(X, "points.npy"))
    assert (data.name, data.feature_names) == ("points", ("x0", "x1", "x2"))
    assert data.labels is None and data.class_names == ()


def test_npy_takes_labels_from_a_second_file():
    data = load(npy(X), label=npy(np.array(["b", "a", "b", "c"]), "y.npy"))
    assert data.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(data.labels, [1, 0, 1, 2])


def test_images_with_channels_keep_their_order_and_range():
    images = np.arange(2 * 3 * 4 * 5, dtype=np.float64).reshape(2, 3, 4, 5)
    data = load(npy(images))
    assert data.image_shape == (3, 4, 5) and data.value_range == (0.0, 119.0)
    assert data.feature_names == ()
    np.testing.assert_array_equal(data.x.reshape(2, 3, 4, 5), images)


@pytest.mark.parametrize("key", ["x", "X", "embeddings"])
@pytest.mark.parametrize("labels", ["y", "labels"])
def test_npz_finds_points_and_labels(key, labels):
    data = load(npz(**{key: X, labels: np.array([5, 3, 5, 3]), "note": np.array("hello")}))
    np.testing.assert_array_equal(data.x, X)
    np.testing.assert_array_equal(data.labels, [1, 0, 1, 0])
    assert data.class_names == ("3", "5")


def test_npz_takes_the_labels_that_are_named():
    data = load(npz(x=X, y=np.zeros(4), kind=np.array([1, 1, 0, 0])), label="kind")
    np.testing.assert_array_equal(data.labels, [1, 1, 0, 0])


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


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([10, 9, 10], ("9", "10")),
        ([2.0, 1.0, 2.0], ("1", "2")),
        ([2.5, 0.5, 2.5], ("0.5", "2.5")),
        ([True, False, True], ("False", "True")),
        (["v", "u", "v"], ("u", "v")),
        ([b"v", b"u", b"v"], ("b'u'", "b'v'")),
        (pd.Categorical(["v", "u", "v"]), ("u", "v")),
        (pd.array([4, 3, 4], dtype="Int64"), ("3", "4")),
        (pd.to_datetime(["2021", "2020", "2021"]), ("2020-01-01 00:00:00", "2021-01-01 00:00:00")),
    ],
)
def test_labels_of_any_type_become_sorted_codes(values, names):
    data = load(parquet(a=[1.0, 2.0, 3.0], kind=values), label="kind")
    assert data.class_names == names and data.labels.dtype == np.int64
    np.testing.assert_array_equal(data.labels, [1, 0, 1])


def test_labels_may_mix_numbers_and_text():
    data = load(write("t.csv", "a,kind\n1,one\n2,2\n3,one\n"), label="kind")
    assert data.class_names == ("2", "one")
    np.testing.assert_array_equal(data.labels, [1, 0, 1])


def test_labels_of_bytes_are_text():
    data = load(npz(x=X, y=np.array([b"u", b"v", b"u", b"u"])))
    assert data.class_names == ("u", "v")


def test_features_are_taken_by_name_and_in_order():
    name = write("t.csv", "kind,b,a,note\nu,2,1,hi\nv,4,3,ho\n")
    data = load(name, features=("a", "b"))
    np.testing.assert_array_equal(data.x, [[1, 2], [3, 4]])
    assert data.labels is None and data.feature_names == ("a", "b")
    assert load(name, features=("a",), label="kind").class_names == ("u", "v")


def test_one_row_is_enough_where_the_caller_says_so():
    assert load(write("t.csv", "a,b\n1,2\n"), min_rows=1).x.shape == (1, 2)


def test_the_row_index_of_pandas_is_no_feature():
    pd.DataFrame({"a": [5, 6, 8]}).to_csv("t.csv")
    assert load("t.csv").feature_names == ("a",)
    pd.DataFrame({"a": [5, 6, 8]}, index=[3, 1, 2]).to_csv("t.csv")
    assert load("t.csv").feature_names == ("Unnamed: 0", "a")


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


def test_subset_selects_rows_and_labels():
    data = load(npz(x=X, y=np.array([0, 1, 2, 1])))
    part = data.subset(np.array([2, 0]))
    np.testing.assert_array_equal(part.x, X[[2, 0]])
    np.testing.assert_array_equal(part.labels, [2, 0])
    assert part.class_names == ("0", "1", "2")
    assert load(npy(X)).subset(slice(1)).labels is None
    np.testing.assert_array_equal(data.subset(data.labels == 1).x, X[[1, 3]])


def test_bytes_of_images_stay_bytes_and_those_of_tables_do_not():
    images = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    assert load(npy(images)).x.dtype == np.uint8
    assert load(npy(images.reshape(2, 16))).x.dtype == np.float32


# Mistakes with the file


def test_missing_file():
    with pytest.raises(DataError, match="no file 'mons': did you mean 'moons'"):
        load("mons")
    with pytest.raises(
        DataError,
        match=r"no file 'data/a.csv', and the sets with a name are moons, circles, digits",
    ):
        load("data/a.csv")


def test_a_file_of_a_built_in_name_is_reached_by_its_path():
    write("moons", "a\n1\n2\n")
    with pytest.raises(DataError, match=r"^moons: unknown kind of file without suffix"):
        load("./moons")
    assert load("moons", n_points=10).x.shape == (10, 2)


def test_directory():
    Path("folder").mkdir()
    with pytest.raises(DataError, match="folder is a directory without images"):
        load("folder")
    with pytest.raises(DataError, match="folder is a directory: give the path of a file"):
        load(npy(X), label="folder")


def test_a_path_that_cannot_be_looked_at():
    with pytest.raises(DataError, match="cannot be opened: File name too long"):
        load("x" * 5000 + ".csv")


def test_unknown_suffix():
    with pytest.raises(DataError, match=r"unknown kind of file \.txt: expected one of \.npy, \.np"):
        load(write("a.txt", "1"))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".parquet"])
def test_empty_file(suffix):
    with pytest.raises(DataError, match="is empty"):
        load(write("a" + suffix, ""))


def test_blank_csv():
    with pytest.raises(DataError, match="is empty: add a line of column names"):
        load(write("a.csv", "\n  \n"))


def test_header_only():
    with pytest.raises(DataError, match=r"a\.csv has a header but no rows"):
        load(write("a.csv", "a,b\n"))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".parquet"])
def test_damaged_files_never_escape_as_another_error(suffix):
    name = "a" + suffix
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    {
        ".npy": lambda: np.save(name, X),
        ".npz": lambda: np.savez(name, x=X),
        ".csv": lambda: frame.to_csv(name, index=False),
        ".parquet": lambda: frame.to_parquet(name),
    }[suffix]()
    good = Path(name).read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for i in range(60):
        bad = bytearray(good)
        if i % 2:
            bad = bad[: rng.integers(1, len(bad))]
        else:
            bad[rng.integers(min(len(bad), 150))] = rng.integers(256)
        Path(name).write_bytes(bad)
        try:
            load(name)
        except DataError as error:
            refused += 1
            assert name in str(error) and "\n" not in str(error)
    assert refused > 20


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.npy", r"not a \.npy file \(a pickle is never loaded\)"),
        ("a.npz", r"not a \.npz file \(a pickle is never loaded\)"),
        ("a.csv", "cannot be read as comma-separated text in UTF-8 and may be damaged"),
        ("a.parquet", "cannot be read as parquet and may be damaged"),
    ],
)
def test_garbage(name, message):
    Path(name).write_bytes(b"\xff\xfe\x00garbage" * 9)
    with pytest.raises(DataError, match=message):
        load(name)


def test_truncated():
    name = npy(X)
    Path(name).write_bytes(Path(name).read_bytes()[:-8])
    with pytest.raises(DataError, match=r"a\.npy cannot be read as \.npy and may be damaged"):
        load(name)
    name = npz(x=X)
    Path(name).write_bytes(Path(name).read_bytes()[:-8])
    with pytest.raises(DataError, match=r"a\.npz cannot be read as \.npz and may be damaged"):
        load(name)


def test_objects_are_never_unpickled():
    class Bomb:
        def __reduce__(self):
            return (Path("exploded").touch, ())

    bomb = np.array([[Bomb()], [1]], dtype=object)
    np.save("a.npy", bomb, allow_pickle=True)
    np.savez("a.npz", x=bomb)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match="Python objects, which is never unpickled"):
            load(name)
    assert not Path("exploded").exists()


def test_numpy_files_with_the_wrong_suffix():
    Path(npz(x=X)).rename("b.npy")
    Path(npy(X)).rename("b.npz")
    with pytest.raises(DataError, match=r"b\.npy is a \.npz archive: rename"):
        load("b.npy")
    with pytest.raises(DataError, match=r"b\.npz holds a single \.npy array: rename"):
        load("b.npz")


def test_npz_without_a_clear_array_of_points():
    with pytest.raises(DataError, match="cannot tell which array holds the points among 'a', 'b'"):
        load(npz(a=X, b=X))
    with pytest.raises(DataError, match=r"cannot tell which array.*'a'"):
        load(npz(a=X[0]))
    with pytest.raises(DataError, match="holds no arrays"):
        load(npz())


# Mistakes with the values


def test_non_numeric_column():
    name = write("a.csv", "a,colour,size\n1,red,2\n3,blue,4\n")
    with pytest.raises(
        DataError,
        match=r"a\.csv: column 'colour' is not numeric, it holds 'red' in row 0: .*--label",
    ):
        load(name)
    with pytest.raises(DataError, match=r"column 'b' .* 'oops' in row 2 \(nor are 'c'\)"):
        load(write("b.csv", "a,b,c\n1,2,u\n2,,u\n3,oops,v\n"))


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2020-01-01", "2020-01-02"]),
        pd.to_timedelta([1, 2], unit="s"),
        pd.Categorical(["1", "2"]),
        [[1.0, 2.0], [3.0, 4.0]],
        [{"bytes": b"1"}, {"bytes": b"2"}],
        [b"1x", b"2x"],
    ],
)
def test_column_of_another_type(values):
    with pytest.raises(DataError, match="column 'when' is not numeric, it holds"):
        load(parquet(a=[1.0, 2.0], when=values))


def test_columns_of_one_name():
    pq.write_table(pa.table([[1.0, 2.0], [3.0, 4.0]], names=["a", "a"]), "a.parquet")
    with pytest.raises(DataError, match="has more than one column 'a': rename all but one"):
        load("a.parquet")


def test_a_long_value_is_shortened():
    with pytest.raises(DataError, match=r"it holds '\w{36}\.\.\. in row 0: leave it out"):
        load(parquet(a=[1.0, 2.0], text=["w" * 5000] * 2))


def test_missing_and_infinite_values():
    with pytest.raises(
        DataError,
        match=r"a\.csv: 2 missing \(NaN\) and 1 infinite values, the first in row 1, column 'b'",
    ):
        load(write("a.csv", "a,b\n1,2\n3,\n-inf,4\nNA,5\n"))
    x = X.copy()
    x[2, 1] = np.inf
    with pytest.raises(DataError, match=r"a\.npy: 1 infinite values, the first in row 2, column 1"):
        load(npy(x))


def test_large_values_are_kept():
    data = load(write("a.csv", "a,b\n1,1e300\n2,3\n"))
    assert data.x[0, 1] == 1e300


@pytest.mark.parametrize(
    "array", [X + 1j, X.astype(str), X.astype("datetime64[s]"), np.zeros(3, "f4,f4")]
)
def test_other_types_of_array(array):
    with pytest.raises(DataError, match=r"a\.npy: expected real numbers, got values of type"):
        load(npy(array))


def test_shapes():
    with pytest.raises(DataError, match=r"one dimension of 3 values: reshape to \(n, 1\)"):
        load(npy(X[0]))
    with pytest.raises(DataError, match=r"images \(n, H, W\) or \(n, C, H, W\), got \(\)"):
        load(npy(np.array(1.0)))
    with pytest.raises(DataError, match=r"got \(1, 1, 1, 1, 2\)"):
        load(npy(np.zeros((1, 1, 1, 1, 2))))
    with pytest.raises(DataError, match=r"channels last: transpose to \(n, C, H, W\)"):
        load(npy(np.zeros((2, 8, 8, 3))))


def test_too_few_rows():
    with pytest.raises(DataError, match=r"a\.csv: expected at least 2 rows, got 1"):
        load(write("a.csv", "a,b\n1,2\n"))
    for shape in ((0, 3), (1, 3), (0, 4, 4)):
        with pytest.raises(DataError, match=f"at least 2 rows, got {shape[0]}"):
            load(npy(np.zeros(shape)))


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


def test_labels_that_do_not_fit():
    with pytest.raises(DataError, match=r"array 'y': expected one label a row, shape \(4,\), got"):
        load(npz(x=X, y=np.zeros(3)))
    with pytest.raises(DataError, match=r"y\.npy: expected one label.*got \(4, 1\)"):
        load(npy(X), label=npy(np.zeros((4, 1)), "y.npy"))
    with pytest.raises(DataError, match=r"labels must be numbers or text, got type complex128"):
        load(npz(x=X, y=np.zeros(4) * 1j))
    with pytest.raises(DataError, match=r"array 'y': 1 labels are missing"):
        load(npz(x=X, y=np.array([0, 1, np.nan, 1])))
    with pytest.raises(DataError, match=r"column 'kind': 2 labels are missing"):
        load(write("a.csv", "a,kind\n1,u\n2,\n3,\n"), label="kind")


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
    with pytest.raises(DataError, match="moons is no table"):
        load("moons", drop=["a"])
    with pytest.raises(DataError, match="leave it out with --drop, encode it"):
        load(path)


def test_csv_that_is_not_quite_one():
    with pytest.raises(DataError, match=r"the first line is numbers \(1\.5, 2, \.\.\.\)"):
        load(write("a.csv", "1.5,2\n3,4\n5,6\n"))
    for first in ("5,3", "0,0", "3,-1"):
        with pytest.raises(DataError, match="the first line is numbers"):
            load(write("a.csv", first + "\n3,4\n5,6\n"))
    with pytest.raises(DataError, match=r"the first line 'a\|b' has no commas"):
        load(write("a.csv", "a|b\n1|2\n3|4\n"))
    with pytest.raises(DataError, match="the rows have more fields than the header"):
        load(write("a.csv", "a,b\n1,2,3\n4,5,6\n"))
    with pytest.raises(DataError, match=r"may be damaged.*Expected 2 fields in line 3, saw 3"):
        load(write("a.csv", "a,b\n1,2\n4,5,6\n"))


# New points


def test_check_points():
    out = check_points([[1, 2], [3, 4]], 2)
    assert out.dtype == np.float64
    np.testing.assert_array_equal(out, [[1, 2], [3, 4]])
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    np.testing.assert_array_equal(check_points(frame, 2), frame)
    assert check_points(np.zeros((3, 1, 2, 2)), 4).shape == (3, 4)


def test_check_points_makes_no_copy_of_bytes():
    images = np.arange(32, dtype=np.uint8).reshape(2, 1, 4, 4)
    assert np.shares_memory(check_points(images, 16), images)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((4, 3)), "x: expected 2 features, got 3"),
        (np.zeros(2), r"x: .*reshape to \(n, 1\)"),
        (np.zeros((0, 2)), "x: expected at least 1 row, got 0"),
        ([[1.0, np.nan]], r"x: 1 missing \(NaN\) values, the first in row 0, column 1"),
        ([["a", "b"]], "x: expected real numbers, got values of type <U1"),
    ],
)
def test_check_points_mistakes(x, message):
    with pytest.raises(DataError, match=message):
        check_points(x, 2)


def test_large_files_of_bytes_are_mapped(tmp_path):
    x = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    np.save(tmp_path / "bytes.npy", x)
    size = (tmp_path / "bytes.npy").stat().st_size
    mapped = load(str(tmp_path / "bytes.npy"), stream_above=size - 1)
    assert isinstance(mapped.x, np.memmap) and not mapped.x.flags.writeable
    np.testing.assert_array_equal(mapped.x, x.reshape(3, 20))
    assert mapped.value_range == (0.0, 255.0) and mapped.image_shape == (1, 4, 5)
    assert not isinstance(load(str(tmp_path / "bytes.npy"), stream_above=size).x, np.memmap)
    (tmp_path / "bytes.npy").write_bytes((tmp_path / "bytes.npy").read_bytes()[:-1])
    with pytest.raises(DataError, match=r"cannot be read as \.npy and may be damaged"):
        load(str(tmp_path / "bytes.npy"), stream_above=0)
