"""Limits of what a file may be: regular, inside its folder, and no larger than the memory."""

import os
import stat
from pathlib import Path

from gedi.free_memory import free_on_cpu

__all__ = [
    "MOST_COLUMNS",
    "RefusedError",
    "check_room",
    "check_within",
    "most_bytes",
    "refuse_special",
]

MOST_COLUMNS = 100_000  # of a table; each costs its reader more than the numbers in it
_UNKNOWN_MEMORY = 4 * 2**30  # assumed where the system does not say


class RefusedError(ValueError):
    """A file is not read; the message says in a few words why."""


def refuse_special(path: Path) -> None:
    """Refuse pipes, sockets and devices: reading them may never end.

    Raises:
        RefusedError: it is one.
        OSError: there is no file.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise RefusedError(f"it is {kind}: expected a regular file")


def check_within(folder: Path) -> None:
    """Refuse links that lead out of a folder: what is written to them would be elsewhere.

    Raises:
        RefusedError: naming the first of them.
        OSError: the folder cannot be read.
    """
    inside = folder.resolve()
    for entry in sorted(folder.iterdir()):
        if entry.is_symlink():
            target = Path(os.path.realpath(entry))
            if not target.is_relative_to(inside):
                raise RefusedError(f"{entry.name} is a link to {target}, outside the folder")


def most_bytes() -> int:
    """The most bytes that one file may take: half of the memory that is free now.

    The other half is for turning it into floats.
    """
    free = free_on_cpu()
    return (_UNKNOWN_MEMORY if free is None else free.bytes) // 2


def check_room(n_bytes: int, words: str) -> None:
    """Refuse what is larger than `most_bytes`.

    Raises:
        RefusedError: there is not enough room.
    """
    most = most_bytes()
    if n_bytes > most:
        raise RefusedError(
            f"{words} would take {_gibibytes(n_bytes)}, more than the {_gibibytes(most)} "
            "(half of the free memory) that one file may take"
        )


def _gibibytes(n: int) -> str:
    return f"{n / 2**30:.3g} GiB"
