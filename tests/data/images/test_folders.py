"""Folders of images: their order, classes and splits, and one test for each mistake."""

from pathlib import Path

import numpy as np
import pytest

from gedi.data.source import load
from gedi.errors import DataError
from small_images import colour, grey, write


def test_a_folder_of_images_comes_in_the_order_of_names():
    for name, seed in (("b.png", 1), ("a.png", 0), ("c.PNG", 2)):
        write(f"set/{name}", grey(seed))
    Path("set/notes.txt").write_text("no image")
    write("set/.hidden.png", b"")
    data = load("set")
    assert data.x.dtype == np.uint8 and data.x.shape == (3, 20)
    np.testing.assert_array_equal(data.x.reshape(3, 4, 5), [grey(0), grey(1), grey(2)])
    assert (data.name, data.image_shape) == ("set", (1, 4, 5))
    assert data.value_range == (data.x.min(), data.x.max())
    assert data.labels is None and data.class_names == () and data.n_skipped == 0
    assert data.files == ("a.png", "b.png", "c.PNG")
    assert data.subset(np.array([2, 0])).files == ("c.PNG", "a.png")
    assert data.subset(slice(1)).files == ("a.png",)
    assert data.feature_names == ()


def test_folders_in_a_folder_are_classes():
    write("set/dog/2.png", colour(2))
    write("set/cat/9.png", colour(9))
    write("set/dog/1.png", colour(1))
    Path("set/empty").mkdir()
    data = load("set")
    assert data.class_names == ("cat", "dog") and data.labels.dtype == np.int64
    np.testing.assert_array_equal(data.labels, [0, 1, 1])
    assert data.files == ("cat/9.png", "dog/1.png", "dog/2.png")
    assert data.image_shape == (3, 4, 5)
    # Channel after channel, as networks take them.
    np.testing.assert_array_equal(
        data.x.reshape(3, 3, 4, 5), [colour(i).transpose(2, 0, 1) for i in (9, 1, 2)]
    )


def test_folders_of_splits():
    for split in ("test", "train"):
        for i in range(2):
            write(f"set/{split}/c{i}/a.png", np.full((2, 2), 10 * i + len(split), np.uint8))
    np.testing.assert_array_equal(load("set").x[:, 0], [5, 15])
    data = load("set", split="test")
    np.testing.assert_array_equal(data.x[:, 0], [4, 14])
    assert data.class_names == ("c0", "c1") and data.name == "set"
    assert data.files == ("test/c0/a.png", "test/c1/a.png")
    with pytest.raises(DataError, match=r"no split 'val': give split \(--split\) as one of 'test'"):
        load("set", split="val")
    with pytest.raises(DataError, match=r"set/test has no splits .* leave out split='test'"):
        load("set/test", split="test")


def test_folders_that_hold_no_set():
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("a")
    for name in ("empty", "texts"):
        with pytest.raises(DataError, match=rf"{name} is a directory without images.*\.png"):
            load(name)
    write("both/a.png", grey())
    write("both/class/b.png", grey())
    with pytest.raises(DataError, match=r"both holds images \(a\.png\) beside folders of .*class"):
        load("both")
    write("set/u/a.png", grey())
    with pytest.raises(
        DataError, match=r"classes of images are their folders: leave out .* 'kind'"
    ):
        load("set", label="kind")
    with pytest.raises(DataError, match="set: expected at least 2 rows, got 1"):
        load("set")
    assert load("set", min_rows=1).x.shape == (1, 20)
