"""All images of a set: their order, sizes that differ, and those that are left out."""

import numpy as np
import pytest

from gedi.data.source import load
from gedi.errors import DataError
from small_images import colour, grey, write


def test_many_images_keep_their_order():
    for i in range(1100):  # more than are held at a time
        write(f"set/{i:04}.png", np.full((1, 2), i % 251, np.uint8))
    np.testing.assert_array_equal(load("set").x[:, 0], np.arange(1100) % 251)


def test_image_size_keeps_the_middle():
    wide, tall = grey(0, 4, 8), grey(1, 8, 4)
    write("set/a.png", wide)
    write("set/b.png", tall)
    with pytest.raises(
        DataError,
        match=r"set/a\.png has 8 x 4 pixels but set/b\.png has 4 x 8: give image_size",
    ):
        load("set")
    x = load("set", image_size=4).x.reshape(2, 4, 4)
    np.testing.assert_array_equal(x, [wide[:, 2:6], tall[2:6]])


def test_the_first_two_that_differ_are_named():
    for name, side in (("a", 3), ("b", 3), ("c", 4), ("d", 5)):
        write(f"set/{name}.png", grey(0, side, side))
    with pytest.raises(DataError, match=r"set/a\.png has 3 x 3 .* set/c\.png has 4 x 4"):
        load("set")


def test_labels_stay_with_their_images_where_some_are_skipped():
    for i, name in enumerate(("u/0", "u/1", "v/2", "v/3")):
        write(f"set/{name}.png", b"bad" if i in (0, 2) else grey(i))
    data = load("set", skip_bad=True)
    np.testing.assert_array_equal(data.labels, [0, 1])
    np.testing.assert_array_equal(data.x.reshape(2, 4, 5), [grey(1), grey(3)])
    assert data.n_skipped == 2 and data.files == ("u/1.png", "v/3.png")


def test_only_damaged_images():
    for i in range(3):
        write(f"set/{i}.png", b"bad")
    with pytest.raises(
        DataError, match=r"set: none of 3 images can be read: set/0\.png is damaged"
    ):
        load("set", skip_bad=True)


@pytest.mark.parametrize("grey_first", [True, False])
def test_grey_among_colour_becomes_colour(grey_first):
    files = [("a", grey()), ("b", colour())] if grey_first else [("a", colour()), ("b", grey())]
    for name, pixels in files:
        write(f"set/{name}.png", pixels)
    x = load("set").x.reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(x[1 - grey_first], [grey()] * 3)
    np.testing.assert_array_equal(x[int(grey_first)], colour().transpose(2, 0, 1))
