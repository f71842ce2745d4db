"""Packed files: .gz, .bz2, .zst and .zip, unpacked to a temporary file within limits."""

import bz2
import gzip
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, Any

from gedi.untrusted.limits import RefusedError, check_room, refuse_special

__all__ = ["PACKED", "suffix_of", "unpacked"]

PACKED = (".gz", ".bz2", ".zst", ".zip")

_BLOCK = 2**20


def suffix_of(path: Path) -> str:
    """The ending of a name that says what a file holds, in lower case: .csv of a.csv.gz.

    For a .zip file whose own name does not say it, that of the file in it; else empty.
    """
    suffix = path.suffix.lower()
    if suffix not in PACKED:
        return suffix
    inner = PurePath(path.stem).suffix.lower()
    if suffix != ".zip" or inner:
        return inner
    try:
        return PurePath(_member(path).filename).suffix.lower()
    except (OSError, ValueError, zipfile.BadZipFile):  # for which `unpacked` gives the reason
        return ""


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The file itself, or a temporary file with what is packed in it, which is removed in the end.

    Raises:
        RefusedError: it unpacks to more than one file may take, is a .zip file of several files,
            or is no regular file.
        OSError, EOFError, ValueError, zipfile.BadZipFile: it is damaged.
    """
    refuse_special(path)
    if path.suffix.lower() not in PACKED:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="gedi-") as folder:
        plain = Path(folder) / f"table{suffix_of(path)}"
        with _opened(path) as source, plain.open("wb") as into:
            n = 0
            while block := source.read(_BLOCK):
                n += len(block)
                check_room(n, "what is packed in it (unpack it yourself to read it in parts)")
                into.write(block)
        yield plain


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | Any]:
    match path.suffix.lower():
        case ".gz":
            with gzip.open(path) as source:
                yield source
        case ".bz2":
            with bz2.open(path) as source:
                yield source
        case ".zst":
            import pyarrow as pa  # noqa: PLC0415

            with pa.input_stream(path, compression="zstd") as source:
                yield source
        case _:
            member = _member(path)
            if member.flag_bits & 1:
                raise RefusedError("it is encrypted: unpack it first")
            with zipfile.ZipFile(path) as archive, archive.open(member) as source:
                yield source


def _member(path: Path) -> zipfile.ZipInfo:
    """The only file in a .zip file."""
    with zipfile.ZipFile(path) as archive:
        members = [
            member
            for member in archive.infolist()
            if not member.is_dir() and not member.filename.startswith("__MACOSX/")
        ]
    if len(members) != 1:
        raise RefusedError(f"it packs {len(members)} files: expected one, so unpack it first")
    return members[0]
