"""How a training on the command line is asked to stop, and does so in time."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stoppable"]

_PATIENCE = 3.0  # seconds that an iteration may take to end; schedulers kill soon after they ask


@contextmanager
def stoppable(deadline: float) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C, SIGTERM or the deadline (of `time.monotonic`) end a training.

    It ends between two iterations, where its state can be saved. A second signal, or an iteration
    that takes longer than schedulers wait, ends it at once: the last checkpoint stands.

    Yields:
        Whether it should end, to be asked after every iteration.
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
            signal.setitimer(signal.ITIMER_REAL, 0)  # what follows is the saving
        return asked or time.monotonic() > deadline

    for number in numbers:
        signal.signal(number, ask)
    try:
        yield is_asked
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
