"""From the name of a set to its pixels, and on to runs."""

from pathlib import Path

import numpy as np
import pytest

from gedi.data.source import Source, load
from gedi.errors import DataError
from gedi.model.scaling import Scaling
from gedi.runs import Run
from small_images import grey, write


@pytest.mark.parametrize("size", [0, -3])
def test_image_size_is_positive(size):
    write("set/a.png", grey())
    with pytest.raises(DataError, match=f"image_size: expected at least 1 pixel, got {size}"):
        load("set", image_size=size)


def test_bytes_are_scaled_as_floats_are():
    x = np.arange(12, dtype=np.uint8).reshape(4, 3)
    for scaling in (Scaling.from_range(0, 255, 3), Scaling.standardise(x)):
        np.testing.assert_array_equal(scaling(x), scaling(x.astype(np.float64)))
    np.testing.assert_array_equal(Scaling.standardise(x).shift, x.mean(0))


@pytest.mark.parametrize(
    ("name", "split", "n", "shape", "mean", "names"),
    [
        ("mnist", "test", 10_000, (1, 28, 28), 33.791, ("0", "1", "2")),
        ("cifar100", None, 10_000, (3, 32, 32), 122.241, ("apple", "aquarium_fish", "baby")),
        ("svhn_unlabelled", None, 1083, (3, 32, 32), 118.195, ()),
    ],
)
def test_real_sets(shared, name, split, n, shape, mean, names):  # noqa: PLR0917
    folder = shared / "data" / name
    if not folder.is_dir():
        pytest.skip(f"no data/{name} in the folder of golden values and data")
    data = load(str(folder), split=split)
    assert data.x.shape == (n, np.prod(shape)) and data.image_shape == shape
    assert data.x.mean() == pytest.approx(mean, abs=1e-3)
    assert data.class_names[:3] == names and (data.labels is None) == (names == ())


def test_a_source_passes_on_what_it_says_of_images():
    for i in range(3):
        write(f"set/test/{i}.png", b"bad" if i == 1 else grey(i, 6, 4 + i))
        write(f"set/train/{i}.png", grey(i))
    data = Source("set", split="test", image_size=4, skip_bad=True).read()
    assert data.image_shape == (1, 4, 4) and data.n_skipped == 1


def test_other_images_are_brought_to_the_size_of_the_training():
    for i in range(3):
        write(f"set/{i}.png", grey(i, 6, 4 + i))
    run = Run(Path("run"), Source("set", image_size=4), 16, (), (1, 4, 4))
    assert run.new_data("set").image_shape == (1, 4, 4)
    np.save("other.npy", np.zeros((2, 4, 4), np.uint8))
    assert run.new_data("other.npy").image_shape == (1, 4, 4)
