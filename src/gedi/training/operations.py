"""The operations of a computation: their arithmetic, their bytes, and the products alone.

Arithmetic follows torch.utils.flop_counter: it counts two operations for each multiplication and
addition of a matrix product or a convolution, and none for anything else. The bytes are those of
the inputs and outputs of each operation, once each, as if there were no cache; a view of a tensor
moves none.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry

__all__ = ["Recorder", "Tick", "Work", "clock_of"]

Tick = Callable[[], float]
"""A clock: seconds since an arbitrary time."""

_ACTIVATIONS = ("silu", "silu_backward")


@dataclass
class Work:
    """The recorded operations.

    Attributes:
        flops: the arithmetic operations of products and convolutions.
        bytes: the bytes of the inputs and outputs of all operations.
        products: the products and convolutions, as functions that repeat them.
        activations: the activations and their derivatives, as functions that repeat them.
    """

    flops: int = 0
    bytes: int = 0
    products: list[Callable[[], object]] = field(default_factory=list)
    activations: list[Callable[[], object]] = field(default_factory=list)

    @torch.no_grad()
    def floor(self, tick: Tick) -> float:
        """The seconds that the products alone take now, on tensors of the same shapes."""
        start = tick()
        for call in self.products:
            call()
        return tick() - start


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context that records every operation under the part that was entered last.

    Attributes:
        works: the recorded operations, by part.
        part: the part that was entered last.
    """

    def __init__(self, part: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.works: dict[str, Work] = {}
        self.part = part
        self._stand_ins: dict[Any, Tensor] = {}

    def enter(self, part: str) -> None:
        """Record the following operations under this part."""
        self.part = part

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Compute as usual, and record the operation."""
        named = dict(kwargs or {})
        result = func(*args, **named)
        work, packet = self.works.setdefault(self.part, Work()), func._overloadpacket
        if not func.is_view:
            work.bytes += sum(map(_bytes, tree_leaves((args, named, result))))
        name = packet.__name__
        if packet in flop_registry:
            work.flops += flop_registry[packet](*args, **named, out_val=result)
            work.products.append(self._again(func, name, args, named))
        elif name in _ACTIVATIONS:
            work.activations.append(self._again(func, name, args, named))
        return result

    def _again(
        self, func: Any, name: str, args: tuple[Any, ...], named: dict[str, Any]
    ) -> Callable[[], object]:
        """The same call on stand-ins of the present tensors, which are not kept."""
        # A call by its name in torch, where there is one, is a few microseconds faster.
        call = getattr(torch, name, func)
        own_args, own_named = tree_map_only(Tensor, self._stand_in, (args, named))
        return lambda: call(*own_args, **own_named)

    def _stand_in(self, like: Tensor) -> Tensor:
        key = (like.shape, like.stride(), like.dtype, like.device)
        if key not in self._stand_ins:
            # A dimension that repeats one number does so in the stand-in, too.
            shape = [1 if step == 0 else n for n, step in zip(*key[:2], strict=True)]
            made = torch.empty_strided(shape, like.stride(), dtype=like.dtype, device=like.device)
            # The values use no shared random numbers, and are neither tiny nor huge.
            count = torch.arange(made.numel(), device=like.device).remainder(7).reshape(shape)
            self._stand_ins[key] = made.copy_(0.1 * (count - 3)).expand(like.shape)
        return self._stand_ins[key]


def clock_of(device: torch.device, *, processor: bool = False) -> Tick:
    """A clock that waits until the device has finished its work."""
    if processor:
        return time.process_time
    if device.type != "cuda":
        return time.perf_counter

    def tick() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return tick


def _bytes(value: object) -> int:
    if not isinstance(value, Tensor):
        return 0
    # A dimension that repeats one number holds it once in memory.
    sizes = zip(value.shape, value.stride(), strict=True)
    return value.itemsize * math.prod(n for n, step in sizes if step != 0)
