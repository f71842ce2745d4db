"""Values: types, shapes, and what is not finite."""

import numpy as np
import pandas as pd
import pytest

from gedi.data.source import load
from gedi.data.values import check_points
from gedi.errors import DataError
from small_files import X, npy, write

WIDTHS = {"uint8": "f4", "float16": "f4", "bool": "f4", "int64": "f8", "float64": "f8", ">f8": "f8"}


@pytest.mark.parametrize(("dtype", "wide"), WIDTHS.items())
def test_numbers_become_floats_that_hold_them(dtype, wide):
    x = np.array([[0, 1], [1, 1], [1, 0]]).astype(dtype)
    data = load(npy(x))
    assert data.x.dtype == np.dtype(wide) and data.x.dtype.isnative
    np.testing.assert_array_equal(data.x, x.astype(float))
    assert data.image_shape is None and data.value_range is None


def test_missing_and_infinite_values():
    with pytest.raises(
        DataError,
        match=r"a\.csv: 1 infinite values, the first in row 2, column 'a'",
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
    with pytest.raises(DataError, match=r"a\.npy: expected real numbers, got (values|records)"):
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
        (
            [[1.0, np.nan]],
            r"x: 1 missing \(NaN\) .* in row 0, column 1: .*data frames",
        ),
        ([["a", "b"]], "x: expected real numbers, got values of type <U1"),
    ],
)
def test_check_points_mistakes(x, message):
    with pytest.raises(DataError, match=message):
        check_points(x, 2)
