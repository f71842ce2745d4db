"""Of several processes that run one command, one speaks."""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO

from rich.console import Console

from gedi.places import is_first

__all__ = ["notes_of_first"]


@contextmanager
def notes_of_first(devices: int, nodes: int) -> Iterator[Console]:
    """Keep what other processes than the first would write on standard error to themselves.

    Args:
        devices: processes on each machine.
        nodes: machines.

    Yields:
        The console for it.
    """
    if is_first(devices * nodes):
        yield Console(stderr=True)
        return
    with redirect_stderr(StringIO()):
        yield Console(stderr=True)
