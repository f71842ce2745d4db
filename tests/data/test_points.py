"""All data of a training, scaled where they are used."""

import warnings

import numpy as np
import pytest
import torch

from gedi.data.points import Points, affordable
from gedi.model.scaling import Scaling

CPU = torch.device("cpu")


def images(n=5, d=12):
    return np.random.default_rng(0).integers(0, 256, size=(n, d), dtype=np.uint8)


def both():
    """The same images as bytes and as floats."""
    x = images()
    scaling = Scaling.from_range(0, 255, x.shape[1])
    return Points(x, scaling, CPU), Points(x.astype(np.float32), scaling, CPU), x


def test_bytes_come_as_floats_would():
    small, wide, x = both()
    index = torch.tensor([[3, 0], [1, 1]])
    assert small[index].shape == (2, 2, 12) and small[index].dtype == torch.float32
    torch.testing.assert_close(small[index], wide[index])
    torch.testing.assert_close(small[:2], torch.from_numpy(x[:2] / 127.5 - 1).float())
    assert len(small) == len(wide) == 5 and small.n_features == 12


def mapped(folder, x):
    np.save(folder / "x.npy", x)
    return np.load(folder / "x.npy", mmap_mode="r")


@pytest.mark.parametrize("view", [lambda x: x, np.asarray, lambda x: x.reshape(5, 3, 4)])
def test_bytes_in_a_file_stay_there(tmp_path, view):
    small, _, x = both()
    file = view(mapped(tmp_path, x)).reshape(5, 12)
    points = Points(file, Scaling.from_range(0, 255, 12), CPU)
    assert np.shares_memory(points._values._x, file)
    known = torch.tensor([True, False, True, False, True])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of arrays that are not to be written to
        for index in (torch.tensor([[3, 0], [1, 1]]), slice(1, 4), slice(None), known):
            rows = points[index]
            assert torch.equal(rows, small[index])
            rows.zero_()
            assert torch.equal(points[index], small[index])
        assert points.box(0.1)[0].equal(small.box(0.1)[0])
    assert len(points) == 5 and points.n_features == 12 and points.device == CPU
    assert not points.are_all_the_same


def test_arrays_that_are_not_to_be_written_to_are_copied():
    x = images()
    x.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        points = Points(x, Scaling.from_range(0, 255, 12), CPU)
    assert not np.shares_memory(points._values.numpy(), x)


def test_large_points_are_looked_at_in_smaller_numbers():
    assert affordable(20_000, 3072) == 20_000
    assert affordable(20_000, 3 * 224 * 224) == 2**28 // (3 * 224 * 224)
    assert affordable(10, 2**30) == 1


def test_bytes_stay_bytes():
    small, wide, _ = both()
    assert small._values.nbytes * 4 == wide._values.nbytes


@pytest.mark.parametrize("chunk", [12, 2**22])
def test_the_box_holds_all(monkeypatch, chunk):
    monkeypatch.setattr("gedi.data.points._CHUNK_VALUES", chunk)
    small, wide, x = both()
    low, high = wide[:].amin(0), wide[:].amax(0)
    for points in (small, wide):
        box = points.box(0.1)
        torch.testing.assert_close(box.low, low - 0.1 * (high - low))
        torch.testing.assert_close(box.high, high + 0.1 * (high - low))
        assert not points.are_all_the_same
    same = Points(np.repeat(x[:1], 4, axis=0), Scaling.from_range(0, 255, 12), CPU)
    assert same.are_all_the_same
