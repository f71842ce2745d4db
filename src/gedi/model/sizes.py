"""The size of a network: its parameters, and the values that it stores for each point.

They are counted on the network itself. A network built under `torch.device("meta")` has shapes but
no values, so counting takes no memory, however wide its layers are.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

__all__ = ["NetworkSize", "network_size"]

_POINTS = 2


class NetworkSize(NamedTuple):
    """The size of a network.

    Attributes:
        parameters: the number of parameters.
        kept: the number of values that are stored for the backward pass, for each point.
        passing: the number of values at the widest layer without a backward pass, for each point:
            its input, and its output before and after the activation.
    """

    parameters: int
    kept: int
    passing: int


def network_size(model: nn.Module, input_shape: tuple[int, ...]) -> NetworkSize:
    """The size of a network without members, measured by calling it.

    Args:
        model: maps points (n, d) to logits (n, c); on any device, including "meta".
        input_shape: the shape of one point, (d,) or (C, H, W).
    """
    parameters = list(model.parameters())
    device = parameters[0].device if parameters else torch.device("cpu")
    x = torch.zeros(_POINTS, math.prod(input_shape), device=device)
    with _widest_layer() as widest, _kept_storages() as kept:
        model(x)
    for known in (x, *parameters, *model.buffers()):
        kept.pop(id(known.untyped_storage()), None)
    return NetworkSize(
        sum(each.numel() for each in parameters),
        sum(tensor.numel() for tensor in kept.values()) // _POINTS,
        max(widest, default=0) // _POINTS,
    )


@contextmanager
def _kept_storages() -> Iterator[dict[int, Tensor]]:
    """Collect one tensor for each storage that autograd saves within the block."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept.setdefault(id(tensor.untyped_storage()), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield kept


@contextmanager
def _widest_layer() -> Iterator[list[int]]:
    """Collect the number of values at each layer with parameters that is called in the block."""
    sizes: list[int] = []

    def measure(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        is_leaf = (
            next(layer.children(), None) is None and next(layer.parameters(), None) is not None
        )
        if is_leaf and isinstance(output, Tensor):
            given = sum(each.numel() for each in inputs if isinstance(each, Tensor))
            sizes.append(given + 2 * output.numel())

    handle = register_module_forward_hook(measure)
    try:
        yield sizes
    finally:
        handle.remove()
