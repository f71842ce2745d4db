"""All data of a training, scaled where they are used."""

import numpy as np
import pytest
import torch

from gedi.points import Points
from gedi.scaling import Scaling

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


def test_bytes_stay_bytes():
    small, wide, _ = both()
    assert small._values.nbytes * 4 == wide._values.nbytes


@pytest.mark.parametrize("chunk", [12, 2**22])
def test_the_box_holds_all(monkeypatch, chunk):
    monkeypatch.setattr("gedi.points._CHUNK_VALUES", chunk)
    small, wide, x = both()
    low, high = wide[:].amin(0), wide[:].amax(0)
    for points in (small, wide):
        box = points.box(0.1)
        torch.testing.assert_close(box.low, low - 0.1 * (high - low))
        torch.testing.assert_close(box.high, high + 0.1 * (high - low))
        assert not points.are_all_the_same
    same = Points(np.repeat(x[:1], 4, axis=0), Scaling.from_range(0, 255, 12), CPU)
    assert same.are_all_the_same
