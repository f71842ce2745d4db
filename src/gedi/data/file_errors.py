"""Errors for files that are missing, damaged, or refused."""

import csv
import difflib
import glob
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from gedi.data.remote import local_path
from gedi.errors import DataError
from gedi.printable import reason
from gedi.untrusted import RefusedError, refuse_special
from gedi.untrusted.packed import suffix_of

__all__ = [
    "SUFFIXES",
    "TABLES",
    "existing_file",
    "is_table",
    "listed",
    "pattern_files",
    "read_each",
    "reading",
    "reason",
    "refused",
    "unreadable",
]

T = TypeVar("T")

TABLES = (
    *(".csv", ".tsv", ".txt", ".parquet", ".feather", ".arrow", ".orc"),
    *(".json", ".jsonl", ".ndjson", ".xlsx"),
)
SUFFIXES = (".npy", ".npz", *TABLES)


def is_table(path: Path) -> bool:
    """Whether the name is that of a table, perhaps packed."""
    return suffix_of(path) in TABLES


def pattern_files(source: str) -> list[Path]:
    """The files of a pattern such as data/*.csv, by name; none for what is no pattern.

    Raises:
        OSError: a folder cannot be read.
    """
    if not any(sign in source for sign in "*?[") or "://" in source or Path(source).exists():
        return []
    found = map(Path, glob.glob(source, recursive=True))  # noqa: PTH207
    return sorted(file for file in found if file.name[0] not in "._" and file.is_file())


def existing_file(source: str, known: Sequence[str] = ()) -> Path:
    """The path of a file that exists and is not empty.

    Raises:
        DataError: there is none; the message suggests the known name that is most alike.
    """
    path = local_path(source)
    try:
        is_dir, exists = path.is_dir(), path.exists()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise DataError(f"{source!r} cannot be opened: {error.strerror}") from error
    if is_dir:
        raise DataError(f"{path} is a directory: give the path of a file ({', '.join(SUFFIXES)})")
    if not exists and (matches := pattern_files(source)):
        raise DataError(
            f"the pattern {source!r} matches {len(matches)} files, such as {matches[0]}: expected "
            f"files of tables ({', '.join(TABLES)}) or .npz files"
        )
    if not exists and any(sign in source for sign in "*?["):
        raise DataError(f"no file matches the pattern {source!r}")
    if not exists:
        close = difflib.get_close_matches(source.lower(), known, n=1)
        hint = f": did you mean {close[0]!r}?" if close else ""
        names = f", and the sets with a name are {', '.join(known)}" if known and not close else ""
        raise DataError(f"there is no file {source!r}{names}{hint}")
    try:
        refuse_special(path)
    except RefusedError as error:
        raise refused(path, error) from error
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes): write it again or give another file")
    return path


def refused(path: Path, error: RefusedError) -> DataError:
    """The error for a file that is not read."""
    return DataError(f"{path} is not read: {error}")


def unreadable(path: Path, kind: str, error: BaseException) -> DataError:
    """The error for a file that cannot be read as this kind of file."""
    if isinstance(error, PermissionError):
        return DataError(f"{path} cannot be opened: you may not read it: change its permissions")
    return DataError(
        f"{path} cannot be read as {kind} and may be damaged: write it again ({reason(error)})"
    )


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn the errors of a reader into one for the user.

    Raises:
        DataError: for what pandas and pyarrow raise when a file is damaged or refused.
    """
    import pyarrow as pa  # noqa: PLC0415

    try:
        yield
    except DataError:
        raise
    except RefusedError as error:
        raise refused(path, error) from error
    except (
        *(OSError, ValueError, LookupError, TypeError, EOFError, pa.ArrowException),
        *(
            csv.Error,
            zipfile.BadZipFile,
            zlib.error,
            OverflowError,
            MemoryError,
            NotImplementedError,
        ),
    ) as error:
        raise unreadable(path, kind, error) from error


def read_each(items: Iterator[T], path: Path, kind: str) -> Iterator[T]:
    """The items of a reader, whose errors become those of `reading`."""
    while True:
        with reading(path, kind):
            item = next(items, None)
        if item is None:
            return
        yield item


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names in quotes; those of a long list beyond the first ones as a count."""
    shown = [repr(name) for name in names]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more
