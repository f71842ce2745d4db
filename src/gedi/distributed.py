"""What the processes of one training know together; where there is one, every function is idle.

Each process has points and chains of its own, equally many. A loss is that of them all: what it
takes means over is reduced here, so that its value is the same in every process. Gradients are to
be averaged over processes in the end, as DDP does. So backwards through a mean goes the mean of
the gradients that come: then the average is the gradient of the loss of the whole batch.

All functions wait for the other processes: all are to call them, in the same order. Flags, numbers
and objects are exchanged on the CPU, so that no device has to finish its work for them.
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
    """R, how many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The place of this process among them, from 0."""
    return dist.get_rank() if n_processes() > 1 else 0


def own_seed(seed: int) -> int:
    """A seed for this process alone: in the first the seed itself, in others drawn from it.

    Not a sum, as a generator on the CPU heeds the last 32 bits of its seed only.
    """
    if rank() == 0:
        return seed
    generator = torch.Generator().manual_seed(seed)
    return int(torch.randint(2**32, (rank(),), generator=generator)[-1])


def mean(x: Tensor) -> Tensor:
    """(1/R) Σ_r x_r over processes, (...) -> (...), with gradients; see the module."""
    if n_processes() == 1:
        return x
    total: Tensor = _Mean.apply(x)  # type: ignore[no-untyped-call]
    return total


def means(*values: Tensor) -> tuple[Tensor, ...]:
    """The mean of each of several values, in one exchange."""
    if n_processes() == 1:
        return values
    parts = mean(torch.cat([value.reshape(-1) for value in values]))
    split = torch.split(parts, [value.numel() for value in values])
    return tuple(part.view(value.shape) for part, value in zip(split, values, strict=True))


def log_mean_exp(x: Tensor) -> Tensor:
    """Log (1/R) Σ_r exp x_r over processes, (...) -> (...), with gradients."""
    if n_processes() == 1:
        return x
    largest = x.detach().clone()
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return largest + mean((x - largest).exp()).log()


def gathered(x: Tensor, dim: int) -> Tensor:
    """What all processes have, one after the other along a dimension; without gradients."""
    if n_processes() == 1:
        return x
    x = x.detach().contiguous()
    parts = [torch.empty_like(x) for _ in range(n_processes())]
    dist.all_gather(parts, x)
    return torch.cat(parts, dim)


def share_of(x: Tensor, dim: int) -> Tensor:
    """This process's part of what all have, the same size for each; what is over is left out."""
    if n_processes() == 1:
        return x
    n = x.shape[dim]
    size = max(1, n // n_processes())
    return x.narrow(dim, min(rank() * size, n - size), size).clone()


def anywhere(flag: bool) -> bool:
    """Whether the flag is up in any process."""
    return flag if n_processes() == 1 else most(float(flag)) > 0


def most(value: float) -> float:
    """The largest of the processes' numbers."""
    if n_processes() == 1:
        return value
    largest = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return float(largest)


def from_first(value: T) -> T:
    """The first process's value, in all of them."""
    if n_processes() == 1:
        return value
    box: list[Any] = [value]
    dist.broadcast_object_list(box, device=torch.device("cpu"))
    return box[0]  # type: ignore[no-any-return]


def agree(value: str, what: str) -> None:
    """Make sure that all processes have the same.

    Args:
        value: what is compared.
        what: its name, for the error.

    Raises:
        RunError: in all of them, if one differs from the first.
    """
    if n_processes() == 1:
        return
    other = int(most(rank() if from_first(value) != value else 0))
    if other:
        raise RunError(
            f"process {other} of {n_processes()} (counted from 0) has another {what} than the "
            "first: expected all processes to see the same files, with the same versions"
        )


def leave() -> None:
    """Let each process be on its own from here on."""
    if n_processes() > 1:
        dist.destroy_process_group()


class _Mean(torch.autograd.Function):
    """The mean over processes, of values and of gradients."""

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
