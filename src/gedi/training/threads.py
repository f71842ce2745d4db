"""The number of threads of a training: one, if more would wait longer than they work.

Operations of small networks take microseconds. Two threads then spend their time at barriers, and
on a busy machine a barrier lasts until the other work is done: trainings took up to fifty times as
long as with one thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

__all__ = ["bounded_threads"]

_WORTH_THREADS = 2**27  # multiplications in an iteration from which more threads are faster


@contextmanager
def bounded_threads(multiplications: int) -> Iterator[None]:
    """Compute with one thread within, unless an iteration is large.

    Args:
        multiplications: the approximate number in an iteration: parameters times points times
            networks.
    """
    before = torch.get_num_threads()
    if multiplications >= _WORTH_THREADS:
        yield
        return
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
