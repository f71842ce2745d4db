"""Headers of arrays are held against what is there."""

import io
import zipfile

import numpy as np
import pytest

from gedi.untrusted import RefusedError
from gedi.untrusted.arrays import claim_in_archive, claim_of


def header(shape, descr="<f8", version=1):
    """A .npy file of any shape that is claimed, without the array."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text


def claimed(content):
    return claim_of(io.BytesIO(content), len(content))


@pytest.mark.parametrize("dtype", [np.float64, np.uint8, "U3", bool])
def test_true_headers_are_believed(dtype):
    file = io.BytesIO()
    array = np.ones((3, 4), dtype=dtype)
    np.save(file, array)
    claim = claimed(file.getvalue())
    assert claim == ((3, 4), array.dtype, array.nbytes)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_more_than_the_file_holds(version):
    assert claimed(header((2, 1), version=version) + bytes(16)).n_bytes == 16
    with pytest.raises(ValueError, match="but 15 are there"):
        claimed(header((2, 1), version=version) + bytes(15))
    with pytest.raises(ValueError, match="8000000000000000000 bytes, but 8 are there"):
        claimed(header((10**9, 10**9), version=version) + bytes(8))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (header((10**30, 10**30)), "but 0 are there"),
        (header((-1, 2)) + bytes(16), r"claims the shape \(-1, 2\)"),
        (header((2,) * 40) + bytes(8), "claims the shape"),
        (header((10**15,), "<U0"), "take no bytes"),
        (header((2,), "|O") + bytes(16), "Python objects"),
        (header((2,), "nonsense"), "not a valid dtype"),
        (b"\x93NUMPY\x01\x00\x04\x00{[1]", "Cannot parse|not a dictionary|damaged"),
        (b"\x93NUMPY\x09\x00", "unknown version|format version"),
        (b"\x80\x04K\x01.", "magic|EOF"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", "array header|EOF"),
    ],
)
def test_headers_that_lie_are_refused(content, words):
    with pytest.raises(ValueError, match=words):
        claimed(content)


def test_members_of_an_archive_are_held_against_their_unpacked_length():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header((1000, 1000)) + bytes(8 * 10**6))
        archive.writestr("lie.npy", header((10**6, 10**6)) + bytes(8))
        archive.writestr("notes.txt", "no array")
    with zipfile.ZipFile(file) as archive:
        found = {member.filename: member for member in archive.infolist()}
        assert claim_in_archive(archive, found["x.npy"]).n_bytes == 8 * 10**6
        assert claim_in_archive(archive, found["notes.txt"]) is None
        with pytest.raises(ValueError, match="but 8 are there"):
            claim_in_archive(archive, found["lie.npy"])


def test_objects_are_told_apart_from_damage():
    with pytest.raises(RefusedError):
        claimed(header((2,), "|O") + bytes(16))
