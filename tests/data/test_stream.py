"""Batches of a stream: every row once, well mixed, and the same after an interruption."""

import numpy as np
import pytest
import torch

from gedi.data import shards as module
from gedi.data.shards import load_stream
from gedi.data.stream import Stream
from gedi.errors import DataError
from gedi.model.scaling import Scaling
from small_shards import write

CPU = torch.device("cpu")
PLAIN = Scaling(torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64))


@pytest.fixture
def shards(tmp_path, monkeypatch):
    """400 rows in 40 groups, mixed by 64 out of 5 groups at a time."""
    monkeypatch.setattr(module, "_SMALL_GROUP", 1)
    monkeypatch.setattr(module, "_AT_ONCE", 5)
    return load_stream(write(tmp_path / "t"), buffer_size=64).shards


def stream(shards, **more):
    return Stream(shards, PLAIN, CPU, seed=0, **more)


def drawn(source, *sizes):
    return np.concatenate([source.draw((n,))[:, 0].numpy() for n in sizes])


def test_an_epoch_holds_every_row_once_and_the_next_follows(shards):
    source = stream(shards)
    first, second = drawn(source, 150, 250), drawn(source, *[7] * 57, 1)
    for rows in (first, second):
        assert sorted(rows) == list(range(400))
    assert not np.array_equal(first, second)


def test_batches_have_the_shape_that_is_asked_for_and_are_scaled(shards):
    half = Scaling(torch.full((2,), 10.0).double(), torch.full((2,), 2.0).double())
    x = Stream(shards, half, CPU, seed=0).draw((3, 50))
    assert x.shape == (3, 50, 2) and x.dtype == torch.float32
    same = (stream(shards).draw((150,)) - 10) / 2
    torch.testing.assert_close(x.reshape(150, 2), same)


def test_batches_are_not_changed_by_those_after_them(shards):
    source = stream(shards)
    x = source.draw((10,))
    before = x.clone()
    source.draw((390,))
    assert torch.equal(x, before)


def test_batches_mix_groups(shards):
    groups = drawn(stream(shards), 60).reshape(3, 20) // 10
    assert min(len(np.unique(batch)) for batch in groups) >= 4
    steps = np.diff(drawn(stream(shards), 400))
    assert np.mean(steps == 1) < 0.1  # neighbours in the file are none in the batch


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_an_epoch(shards, world_size):
    sources = [stream(shards, rank=rank, world_size=world_size) for rank in range(world_size)]
    sizes = [source._epoch_rows(0) for source in sources]
    rows = np.concatenate([drawn(source, n) for source, n in zip(sources, sizes, strict=True)])
    assert sorted(rows) == list(range(400))
    assert max(sizes) - min(sizes) <= 10  # a group


@pytest.mark.parametrize("before", [0, 1, 63, 64, 65, 399, 400, 463, 1111])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_stream_goes_on_with_the_same_rows(shards, before, rank):
    straight = stream(shards, rank=rank, world_size=2)
    if before:
        straight.draw((before,))
    saved = straight.state_dict()
    other = stream(shards, rank=rank, world_size=2)
    other.draw((5,))
    other.load_state_dict(saved)
    for n in (30, 200, 3):
        assert torch.equal(other.draw((n,)), straight.draw((n,)))
    assert other.state_dict() == straight.state_dict()
    assert all(type(value) is int for value in saved.values())


def test_a_stream_of_other_shards_is_not_gone_on_with(shards, tmp_path):
    saved = stream(shards).state_dict()
    other = load_stream(write(tmp_path / "t", n_files=5), buffer_size=64).shards
    with pytest.raises(ValueError, match="expected shards with"):
        stream(other).load_state_dict(saved)


def test_more_processes_than_groups_are_refused(shards):
    with pytest.raises(DataError, match="a row group for each of 41 processes, got 40"):
        stream(shards, rank=0, world_size=41)
