"""Files that are whole or not there: written beside, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["beside", "partial_name"]


def partial_name(name: str) -> str:
    """What a file is called while it is being written."""
    return f".{name}.partial"


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """A path to write to, which becomes the target when all went well.

    What was written reaches the disk before it gets its name, so that not even a power failure
    leaves half a file under it. If anything goes wrong, the target stays as it was.
    """
    path = target.with_name(partial_name(target.name))
    try:
        yield path
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.replace(target)
    finally:
        path.unlink(missing_ok=True)
