"""How many threads a training uses: one, where more would wait for each other longer than work.

Operations of small networks last microseconds. Two threads then spend their time at barriers, and
on a machine that does other work a barrier lasts as long as the other work does: trainings have
taken fifty times as long as with one thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

__all__ = ["bounded_threads"]

_WORTH_THREADS = 2**27  # multiplications in an iteration, from where on more threads pay


@contextmanager
def bounded_threads(multiplications: int) -> Iterator[None]:
    """Compute with one thread within, unless an iteration is large.

    Args:
        multiplications: in an iteration, about: parameters times points times networks.
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
