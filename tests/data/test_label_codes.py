"""Labels become codes, whatever they are."""

import numpy as np
import pandas as pd
import pytest

from gedi.data.source import load
from gedi.errors import DataError
from small_files import X, npy, npz, parquet, write


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
