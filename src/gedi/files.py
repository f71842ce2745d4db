"""Files that are whole or not there, written beside and then renamed; and the place of caches."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["beside", "cache_home", "is_pattern", "partial_name", "source_name"]

_SIGNS = "*?["  # of a pattern


def cache_home() -> Path:
    """The folder of everything that can be made again; see the XDG base directory specification."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    return home / "gedi"


def is_pattern(name: str) -> bool:
    """Whether the name of a file may stand for several files."""
    return any(sign in name for sign in _SIGNS)


def source_name(source: str) -> str:
    """What data are called: their file or folder without its suffix, or the folder of a pattern."""
    path = Path(source)
    while is_pattern(path.name) and not path.exists():  # as files may be called [1].csv
        path = path.parent
    return path.stem or "files"


def partial_name(name: str) -> str:
    """What a file is called while it is being written."""
    return f".{name}.partial"


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """A path to write to, which becomes the target when all went well.

    What was written reaches the disk before it gets its name, so that not even a power failure
    leaves half a file under it. If anything goes wrong, the target stays as it was, and errors of
    the system name it.
    """
    path = target.with_name(partial_name(target.name))
    try:
        yield path
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.replace(target)
    except OSError as error:
        if error.errno is not None and error.filename is None:  # of a write to an open file
            error.filename = str(target)
        raise
    finally:
        path.unlink(missing_ok=True)
