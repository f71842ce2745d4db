"""Output files that are never half written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gedi.errors import RunError
from gedi.files import beside

__all__ = ["writable"]


@contextmanager
def writable(target: str, *, suffix: str) -> Iterator[Path]:
    """A path beside the target, renamed to it when all went well.

    Raises:
        RunError: before anything is computed, if the target has another suffix or its folder does
            not exist.
    """
    path = Path(target)
    if path.suffix.lower() != suffix:
        raise RunError(f"{path}: expected a name that ends in {suffix}")
    if not path.parent.is_dir():
        raise RunError(f"{path}: the folder {path.parent} does not exist")
    with beside(path) as partial:
        yield partial
