"""Files of images that grow one by one."""

import errno
from pathlib import Path

import numpy as np
import pytest

from gedi.data.images.image_file import ImageFile
from gedi.errors import DataError


def images(n, channels=1, height=4, width=5):
    return np.random.default_rng(0).integers(256, size=(n, channels, height, width), dtype=np.uint8)


@pytest.mark.parametrize(("n", "most"), [(3, 3), (3, 10**12), (0, 5)])
def test_what_is_written_is_a_npy_file(n, most):
    x = images(n)
    with ImageFile(Path("x.npy"), most) as file:
        file.widen((1, 4, 5))
        for planes in x:
            file.add(planes)
        file.finish()
    read = np.load("x.npy", mmap_mode="r")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, x)


def test_channels_that_do_not_lie_one_after_the_other():
    x = images(2, 4, 5, 3)  # channels last
    with ImageFile(Path("x.npy"), 2) as file:
        file.widen((3, 4, 5))
        for planes in x:
            file.add(planes.transpose(2, 0, 1))
        file.finish()
    np.testing.assert_array_equal(np.load("x.npy"), x.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("block", [1, 2**24])
def test_grey_images_become_colour(monkeypatch, block):
    monkeypatch.setattr("gedi.data.images.image_file._BLOCK_BYTES", block)
    grey, colour = images(3), images(2, 3)
    with ImageFile(Path("x.npy"), 9) as file:
        file.widen((1, 4, 5))
        for planes in grey:
            file.add(planes)
        file.widen((3, 4, 5))
        for planes in (colour[0], grey[1], colour[1]):
            file.add(planes)
        file.finish()
    wide = np.repeat(grey, 3, axis=1)
    expected = [*wide, colour[0], wide[1], colour[1]]
    np.testing.assert_array_equal(np.load("x.npy"), expected)


class Full:
    """A file on a full disk."""

    closed = True

    def write(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk():
    Path("folder").mkdir()
    with ImageFile(Path("folder/x.npy"), 2**20) as file:
        file.widen((1, 64, 64))
        file._stream.close()
        file._stream = Full()
        message = (
            r"^folder: decoded images cannot be kept there \(No space left on device\): set "
            r"XDG_CACHE_HOME to a folder with room for 4\.0 GiB"
        )
        with pytest.raises(DataError, match=message):
            file.add(images(1, 1, 64, 64)[0])
    with pytest.raises(DataError, match=r"cannot be kept there \(No such file"):
        ImageFile(Path("nowhere/x.npy"), 2).widen((1, 4, 5))
