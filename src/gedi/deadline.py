"""A point in time by which work should end, and work on as many rows as there is time for."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

__all__ = ["Deadline", "growing"]

_STEP = 1.5  # the least factor by which more rows are worth another round


@dataclass(frozen=True)
class Deadline:
    """A point in time by which work should end; by default never.

    Work that can be short asks between its steps and keeps what it has. Nothing is interrupted.
    """

    at: float = math.inf

    @classmethod
    def after(cls, seconds: float | None, begun: float | None = None) -> Self:
        """The deadline that lies some seconds after the `time.perf_counter()` of a begin, or now.

        Args:
            seconds: None for no limit.
            begun: None means now.
        """
        if seconds is None:
            return cls()
        return cls((time.perf_counter() if begun is None else begun) + seconds)

    @property
    def is_set(self) -> bool:
        """Whether there is a limit."""
        return self.at < math.inf

    @property
    def left(self) -> float:
        """Seconds from now on, at least 0; infinite without a limit."""
        return max(0.0, self.at - time.perf_counter())

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return self.left == 0

    def affords(self, work: Callable[[], object], n: int) -> float:
        """How many units of work there is time for, by a trial of n of them; infinite if no limit.

        Args:
            work: does n units; not called without a limit.
            n: at least 1.
        """
        if not self.is_set:
            return math.inf
        begun = time.perf_counter()
        work()
        return n * self.left / max(time.perf_counter() - begun, 1e-9)

    def share(self, share: float) -> "Deadline":
        """An earlier deadline, after this share of the time that is left."""
        return Deadline.after(share * self.left) if self.is_set else self


def growing(rows: int, first: int, deadline: Deadline, *, power: float = 2.0) -> Iterator[int]:
    """Ascending numbers of rows, of which each is worked on before the next one is asked for.

    The next number is as large as the time allows if time grows with this power of the number.
    Without a limit it is all rows at once.
    """
    m = min(first, rows) if deadline.is_set else rows
    while True:
        begun = time.perf_counter()
        yield m
        took = max(time.perf_counter() - begun, 1e-9)
        more = int(min(float(rows), m * (deadline.left / took) ** (1 / power)))
        if m == rows or (more < _STEP * m and more < rows) or deadline.passed:
            return
        m = more
