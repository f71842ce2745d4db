"""Output files that are never half written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gedi.errors import RunError
from gedi.files import beside

__all__ = ["checked_target", "writable"]


def checked_target(target: str, suffixes: Sequence[str]) -> Path:
    """The path of a file that is to be written.

    Raises:
        RunError: if it has another suffix or its folder does not exist.
    """
    path = Path(target)
    if path.suffix.lower() not in suffixes:
        raise RunError(f"{path}: expected a name that ends in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise RunError(f"{path}: the folder {path.parent} does not exist")
    return path


@contextmanager
def writable(target: str, *, suffix: str) -> Iterator[Path]:
    """A path beside the target, renamed to it when all went well.

    Raises:
        RunError: before anything is computed, if the target has another suffix or its folder does
            not exist.
    """
    with beside(checked_target(target, [suffix])) as partial:
        yield partial
