"""How large a network is: what it learns, and what it keeps for each point.

Counted on the network itself. Built under `torch.device("meta")` it has shapes and no numbers, so
that counting takes neither memory nor time, however wide its layers are.
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
        parameters: numbers that are learned.
        kept: numbers that a gradient keeps for each point.
        passing: numbers for each point at the widest layer, where no gradient is taken: its input,
            and its output before and after the activation.
    """

    parameters: int
    kept: int
    passing: int


def network_size(model: nn.Module, input_shape: tuple[int, ...]) -> NetworkSize:
    """The size of a network without members, found by calling it.

    Args:
        model: maps points (n, d) to logits (n, c); on any device, also on "meta".
        input_shape: of one point, (d,) or (C, H, W).
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
    """One tensor for each storage that is kept for the gradient of what is computed within."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept.setdefault(id(tensor.untyped_storage()), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield kept


@contextmanager
def _widest_layer() -> Iterator[list[int]]:
    """Numbers that pass through each layer with parameters that is called within."""
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
