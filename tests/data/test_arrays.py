"""Arrays: which of them are points and labels, and damaged or foreign files."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from gedi.data.source import load
from gedi.errors import DataError
from small_files import X, npy, npz


@given(x=arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=5)))
@settings(max_examples=20, deadline=None)
def test_any_grey_images_survive(x):
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/a.npy", x)
        data = load(f"{folder}/a.npy")
    assert data.image_shape == (1, *x.shape[1:]) and data.value_range == (x.min(), x.max())
    np.testing.assert_array_equal(data.x.reshape(x.shape), x)


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


def test_bytes_of_images_stay_bytes_and_those_of_tables_do_not():
    images = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    assert load(npy(images)).x.dtype == np.uint8
    assert load(npy(images.reshape(2, 16))).x.dtype == np.float32


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


def test_large_files_of_bytes_are_mapped(tmp_path):
    x = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    np.save(tmp_path / "bytes.npy", x)
    size = (tmp_path / "bytes.npy").stat().st_size
    mapped = load(str(tmp_path / "bytes.npy"), stream_above=size - 1)
    assert isinstance(mapped.x, np.memmap) and not mapped.x.flags.writeable
    np.testing.assert_array_equal(mapped.x, x.reshape(3, 20))
    assert mapped.value_range == (0.0, 59.0) and mapped.image_shape == (1, 4, 5)
    assert not isinstance(load(str(tmp_path / "bytes.npy"), stream_above=size).x, np.memmap)
    (tmp_path / "bytes.npy").write_bytes((tmp_path / "bytes.npy").read_bytes()[:-1])
    with pytest.raises(DataError, match=r"cannot be read as \.npy and may be damaged"):
        load(str(tmp_path / "bytes.npy"), stream_above=0)
