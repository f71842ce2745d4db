"""The global random state for code that cannot draw from a passed generator."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor

__all__ = ["lent_random_state"]


@contextmanager
def lent_random_state(x: Tensor, generator: Generator) -> Iterator[None]:
    """Seed the global random state from a generator for the duration of a block.

    Afterwards the global states of the CPU and of the device of x are restored.

    Args:
        x: a tensor on the device that the code in the block works on.
        generator: determines the seed; it advances by one draw.
    """
    # From the generator's state: reading a number drawn on a GPU would synchronise with the device.
    seed = zlib.crc32(generator.get_state().numpy().tobytes())
    torch.rand((), device=generator.device, generator=generator)
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(seed)
        yield
