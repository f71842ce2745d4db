"""CUDA graphs: thousands of small kernels, launched as one.

An iteration is a few thousand kernels, most of them in the steps of the chains, and a GPU waits
for each to be launched longer than it computes. Captured once and replayed, they wait for nothing.
"""

from collections.abc import Callable, Hashable
from typing import Any, Generic, ParamSpec, TypeVar

import torch
from torch import Generator, Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

__all__ = ["OneAhead", "Replayed"]

P = ParamSpec("P")
R = TypeVar("R")

_WARM = 3  # calls before a capture: libraries choose their kernels, optimizers make their moments


class Replayed(Generic[P, R]):
    """A function on a GPU that is captured as a CUDA graph, and replayed from then on.

    Tensors among its arguments are copied to where the graph reads them, floats too, as tensors;
    by anything else, and by the shapes, graphs are told apart. All else that the function reads or
    changes has to stay where it is in memory. The first calls compute as usual: each call counts
    once, captured or not. What is returned is overwritten by the next call.

    Args:
        function: without waiting for the GPU.
        generator: that it draws from.
        places: where in memory what it depends on lies; where that changes, it is captured again.
    """

    def __init__(
        self,
        function: Callable[P, R],
        generator: Generator,
        places: Callable[[], Hashable] = lambda: None,
    ) -> None:
        self._function = function
        self._generator = generator
        self._places = places
        # One for all, as gradients remember on which they were computed.
        self._stream = torch.cuda.Stream(generator.device)  # type: ignore[no-untyped-call]
        self._captures: dict[Hashable, _Capture] = {}
        self._known: Hashable = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The function of these arguments."""
        leaves, structure = tree_flatten((args, kwargs))
        places = self._places()
        if places != self._known:
            self._captures.clear()
            self._known = places
        key = tuple(_kind(leaf) for leaf in leaves)
        if key not in self._captures:
            self._captures[key] = _Capture(leaves, self._generator, self._stream)
        capture = self._captures[key]

        def compute(held: list[Any]) -> R:
            own_args, own_kwargs = tree_unflatten(held, structure)
            return self._function(*own_args, **own_kwargs)

        result: R = capture(leaves, compute)
        # The first calls may have made what it depends on, such as the moments of an optimizer.
        if not capture.is_ready:
            self._known = self._places()
        return result


class _Capture:
    """One graph, with what it reads."""

    def __init__(self, leaves: list[Any], generator: Generator, stream: torch.cuda.Stream) -> None:
        self._generator = generator
        self._stream = stream
        self._held = [_holder(leaf, generator.device) for leaf in leaves]
        self._graph: torch.cuda.CUDAGraph | None = None
        self._calls = 0
        self._result: Any = None

    @property
    def is_ready(self) -> bool:
        return self._graph is not None

    def __call__(self, leaves: list[Any], compute: Callable[[list[Any]], Any]) -> Any:
        for held, leaf in zip(self._held, leaves, strict=True):
            if isinstance(leaf, Tensor):
                held.copy_(leaf)
            elif isinstance(leaf, float):
                held.fill_(leaf)
        if self._graph is None and self._calls < _WARM:
            self._calls += 1
            return self._warm(compute)
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            self._graph.register_generator_state(self._generator)
            with torch.cuda.graph(self._graph, stream=self._stream):
                self._result = compute(self._held)
        self._graph.replay()
        return self._result

    def _warm(self, compute: Callable[[list[Any]], Any]) -> Any:
        """As usual, but on the stream of the capture."""
        current = torch.cuda.current_stream(self._generator.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            result = compute(self._held)
        current.wait_stream(self._stream)
        return result


class OneAhead:
    """Lets a loop run one iteration ahead of the device, no further.

    So the device never waits, and the loop's clock tells the device's time. On a CPU nothing is
    ever ahead.

    Args:
        device: that computes.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._last: torch.cuda.Event | None = None

    def wait(self) -> None:
        """Wait for the end of the iteration before this one."""
        if self._device.type != "cuda":
            return
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        if self._last is not None:
            self._last.synchronize()
        self._last = event


def _kind(leaf: object) -> Hashable:
    if isinstance(leaf, Tensor):
        return tuple(leaf.shape), leaf.dtype
    return float if isinstance(leaf, float) else leaf


def _holder(leaf: object, device: torch.device) -> Any:
    if isinstance(leaf, Tensor):
        return torch.empty_like(leaf, memory_format=torch.contiguous_format)
    return torch.empty((), device=device) if isinstance(leaf, float) else leaf
