"""Hooks watch a training.

    class Printer(Hook):
        def on_record(self, session, record):
            print(record["iteration"], record["gap"])

    session.train([Printer()])

They do not change it; only `gedi.training.controller` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gedi.training.session import Session

__all__ = ["Hook", "Record", "StopWhen"]

Record = dict[str, float]
"""A row of the history: `iteration`, `seconds`, terms, gap, energies and rates as numbers."""


class Hook:
    """Watches a training; each method does nothing unless a subclass overrides it."""

    def on_record(self, session: Session, record: Record) -> None:
        """Called with each new row of the history."""

    def on_iteration(self, session: Session) -> None:
        """Called after each iteration."""

    def stops(self) -> bool:
        """Whether the training should pause; called after each iteration."""
        return False


class StopWhen(Hook):
    """Pauses a training when a function returns True."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        self.asked = asked

    def stops(self) -> bool:
        """Whether the function returns True."""
        return self.asked()
