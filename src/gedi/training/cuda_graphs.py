"""CUDA graphs: thousands of small kernels launched as one.

An iteration has a few thousand kernels, most of them in the steps of the chains, and a GPU waits
longer for their launches than it computes. A captured graph replays them without these waits.
"""

from collections.abc import Callable, Hashable
from typing import Any, Generic, ParamSpec, TypeVar

import torch
from torch import Generator, Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

__all__ = ["OneAhead", "Replayed"]

P = ParamSpec("P")
R = TypeVar("R")

_WARM = 3  # calls before a capture: libraries select kernels, optimizers allocate their moments


class Replayed(Generic[P, R]):
    """A function on a GPU that is captured as a CUDA graph, and replayed from then on.

    Tensors and floats among its arguments are copied to the memory that the graph reads. There is
    one graph for each combination of shapes and of the other arguments. Everything else that the
    function reads or changes must stay at its place in memory. The first calls run without a graph;
    every call runs the function exactly once. The next call overwrites the returned tensors.

    Args:
        function: a function that does not wait for the GPU.
        generator: the generator that it draws from.
        places: returns the memory addresses of what it depends on; if they change, the function is
            captured again.
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
        # All captures share one stream, because gradients remember the stream that computed them.
        self._stream = torch.cuda.Stream(generator.device)  # type: ignore[no-untyped-call]
        self._captures: dict[Hashable, _Capture] = {}
        self._known: Hashable = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function with these arguments."""
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
        # The first calls may have allocated tensors, such as the moments of an optimizer.
        if not capture.is_ready:
            self._known = self._places()
        return result


class _Capture:
    """One graph and the tensors that it reads."""

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
        """Compute without a graph, on the stream of the capture."""
        current = torch.cuda.current_stream(self._generator.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            result = compute(self._held)
        current.wait_stream(self._stream)
        return result


class OneAhead:
    """Lets a loop run at most one iteration ahead of the device.

    The device then never waits, and the clock of the loop agrees with that of the device. On a CPU
    this does nothing.
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
