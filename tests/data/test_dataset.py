"""Parts of a data set."""

import numpy as np

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
