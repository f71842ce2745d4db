"""Labels of images: codes, names, and one test for each mistake."""

import numpy as np
import pyarrow as pa
import pytest

from gedi.data.source import load
from gedi.errors import DataError
from small_images import encoded, grey, shard


@pytest.mark.parametrize(
    ("labels", "codes", "names"),
    [
        ([7, 3, 7], [1, 0, 1], ("3", "7")),
        ([10, 9, 10], [1, 0, 1], ("9", "10")),
        (["v", "u", "v"], [1, 0, 1], ("u", "v")),
        ([1, -1, 1], [1, 0, 1], ("-1", "1")),
    ],
)
def test_labels_without_names(labels, codes, names):
    shard("a.parquet", [encoded(grey(i)) for i in range(3)], label=labels)
    data = load("a.parquet")
    np.testing.assert_array_equal(data.labels, codes)
    assert data.class_names == names


def test_labels_are_taken_from_the_column_that_is_named():
    images = [encoded(grey(i)) for i in range(3)]
    shard("a.parquet", images, fine_label=[0, 1, 2], coarse_label=[5, 5, 6])
    assert load("a.parquet").class_names == ("0", "1", "2")
    assert load("a.parquet", label="coarse_label").class_names == ("5", "6")
    with pytest.raises(DataError, match="no label column 'kind': its columns are 'image', 'fine_"):
        load("a.parquet", label="kind")


@pytest.mark.parametrize("names", [None, ["u", "v"]])
def test_no_labels_at_all(names):
    images = [encoded(grey(i)) for i in range(3)]
    shard("a.parquet", images, names, label=pa.array([None] * 3, pa.int64()))
    data = load("a.parquet")
    assert data.labels is None and data.class_names == ()


def test_some_labels_missing():
    images = [encoded(grey(i)) for i in range(4)]
    for names, missing in ((None, None), (["u", "v"], None), (["u", "v"], -1)):
        shard("a.parquet", images, names, label=[0, 1, missing, missing])
        message = r"^row 2 of a\.parquet has no label, as 2 of 4 rows: .* drop the column 'label'"
        with pytest.raises(DataError, match=message):
            load("a.parquet")


def test_a_code_without_a_name():
    shard("a.parquet", [encoded(grey(i)) for i in range(2)], ["u", "v"], label=[1, 2])
    with pytest.raises(DataError, match=r"row 1 of a\.parquet has the label 2: .* from 0 to 1"):
        load("a.parquet")
