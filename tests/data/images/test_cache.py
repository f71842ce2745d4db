"""Decoded images that are kept on disk."""

import os
from pathlib import Path

import numpy as np
import pytest

from gedi.data.images.cache import cache_folder, entry_for, filling, open_entry
from gedi.data.images.folders import folder_pile
from gedi.errors import DataError
from small_images import grey, write


def fill(entry, n=3, kept=(True, False, True, True)):
    with filling(entry) as folder:
        np.save(folder / "images.npy", np.zeros((n, 1, 2, 2), np.uint8))
        np.save(folder / "kept.npy", np.array(kept))


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache" / "gedi" / "images"
    for given in ("", "relative/path"):  # by the specification, to be ignored
        monkeypatch.setenv("XDG_CACHE_HOME", given)
        assert cache_folder() == Path.home() / ".cache" / "gedi" / "images"


def test_images_that_change_have_another_entry():
    for i in range(2):
        write(f"set/{i}.png", grey(i))
    os.utime("set/0.png", (1, 1))

    def entry(image_size=None, skip_bad=False):
        return entry_for(folder_pile(Path("set"), None, None), image_size, skip_bad)

    first = entry()
    assert entry() == first
    entries = [first, entry(4), entry(5), entry(None, True)]
    os.utime("set/0.png", (1, 2))
    entries.append(entry())
    Path("set/0.png").rename("set/00.png")
    entries.append(entry())
    write("set/2.png", grey(2))
    entries.append(entry())
    assert len(set(entries)) == len(entries)
    assert {each.parent for each in entries} == {cache_folder()}


def test_an_entry_is_mapped_read_only():
    fill(cache_folder() / "a")
    x, kept = open_entry(cache_folder() / "a", 4)
    assert isinstance(x, np.memmap) and not x.flags.writeable and x.shape == (3, 1, 2, 2)
    np.testing.assert_array_equal(kept, [True, False, True, True])


def test_what_fails_leaves_nothing():
    with pytest.raises(KeyboardInterrupt), filling(cache_folder() / "a") as folder:
        (folder / "images.npy").write_bytes(b"half")
        raise KeyboardInterrupt
    assert list(cache_folder().iterdir()) == []


def test_another_process_may_be_faster():
    entry = cache_folder() / "a"
    with filling(entry) as folder:
        fill(entry)
        np.save(folder / "images.npy", np.ones(3))
    assert open_entry(entry, 4)[0].shape == (3, 1, 2, 2)
    assert list(cache_folder().iterdir()) == [entry]


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "images.npy").unlink(),
        lambda entry: os.truncate(entry / "images.npy", 130),
        lambda entry: (entry / "kept.npy").write_bytes(b""),
        lambda entry: np.save(entry / "kept.npy", np.ones(4, bool)),
        lambda entry: np.save(entry / "images.npy", np.zeros((3, 1, 2, 2))),
    ],
)
def test_damaged_entries(damage):
    entry = cache_folder() / "a"
    fill(entry)
    damage(entry)
    with pytest.raises(DataError, match=r"images/a: .* damaged: delete this folder"):
        open_entry(entry, 4)


def test_a_folder_that_cannot_be_made(monkeypatch, tmp_path):
    Path("file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with (
        pytest.raises(DataError, match=r"cannot be kept there .* set XDG_CACHE_HOME to a folder"),
        filling(cache_folder() / "a"),
    ):
        pass
