"""Messages of the first process only, where several run one command."""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO

from rich.console import Console

from gedi.places import is_first

__all__ = ["notes_of_first"]


@contextmanager
def notes_of_first(devices: int, nodes: int) -> Iterator[Console]:
    """Discard what processes other than the first write to standard error.

    Yields:
        A console on standard error.
    """
    if is_first(devices * nodes):
        yield Console(stderr=True)
        return
    with redirect_stderr(StringIO()):
        yield Console(stderr=True)
