"""Parts of a data set."""

import numpy as np
import pytest

from gedi.data.dataset import Dataset, constant_features, counting_columns
from gedi.data.source import load
from small_files import X, npy, npz


def test_subset_selects_rows_and_labels():
    data = load(npz(x=X, y=np.array([0, 1, 2, 1])))
    part = data.subset(np.array([2, 0]))
    np.testing.assert_array_equal(part.x, X[[2, 0]])
    np.testing.assert_array_equal(part.labels, [2, 0])
    assert part.class_names == ("0", "1", "2")
    assert load(npy(X)).subset(slice(1)).labels is None
    np.testing.assert_array_equal(data.subset(data.labels == 1).x, X[[1, 3]])


def test_values_that_differ_by_rounding_alone_are_constant():
    rounded = np.where(np.arange(50) % 2, 0.3, 0.1 + 0.2)
    near = rounded + 1e-12 * (np.arange(50) % 3)
    x = np.stack([rounded, -1e9 * rounded, np.arange(50.0), np.full(50, 7.0), near], 1)
    assert constant_features(x).tolist() == [0, 1, 3]
    assert constant_features(np.array([[1, 5], [2, 5]], dtype=np.uint8)).tolist() == [1]
    far = np.array([[-1e308, 1.0], [1e308, 1.0]])
    assert constant_features(far).tolist() == [1]


def test_a_sample_is_evenly_spaced_and_knows_its_numbers():
    data = Dataset("rows", np.arange(1000.0)[:, None], np.arange(1000) % 2, ("even", "odd"))
    assert data.sample(1000) is data and data.titles[999] == "row 999"
    some = data.sample(3)
    assert some.x[:, 0].tolist() == some.numbers.tolist() == [0, 499, 999]
    assert some.labels.tolist() == [0, 1, 1]
    assert [*some.titles] == ["row 0", "row 499", "row 999"] and len(some.titles) == 3
    assert some.n_rows == 1000 and some.sample(2).n_rows == 1000


@pytest.mark.parametrize(("at", "found"), [(None, ["id"]), (5, []), (1500, [])])
def test_a_column_counts_the_rows_if_it_does_so_to_the_end(at, found):
    x = np.stack([np.arange(2000.0), np.arange(2000) % 7], 1)
    if at is not None:
        x[at:, 0] += 1
    assert counting_columns(Dataset("rows", x, feature_names=("id", "size"))) == found
