"""Sources: every kind of data, the options that say how to read them, and what is refused."""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_digits

import gedi
from gedi.cli.parser import parse
from gedi.data import toy
from gedi.data.source import Source, load
from gedi.errors import DataError, SettingsError
from small_files import X, npy, write

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
TABLES = arrays(np.float32, st.tuples(st.integers(2, 6), st.integers(1, 5)), elements=FLOATS)


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


def test_every_option_has_one_definition():
    source = Source("a.csv", label="b", drop=("c", "d"), stream_above=2**20)
    assert Source.of_json(json.loads(json.dumps(asdict(source)))) == source
    assert Source.of_json({"data": "moons", "words": True}) == Source("moons")
    # Features of texts that earlier versions computed are without words.
    assert Source.of_json({"data": "moons"}) == Source("moons", words=False)
    for options in (["--n-points", "50", "--drop", "c", "d", "--skip-bad"], []):
        _, given = parse(["train", "moons", *options])
        made = Source.of_options(given.as_dict(), seed=7)
        asked = {"n_points": 50, "drop": ("c", "d"), "skip_bad": True} if options else {}
        assert made == Source("moons", seed=7, **asked)
    _, given = parse(["train", "moons", "--stream-above", "0.5"])
    assert Source.of_options(given.as_dict(), seed=0).stream_above == 2**29


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected values of data, label, n_points"),
        ({"data": "a", "more": 1}, "expected values of data, label, n_points"),
        ({"label": "a"}, "does not say where the data are"),
        ({"data": "a", "label": 3}, "expected str or NoneType as label, got int"),
        ({"data": "a", "n_points": True}, "expected int as n_points, got bool"),
        ({"data": "a", "drop": "b"}, "expected list as drop, got str"),
        ({"data": "a", "words": 1}, "expected true or false as words"),
        ({"data": "a", "drop": [1]}, "expected names of columns as drop"),
    ],
)
def test_other_facts_about_a_source_are_refused(content, message):
    with pytest.raises(ValueError, match=message):
        Source.of_json(content)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--n-points", "1"], "--n-points: expected at least 2, got 1"),
        (["--stream-above", "-1"], "--stream-above: expected 0 GiB or more, got -1"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    _, given = parse(["train", "moons", *options])
    with pytest.raises(SettingsError, match=message):
        Source.of_options(given.as_dict(), seed=0)


def test_importing_loads_nothing_heavy():
    heavy = ("torch", "sklearn", "scipy")
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


def test_one_row_is_enough_where_the_caller_says_so():
    assert load(write("t.csv", "a,b\n1,2\n"), min_rows=1).x.shape == (1, 2)


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
    with pytest.raises(DataError, match=r"unknown kind of file \.doc: expected one of \.npy, \.np"):
        load(write("a.doc", "1"))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".parquet"])
def test_empty_file(suffix):
    with pytest.raises(DataError, match="is empty"):
        load(write("a" + suffix, ""))


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
        ("a.csv", "has a header but no rows"),
        ("a.parquet", "cannot be read as parquet and may be damaged"),
    ],
)
def test_garbage(name, message):
    Path(name).write_bytes(b"\xff\xfe\x00garbage" * 9)
    with pytest.raises(DataError, match=message):
        load(name)


def test_too_few_rows():
    with pytest.raises(DataError, match=r"a\.csv: expected at least 2 rows, got 1"):
        load(write("a.csv", "a,b\n1,2\n"))
    for shape in ((0, 3), (1, 3), (0, 4, 4)):
        with pytest.raises(DataError, match=f"at least 2 rows, got {shape[0]}"):
            load(npy(np.zeros(shape)))


def test_kinds_of_columns_are_checked(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("ab,b\n" + "1,2\n3,4\n" * 5)
    kinds = {"ab": "category"}
    for asked in (kinds, ["ab=category"], "ab=category"):
        assert load(str(path), columns=asked).feature_names == ("ab=3", "b")
    assert load(str(path), drop="ab").feature_names == ("b",)
    with pytest.raises(SettingsError, match=r"expected NAME=KIND with one of number, .* 'b=word'"):
        load(str(path), columns={"b": "word"})
