"""Checkpoints: the last few stay, damage is found, and nothing that is read runs."""

import errno
import os
import pickle
import resource
import zipfile

import pytest
import torch

from gedi.errors import RunError
from gedi.runs.checkpoints import Checkpoints


def state(value):
    return {"weights": torch.full((50, 40), float(value)), "history": [{"gap": 0.5}], "n": value}


@pytest.fixture
def checkpoints(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    for iteration in (10, 20, 1_000_000):
        checkpoints.save(iteration, state(iteration))
    return checkpoints


def newest(checkpoints):
    saved, damaged = checkpoints.load()
    return saved["n"], damaged


def test_the_newest_comes_back(checkpoints):
    saved, damaged = checkpoints.load()
    assert damaged == [] and saved["history"] == [{"gap": 0.5}]
    assert torch.equal(saved["weights"], state(1_000_000)["weights"])


def test_none_is_no_damage(tmp_path):
    assert Checkpoints(tmp_path / "none").load() == (None, [])


def test_the_last_few_stay(tmp_path):
    few = Checkpoints(tmp_path / "few", keep=2)
    for iteration in (5, 50, 500):
        few.save(iteration, state(iteration))
    assert [file.name for file in few.files()] == ["000000050.pt", "000000500.pt"]
    few.save(500, state(501))
    assert newest(few) == (501, [])


def test_what_a_killed_training_left_half_written_goes(checkpoints):
    (checkpoints.folder / ".000000030.pt.partial").write_bytes(b"half")
    assert newest(checkpoints) == (1_000_000, [])
    checkpoints.save(2_000_000, state(2))
    assert sorted(checkpoints.folder.iterdir()) == checkpoints.files()


def header_only(content):
    return content[: content.index(b"PK\x03\x04", 4)]


def mid_tensor(content):
    return content[: content.index(torch.tensor(1e6).numpy().tobytes()) + 4000]


TEARS = {
    "0 bytes": lambda content: b"",
    "1 byte": lambda content: content[:1],
    "mid-header": lambda content: content[:20],
    "header only": header_only,
    "mid-tensor": mid_tensor,
    "one byte short": lambda content: content[:-1],
    "flipped bit": lambda content: (
        mid_tensor(content)[:-1]
        + bytes([content[len(mid_tensor(content)) - 1] ^ 1])
        + content[len(mid_tensor(content)) :]
    ),
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS)
def test_the_one_before_a_torn_one_is_used_and_the_tear_told(checkpoints, tear):
    last = checkpoints.files()[-1]
    torn = tear(last.read_bytes())
    assert torn != last.read_bytes()
    last.write_bytes(torn)
    n, damaged = newest(checkpoints)
    assert n == 20 and len(damaged) == 1 and str(last) in damaged[0] and "damaged" in damaged[0]


def test_when_all_are_torn_all_are_told(checkpoints):
    for file in checkpoints.files():
        file.write_bytes(b"")
    with pytest.raises(RunError) as told:
        checkpoints.load()
    assert all(str(file) in str(told.value) for file in checkpoints.files())


def test_what_cannot_be_written_leaves_the_others(checkpoints):
    before = checkpoints.files()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as told:
            checkpoints.save(2_000_000, state(0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert told.value.errno == errno.EFBIG
    assert checkpoints.files() == before == sorted(checkpoints.folder.iterdir())
    assert newest(checkpoints) == (1_000_000, [])


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_a_pickle_is_not_executed(checkpoints, tmp_path):
    target = tmp_path / "executed"
    first, second, third = checkpoints.files()
    first.write_bytes(pickle.dumps(Malicious(target)))
    torch.save({"state": Malicious(target)}, second)
    with zipfile.ZipFile(third, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Malicious(target)))
    with pytest.raises(RunError, match="damaged"):
        checkpoints.load()
    assert not target.exists()


def test_a_checkpoint_that_unpacks_to_more_than_it_is_never_unpacked(checkpoints):
    with zipfile.ZipFile(checkpoints.files()[-1], "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(2**24))
    n, damaged = newest(checkpoints)
    assert n == 20 and "compressed" in damaged[0]
