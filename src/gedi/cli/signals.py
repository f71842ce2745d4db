"""Stopping a training by a signal or at a deadline."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stoppable"]

_PATIENCE = 3.0  # seconds for the current iteration to end; schedulers kill soon after SIGTERM


@contextmanager
def stoppable(deadline: float) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C, SIGTERM or a deadline end a training.

    The training ends between two iterations, when its state can be saved. A second signal, or an
    iteration that takes more than 3 seconds to end, raises KeyboardInterrupt at once, and the last
    checkpoint remains.

    Args:
        deadline: time of `time.monotonic` at which to stop; infinite for never.

    Yields:
        A function that returns whether to stop. Call it after every iteration.
    """
    asked = False
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in numbers}

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE)

    def is_asked() -> bool:
        if asked:
            signal.setitimer(signal.ITIMER_REAL, 0)  # saving may take longer
        return asked or time.monotonic() > deadline

    for number in numbers:
        signal.signal(number, ask)
    try:
        yield is_asked
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
