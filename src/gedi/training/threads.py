"""The surroundings of a computation: threads, gradients and the default type of numbers.

Operations of small networks take microseconds. Two threads then spend their time at barriers, and
on a busy machine a barrier lasts until the other work is done: trainings took up to fifty times as
long as with one thread. So small trainings use one.

A process that was forked has none of the threads of its parent, and an operation that is shared
among them would wait forever. So it uses one, too, unless it asks for more.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

__all__ = ["bounded_threads", "own_state"]

_WORTH_THREADS = 2**27  # multiplications in an iteration from which more threads are faster


def _one_thread() -> None:
    torch.set_num_threads(1)
    threadpool_limits(1)


if hasattr(os, "register_at_fork"):  # not on Windows, where no process is forked
    os.register_at_fork(after_in_child=_one_thread)


class _Bound:
    """One thread for as long as any computation asks for it, in any thread of the process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.before = 1

    def enter(self) -> None:
        with self.lock:
            if self.users == 0:
                self.before = torch.get_num_threads()
                self.limits = threadpool_limits(1)
            self.users += 1
        torch.set_num_threads(1)

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self.limits.restore_original_limits()
                torch.set_num_threads(self.before)


_BOUND = _Bound()


@contextmanager
def bounded_threads(multiplications: int) -> Iterator[None]:
    """Compute with one thread within, unless an iteration is large.

    Args:
        multiplications: the approximate number in an iteration: parameters times points times
            networks.
    """
    if multiplications >= _WORTH_THREADS:
        yield
        return
    _BOUND.enter()
    try:
        yield
    finally:
        _BOUND.leave()


@contextmanager
def own_state() -> Iterator[None]:
    """Compute with gradients and in float32 by default, whatever the caller has set.

    So a training also runs within `torch.no_grad()` and `torch.inference_mode()`, and after
    `torch.set_default_dtype(torch.float64)`.
    """
    before = torch.get_default_dtype()
    with torch.inference_mode(False), torch.enable_grad():
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(before)
