"""Means and other values over all processes of a training; with one process, nothing is exchanged.

Each process has its own points and chains, the same number of each. The loss is that of the whole
batch: its means are taken over all processes here, so that its value is the same in every process.
Gradients are averaged over processes at the end of the backward pass, as in DDP. The backward pass
of a mean therefore averages the incoming gradients, which makes the final average the gradient of
the loss of the whole batch.

All functions wait for the other processes, so every process must call them in the same order.
Flags, numbers and objects are exchanged on the CPU, so that no device has to finish its queue
first.
"""

from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from gedi.errors import RunError

__all__ = [
    "agree",
    "anywhere",
    "from_first",
    "gathered",
    "leave",
    "log_mean_exp",
    "mean",
    "means",
    "most",
    "n_processes",
    "own_seed",
    "rank",
    "share_of",
]

T = TypeVar("T")


def n_processes() -> int:
    """The number of processes that train together, R."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0 to R - 1."""
    return dist.get_rank() if n_processes() > 1 else 0


def own_seed(seed: int) -> int:
    """A seed for this process: the given seed in the first process, one drawn from it in others."""
    if rank() == 0:
        return seed
    # Not seed + rank: a generator on the CPU uses only the last 32 bits of its seed.
    generator = torch.Generator().manual_seed(seed)
    return int(torch.randint(2**32, (rank(),), generator=generator)[-1])


def mean(x: Tensor) -> Tensor:
    """The mean over processes, (1/R) Σ_r x_r, (...) -> (...), with gradients."""
    if n_processes() == 1:
        return x
    total: Tensor = _Mean.apply(x)  # type: ignore[no-untyped-call]
    return total


def means(*values: Tensor) -> tuple[Tensor, ...]:
    """The mean over processes of each of several values, in one exchange."""
    if n_processes() == 1:
        return values
    parts = mean(torch.cat([value.reshape(-1) for value in values]))
    split = torch.split(parts, [value.numel() for value in values])
    return tuple(part.view(value.shape) for part, value in zip(split, values, strict=True))


def log_mean_exp(x: Tensor) -> Tensor:
    """The logarithm of a mean over processes, log (1/R) Σ_r exp x_r, (...) -> (...).

    Gradients flow through it.
    """
    if n_processes() == 1:
        return x
    largest = x.detach().clone()
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return largest + mean((x - largest).exp()).log()


def gathered(x: Tensor, dim: int) -> Tensor:
    """The tensors of all processes, concatenated along a dimension, without gradients."""
    if n_processes() == 1:
        return x
    x = x.detach().contiguous()
    parts = [torch.empty_like(x) for _ in range(n_processes())]
    dist.all_gather(parts, x)
    return torch.cat(parts, dim)


def share_of(x: Tensor, dim: int) -> Tensor:
    """The part of a tensor that belongs to this process.

    All parts have the same size; a remainder at the end is dropped.
    """
    if n_processes() == 1:
        return x
    n = x.shape[dim]
    size = max(1, n // n_processes())
    return x.narrow(dim, min(rank() * size, n - size), size).clone()


def anywhere(flag: bool) -> bool:
    """Whether the flag is true in any process."""
    return flag if n_processes() == 1 else most(float(flag)) > 0


def most(value: float) -> float:
    """The largest of the numbers of all processes."""
    if n_processes() == 1:
        return value
    largest = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return float(largest)


def from_first(value: T) -> T:
    """The value of the first process, returned in every process."""
    if n_processes() == 1:
        return value
    box: list[Any] = [value]
    dist.broadcast_object_list(box, device=torch.device("cpu"))
    return box[0]  # type: ignore[no-any-return]


def agree(value: str, what: str) -> None:
    """Check that all processes have the same value.

    Raises:
        RunError: in every process, if the value of one process differs from that of the first.
    """
    if n_processes() == 1:
        return
    other = int(most(rank() if from_first(value) != value else 0))
    if other:
        raise RunError(
            f"process {other} of {n_processes()} (counted from 0) has another {what} than the "
            "first one: expected all processes to see the same files and the same versions"
        )


def leave() -> None:
    """End the process group; from here on each process works alone."""
    if n_processes() > 1:
        dist.destroy_process_group()


class _Mean(torch.autograd.Function):
    """The mean over processes, of values forwards and of gradients backwards."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _reduced(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _reduced(gradients[0])


def _reduced(x: Tensor) -> Tensor:
    total = x.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total.div_(n_processes())
