"""Claims of arrays: what the header of an array says, before memory is taken for it."""

import math
import tokenize
import zipfile
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike

from gedi.untrusted.limits import RefusedError

__all__ = ["ArrayClaim", "claim_in_archive", "claim_of"]


class ArrayClaim(NamedTuple):
    """What the header of an array says.

    Attributes:
        shape: of the array.
        dtype: of its values.
        n_bytes: that they take.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    n_bytes: int


def claim_of(stream: IO[bytes], length: int) -> ArrayClaim:
    """The header of a .npy file, compared with the length of the file.

    Raises:
        RefusedError: the array holds Python objects, or has a shape that none has.
        ValueError: it is no such header, or the array would be larger than the file.
    """
    version = npy.read_magic(stream)
    if version not in {(1, 0), (2, 0), (3, 0)}:
        raise ValueError(f"it is of the unknown version {version}")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, _, dtype = read(stream)
    # NumPy's reader raises all of these for a header that is no dictionary of three.
    except (
        TypeError,
        KeyError,
        IndexError,
        SyntaxError,
        RecursionError,
        AttributeError,
        tokenize.TokenError,
    ) as error:
        raise ValueError(f"its header is damaged: {type(error).__name__}") from error
    return _checked_claim(shape, dtype, length - stream.tell())


def _checked_claim(shape: tuple[int, ...], dtype: DTypeLike, there: int) -> ArrayClaim:
    dtype = np.dtype(dtype)
    if dtype.hasobject:
        raise RefusedError("it holds Python objects")
    if min(shape, default=0) < 0 or len(shape) > 32:
        raise RefusedError(f"its header claims the shape {_short(shape)}")
    if dtype.itemsize == 0 and math.prod(shape) > 0:
        raise RefusedError(f"its values, of type {dtype}, take no bytes")
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes > there:
        raise ValueError(
            f"its header claims the shape {_short(shape)} of {dtype}, {n_bytes} bytes, but "
            f"{there} are there"
        )
    return ArrayClaim(shape, dtype, n_bytes)


def _short(shape: tuple[int, ...]) -> str:
    words = str(shape)
    return words if len(words) <= 60 else words[:57] + "..."


def claim_in_archive(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> ArrayClaim | None:
    """The header of an array in a .npz file; None for a member that is no array.

    Only its first bytes are unpacked. Its claim is compared with the unpacked length that the
    archive claims, beyond which `zipfile` never unpacks.

    Raises:
        ValueError: as `claim_of`.
    """
    with archive.open(member) as stream:
        magic = stream.read(len(npy.MAGIC_PREFIX))
    if magic != npy.MAGIC_PREFIX:
        return None
    with archive.open(member) as stream:
        return claim_of(stream, member.file_size)
