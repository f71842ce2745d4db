"""Parquet files of images: columns, splits, and one test for each mistake."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gedi.data.images import holds_images
from gedi.data.source import load
from gedi.errors import DataError
from small_images import colour, encoded, grey, shard


def test_a_parquet_file_of_images():
    images = [encoded(colour(i)) for i in range(4)]
    shard("toys.parquet", images, ["ball", "car", "doll"], label=[2, 0, 0, 2])
    data = load("toys.parquet")
    assert (data.name, data.image_shape, data.x.dtype) == ("toys", (3, 4, 5), np.uint8)
    np.testing.assert_array_equal(
        data.x.reshape(4, 3, 4, 5), [colour(i).transpose(2, 0, 1) for i in range(4)]
    )
    np.testing.assert_array_equal(data.labels, [2, 0, 0, 2])
    assert data.class_names == ("ball", "car", "doll")


@pytest.mark.parametrize("image", ["image", "img", "picture"])
def test_names_of_the_image_column(image):
    shard("a.parquet", [encoded(grey(i)) for i in range(2)], image=image, size=[1.0, 2.0])
    data = load("a.parquet")
    np.testing.assert_array_equal(data.x.reshape(2, 4, 5), [grey(0), grey(1)])
    assert data.labels is None


def test_a_column_of_mere_bytes():
    images = [encoded(grey(i)) for i in range(2)]
    for name, kind in (("image", pa.binary()), ("img", pa.large_binary())):
        pq.write_table(pa.table({name: pa.array(images, kind)}), "a.parquet")
        np.testing.assert_array_equal(load("a.parquet").x[1], grey(1).ravel())
    pq.write_table(pa.table({"other": images}), "a.parquet")
    assert not holds_images("a.parquet")


def test_several_columns_of_images():
    first, second = ([encoded(grey(i)) for i in two] for two in ((0, 1), (2, 3)))
    rows = pa.array([{"bytes": image, "path": None} for image in second])
    shard("a.parquet", first, other=rows)
    np.testing.assert_array_equal(load("a.parquet").x[0], grey(0).ravel())
    shard("a.parquet", first, image="left", right=rows)
    with pytest.raises(DataError, match=r"several columns of images, 'left', 'right'.*'image'"):
        load("a.parquet")


def test_other_parquet_files_stay_tables():
    pq.write_table(pa.table({"image": [1.0, 2.0], "label": [3.0, 4.0]}), "a.parquet")
    assert not holds_images("a.parquet")
    assert load("a.parquet").feature_names == ("image", "label")
    with pytest.raises(DataError, match="is not a set of image files: leave out split, skip_bad"):
        load("a.parquet", split="train", skip_bad=True)
    with pytest.raises(DataError, match="moons is not a set of image files: leave out image_size"):
        load("moons", image_size=8)


def test_shards_of_a_split():
    for split, first in (("train", 0), ("test", 6)):
        for part in range(2):
            seeds = range(first + 3 * part, first + 3 * part + 3)
            shard(
                f"set/{split}-0000{part}-of-00002.parquet",
                [encoded(grey(i)) for i in seeds],
                ["u", "v"],
                label=[i % 2 for i in seeds],
            )
    for split, seeds in ((None, range(6)), ("train", range(6)), ("test", range(6, 12))):
        data = load("set", split=split)
        np.testing.assert_array_equal(data.x.reshape(6, 4, 5), [grey(i) for i in seeds])
        np.testing.assert_array_equal(data.labels, [i % 2 for i in seeds])
        assert data.name == "set" and data.class_names == ("u", "v")
    with pytest.raises(DataError, match=r"there is no split 'val': .* as one of 'test', 'train'"):
        load("set", split="val")
    with pytest.raises(DataError, match="is one file, without splits: leave out split='train'"):
        load("set/train-00000-of-00002.parquet", split="train")


def test_the_only_split_needs_no_name_and_two_do():
    shard("set/test-00000-of-00001.parquet", [encoded(grey(i)) for i in range(2)])
    assert load("set").x.shape == (2, 20)
    shard("set/extra.parquet", [encoded(grey(i)) for i in range(2)])
    with pytest.raises(DataError, match=r"expected a split to choose.* 'extra', 'test'"):
        load("set")


def test_shards_that_do_not_fit():
    images = [encoded(grey(i)) for i in range(2)]
    shard("a/0.parquet", images, ["u", "v"], label=[0, 1])
    shard("a/1.parquet", images, ["v", "u"], label=[0, 1])
    with pytest.raises(DataError, match=r"a/1\.parquet names the classes of 'label' otherwise"):
        load("a")
    shard("a/1.parquet", images)
    with pytest.raises(DataError, match=r"a/1\.parquet has no column 'label' of labels"):
        load("a")
    shard("a/1.parquet", images, image="img")
    with pytest.raises(DataError, match=r"a/1\.parquet has no column 'image' of images"):
        load("a")
    pq.write_table(pa.table({"x": [1.0]}), "a/0.parquet")
    with pytest.raises(DataError, match=r"a/1\.parquet has no column 'x', as a/0"):
        load("a")
    Path("a/1.parquet").write_bytes(b"garbage")
    with pytest.raises(DataError, match=r"a/1\.parquet is not read: it is not a \.parquet file"):
        load("a")


def test_the_row_of_a_damaged_image_is_named():
    images = [encoded(grey(i)) for i in range(30)]
    shard("set/0.parquet", images[:10], label=[0] * 10)
    shard("set/1.parquet", [*images[10:27], b"bad", None, images[29]], label=list(range(20)))
    with pytest.raises(DataError, match=r"^row 17 of set/1\.parquet is damaged or no image"):
        load("set")
    data = load("set", skip_bad=True)
    assert data.n_skipped == 2 and data.files == ()
    assert [data.class_names[code] for code in data.labels[-3:]] == ["15", "16", "19"]
    shard("one.parquet", [images[0], None])
    with pytest.raises(DataError, match=r"^row 1 of one\.parquet holds no image"):
        load("one.parquet")


def test_damaged_pages_of_a_parquet_file():
    shard("a.parquet", [encoded(colour(i, 32, 32)) for i in range(20)])
    content = bytearray(Path("a.parquet").read_bytes())
    content[4:40] = b"\xff" * 36
    Path("a.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as parquet and may be damaged"):
        load("a.parquet")
