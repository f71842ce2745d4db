"""The lock of a run folder: one training at a time writes to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from gedi.errors import RunError

__all__ = ["LOCK", "only_writer"]

LOCK = ".lock"


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold the lock of a run folder, which is created if it does not exist.

    The system releases the lock when the process ends, however it ends.

    Raises:
        RunError: if another process holds it, or the folder cannot be written to.
    """
    lock = FileLock(path / LOCK)
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise RunError(
            f"{path}: another process is training in this folder: wait until it has ended, or "
            "choose another folder"
        ) from error
    except OSError as error:
        raise RunError(f"{path}: cannot be written to: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
