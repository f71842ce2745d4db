"""The global random state, lent to code of others that can draw from nothing else."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor

__all__ = ["lent_random_state"]


@contextmanager
def lent_random_state(x: Tensor, generator: Generator) -> Iterator[None]:
    """For code that draws from the global random state: one that our generator decides.

    Args:
        x: what the code works on; the states of the CPU and of its device are put back after.
        generator: moves on by one draw.
    """
    # Of the state, as a number that is drawn on a GPU would have to be waited for.
    seed = zlib.crc32(generator.get_state().numpy().tobytes())
    torch.rand((), device=generator.device, generator=generator)
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(seed)
        yield
