"""Sets that stay on disk, which have the same pixels as those that do not."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from gedi.data.images import cache_folder
from gedi.data.source import load
from gedi.errors import DataError
from small_images import colour, encoded, grey, hub_set, on_hub, shard, write


@pytest.fixture
def threads(monkeypatch):
    """Let threads stand in for processes, which take a second to start."""

    @contextmanager
    def workers(pile):
        with ThreadPoolExecutor(2) as pool:
            yield pool, 2

    monkeypatch.setattr("gedi.data.images.streaming._workers", workers)


def entries():
    return list(cache_folder().iterdir()) if cache_folder().exists() else []


def same(source, **options):
    """The set in a file, after it was seen to be the one in memory."""
    held = load(source, **options)
    mapped = load(source, stream_above=0, **options)
    assert isinstance(mapped.x, np.memmap) and not mapped.x.flags.writeable
    np.testing.assert_array_equal(mapped.x, held.x)
    np.testing.assert_array_equal(mapped.labels, held.labels)
    for name in ("name", "image_shape", "value_range", "class_names", "n_skipped"):
        assert getattr(mapped, name) == getattr(held, name)
    return mapped


def test_processes_decode_what_threads_do(capfd):
    for i in range(150):  # several blocks
        write(f"set/c{i % 2}/{i:03}.png", colour(i) if i % 3 else grey(i))
    same("set")
    assert len(entries()) == 1
    assert capfd.readouterr() == ("", "")


def test_images_are_decoded_once(threads, monkeypatch):
    for i in range(4):
        write(f"set/{i}.png", grey(i))
    first = load("set", stream_above=0)
    with monkeypatch.context() as patched:
        patched.setattr("gedi.data.images.streaming.collect", None)
        second = load("set", stream_above=0)
    np.testing.assert_array_equal(second.x, first.x)
    write("set/0.png", grey(9))
    os.utime("set/0.png", (1, 1))
    np.testing.assert_array_equal(load("set", stream_above=0).x[0], grey(9).ravel())


def test_the_size_in_bytes_decides(threads):
    for i in range(5):
        write(f"set/{i}.png", grey(i))
    assert not isinstance(load("set", stream_above=100).x, np.memmap) and not entries()
    assert isinstance(load("set", stream_above=99).x, np.memmap) and entries()


def test_grey_images_that_become_colour_late_count_as_colour(threads):
    for i in range(5):
        write(f"set/{i}.png", grey(i) if i < 4 else colour(i))
    data = load("set", stream_above=100)
    assert isinstance(data.x, np.memmap) and data.image_shape == (3, 4, 5)
    np.testing.assert_array_equal(data.x, load("set").x)


def test_every_source(threads, monkeypatch):
    images = [encoded(colour(i)) for i in range(4)]
    shard("set/train-0.parquet", images[:3], ["u", "v"], label=[0, 1, 1])
    shard("set/test-0.parquet", images[2:], ["u", "v"], label=[0, 1])
    same("set")
    same("set", split="test", image_size=3)
    same("set/train-0.parquet")
    on_hub(monkeypatch, hub_set([{"bytes": image, "path": None} for image in images]))
    same("mnist")
    assert len(entries()) == 3  # a folder and its only shard are the same images


def test_a_damaged_image_in_the_middle_of_a_shard(threads):
    images = [encoded(grey(i)) for i in range(30)]
    shard("set/0.parquet", images[:10], label=[0] * 10)
    shard("set/1.parquet", [*images[10:27], b"bad", None, images[29]], label=list(range(20)))
    with pytest.raises(DataError, match=r"^row 17 of set/1\.parquet is damaged or no image"):
        load("set", stream_above=0)
    assert entries() == []
    data = same("set", skip_bad=True)
    assert data.n_skipped == 2 and len(data.x) == 28
    assert same("set", skip_bad=True).n_skipped == 2  # now from the cache


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a": grey(), "b": grey(0, 5, 5)},
            r"a\.png has 5 x 4 .*b\.png has 5 x 5: give",
        ),
        ({"a": grey(), "b": b"bad"}, r"set/b\.png is damaged"),
    ],
)
def test_what_is_refused_leaves_nothing_in_the_cache(threads, files, message):
    for name, content in files.items():
        write(f"set/{name}.png", content)
    with pytest.raises(DataError, match=message):
        load("set", stream_above=0)
    assert entries() == []


@pytest.mark.filterwarnings("error")
def test_an_image_that_would_fill_the_memory(capfd):
    for i in range(3):
        write(f"set/{i}.png", Image.new("1", (10_000, 9000)) if i == 1 else grey(i))
    with pytest.raises(DataError, match=r"^set/1\.png has more than 89478485 pixels, too many"):
        load("set", stream_above=0, image_size=4)
    assert entries() == [] and capfd.readouterr() == ("", "")


def test_a_process_that_ends(monkeypatch):
    for i in range(3):
        write(f"set/{i}.png", grey(i))

    def end(block, image_size):
        os._exit(1)

    monkeypatch.setattr("gedi.data.images.pools.decode_block", end)
    # Or a thread would end the tests.
    monkeypatch.setattr("gedi.data.images.reading.decode", too_large)
    with pytest.raises(DataError, match=r"^set: a process that decodes images has ended"):
        load("set", stream_above=0)
    assert entries() == []


def too_large(*arguments, **named):
    from gedi.data.images.decoding import TooLargeError  # noqa: PLC0415

    raise TooLargeError


def test_progress_is_told(threads, monkeypatch):
    monkeypatch.setattr("gedi.data.images.pools._BLOCK", 2)
    for i in range(5):
        write(f"set/{i}.png", grey(i))
    told = []
    load("set", stream_above=0, watch=lambda *counts: told.append(counts))
    assert told == [(0, 5), (2, 5), (4, 5), (5, 5)]
    load("set", stream_above=0, watch=lambda *counts: told.append(counts))
    assert len(told) == 4  # nothing was decoded
