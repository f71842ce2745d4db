"""Files that are whole or not there, written beside and then renamed; and the place of caches."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["beside", "cache_home", "partial_name"]


def cache_home() -> Path:
    """The folder of everything that can be made again; see the XDG base directory specification."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    return home / "gedi"


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
