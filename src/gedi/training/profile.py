"""The time of each part of a training, compared with the time of its products alone.

A training runs for a few iterations as usual, and the clock is read where a part begins or ends.
After each cycle, the matrix products and convolutions of the parts run alone, at the same shapes
and with the same threads; their time is the floor of the part. The floor of chains and jumps is the
least time of evaluations of energy and gradient: the products of the network, and its activations
once forward and once backward.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from gedi.data.points import Points
from gedi.data.stream import Stream
from gedi.errors import SettingsError
from gedi.objective import Terms
from gedi.sampling import AnchoredJump, BaseDraws, Cycle, Energy, Move, evaluate
from gedi.training.algorithm import TrainingState, train
from gedi.training.ingredients import fresh_state
from gedi.training.operations import Recorder, Tick, Work, clock_of
from gedi.training.session import Session
from gedi.views import (
    FeatureDropout,
    GaussianNoise,
    Neighbour,
    Own,
    Positives,
    Split,
    VirtualAdversarial,
)
from gedi.views.images import ImageViews

__all__ = ["Part", "Profile", "Size", "profile"]

DRAWS = "draws of the base"
CHAINS, JUMPS, TERMS, UPDATE = "chains", "jumps", "terms and gradient", "Adam and averaging"
DATA, OVERHEAD, WHOLE = "data", "overhead", "iteration"
_VIEWS: dict[type[Any], str] = {
    GaussianNoise: "noisy views",
    FeatureDropout: "dropout views",
    ImageViews: "image views",
    VirtualAdversarial: "adversarial views",
    Neighbour: "neighbours",
    Positives: "positives",
    Own: "own views",
}
_ORDER = (CHAINS, DRAWS, JUMPS, TERMS, *_VIEWS.values(), UPDATE, DATA, OVERHEAD)
_PEAK = {"cpu": 1024, "cuda": 8192}  # size of the square matrices whose product gives the peak

Enter = Callable[[str], None]
"""A function that is called with the name of a part when it begins, which ends the last one."""


@dataclass(frozen=True)
class Part:
    """A part of an iteration; all figures are means over the iterations of a cycle.

    Attributes:
        seconds: the seconds of the part in each cycle.
        floor: the seconds of its products alone, after each cycle; empty without products.
        flops: the arithmetic operations of its matrix products and convolutions.
        bytes: the bytes of the inputs and outputs of its operations, as if there were no caches.
    """

    seconds: list[float]
    floor: list[float]
    flops: float
    bytes: float

    @property
    def ratios(self) -> list[float]:
        """The ratio of its time to its floor in each cycle."""
        return [a / b for a, b in zip(self.seconds, self.floor, strict=bool(self.floor))]


@dataclass(frozen=True)
class Size:
    """The bytes of an object, and the number of samples it holds; None for a network."""

    bytes: int
    samples: int | None = None


@dataclass(frozen=True)
class Profile:
    """The profile of a training.

    Attributes:
        parts: the parts of an iteration by name, and their sum, "iteration".
        sizes: the objects in memory, by name.
        cycle: the number of iterations in a cycle; the chains move in one of them.
        batch_size: the number of points in an iteration, for each network.
        members: the number of networks side by side.
        peak: the operations per second of a large matrix product, the fastest of several.
        threads: the number of CPU threads.
    """

    parts: dict[str, Part]
    sizes: dict[str, Size]
    cycle: int
    batch_size: int
    members: int
    peak: float
    threads: int


def profile(
    session: Session, *, cycles: int = 10, restarts: bool = False, processor: bool = False
) -> Profile:
    """Run a training for some cycles and measure its parts; the session cannot be used afterwards.

    Args:
        session: a fresh training.
        cycles: the number of measured cycles, after a first one that is not measured.
        restarts: whether to measure the restarts side by side instead of a single network.
        processor: whether to measure processor time instead of wall-clock time; it excludes the
            time of other processes and of waiting for a disk.

    Raises:
        SettingsError: for `restarts` with a single network, fewer than one cycle, processor time
            on a GPU, or a stream.
    """
    n = session.settings.restarts.n
    if isinstance(session.parts.batches, Stream):
        raise SettingsError(
            "streaming: expected data in memory, as the time of a stream depends on its disk"
        )
    if cycles < 1:
        raise SettingsError(f"cycles: expected at least 1, got {cycles}")
    if restarts and n == 1:
        raise SettingsError("several networks side by side: expected restarts.n above 1, got 1")
    if processor and session.crew.fabric.device.type != "cpu":
        raise SettingsError("the processor's time: expected device cpu, got cuda")
    members = (n,) if restarts else ()
    device, every = session.crew.fabric.device, session.parts.algorithm.gen_every
    works, sizes = _recorded(session, members)
    tick = clock_of(device, processor=processor)
    clock = _Clock(tick)
    dtype = torch.bfloat16 if session.settings.precision == "bf16-mixed" else torch.float32
    seconds: list[dict[str, float]] = []
    floors: list[dict[str, float]] = []
    peaks: list[float] = []

    def at_end(state: TrainingState, *_: object) -> bool:
        if state.iteration % every == 0:
            seconds.append(clock.taken())
            floors.append(_floors(works, tick))
            peaks.append(_peak(dtype, device, tick))
            clock.restart()
        return False

    _run(session, _begun(session, members), clock.enter, (cycles + 1) * every, observe=at_end)
    names = [name for name in _ORDER if name in works or any(name in each for each in seconds)]
    parts = {
        name: Part(
            [each.get(name, 0.0) / every for each in seconds[1:]],
            [each[name] / every for each in floors[1:] if name in each],
            works[name].flops / every if name in works else 0.0,
            works[name].bytes / every if name in works else 0.0,
        )
        for name in names
    }
    return Profile(
        parts={**parts, WHOLE: _whole(list(parts.values()))},
        sizes=sizes,
        cycle=every,
        batch_size=session.parts.algorithm.batch_size,
        members=n if restarts else 1,
        peak=max(peaks),
        threads=torch.get_num_threads(),
    )


def _whole(parts: list[Part]) -> Part:
    floors = [part.floor for part in parts if part.floor]
    return Part(
        [sum(each) for each in zip(*(part.seconds for part in parts), strict=True)],
        [sum(each) for each in zip(*floors, strict=True)],
        sum(part.flops for part in parts),
        sum(part.bytes for part in parts),
    )


def _begun(session: Session, members: tuple[int, ...]) -> TrainingState:
    """A fresh state at the start of a cycle in which all terms of this phase take part."""
    state = fresh_state(session.plan, session.parts, session.custom, members)
    schedule = session.parts.algorithm.schedule
    late = max(schedule.warmups) if members else session.settings.restarts.iterations
    begun, every = late + schedule.ramp, session.parts.algorithm.gen_every
    state.iteration = -(-begun // every) * every
    return state


def _run(
    session: Session,
    state: TrainingState,
    enter: Enter,
    n: int,
    *,
    observe: Callable[[TrainingState, Terms], bool],
    energy: Energy | None = None,
    **changes: Any,
) -> None:
    """Train for some iterations, and call `enter` where a part begins."""
    algorithm = replace(session.parts.algorithm, max_time=None, cuda_graph=False, **changes)
    given = algorithm.view.views if isinstance(algorithm.view, Split) else (algorithm.view,)
    watched = replace(
        algorithm,
        view=Split([_around(enter, _VIEWS.get(type(view), OVERHEAD), view) for view in given]),
        method=replace(algorithm.method, terms=_from_here(enter, TERMS, algorithm.method.terms)),
    )

    def ended(state: TrainingState, terms: Terms) -> bool:
        enter(OVERHEAD)
        return observe(state, terms)

    state.horizon = state.iteration + n + 1
    state.optimizer.register_step_pre_hook(lambda *_: enter(UPDATE))
    _watch(state.sampler, enter, energy)
    data = _WatchedPoints(session.parts.data, enter)
    train(
        session.crew.fabric,
        state,
        data,  # type: ignore[arg-type]
        watched,
        until=state.iteration + n,
        observe=ended,
    )


def _around(
    enter: Enter, part: str, call: Callable[..., Any], then: str = OVERHEAD
) -> Callable[..., Any]:
    """The same call as a part, followed by the part `then`."""

    def watched(*args: Any, **kwargs: Any) -> Any:
        enter(part)
        result = call(*args, **kwargs)
        enter(then)
        return result

    return watched


def _from_here(enter: Enter, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The same call, which begins a part."""

    def watched(*args: Any, **kwargs: Any) -> Any:
        enter(part)
        return call(*args, **kwargs)

    return watched


def _watch(sampler: Move, enter: Enter, energy: Energy | None) -> None:
    """Let a sampler be a part, and its jumps a separate one; it stays what it is."""
    part, drawn = _part_of(sampler), sampler.sample

    def sample(own: Energy, *args: Any, **kwargs: Any) -> Tensor:
        return drawn(energy or own, *args, **kwargs)

    for move in sampler.modules():
        if isinstance(move, AnchoredJump):
            move.step = _around(enter, JUMPS, move.step, part)  # type: ignore[method-assign]
    sampler.sample = _around(enter, part, sample)  # type: ignore[method-assign]


def _part_of(sampler: Move) -> str:
    """What drawing negatives is called."""
    return DRAWS if isinstance(sampler, BaseDraws) else CHAINS


class _WatchedPoints:
    """Points whose reading is a part."""

    def __init__(self, points: Points, enter: Enter) -> None:
        self.device = points.device
        self._length = len(points)
        self._rows = _around(enter, DATA, points.__getitem__)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Tensor) -> Tensor:
        rows: Tensor = self._rows(index)
        return rows


class _Clock:
    """A clock that adds up the seconds of each part."""

    def __init__(self, tick: Tick) -> None:
        self._tick = tick
        self.restart()

    def restart(self) -> None:
        """Start again from zero, in the part "overhead"."""
        self._seconds: dict[str, float] = {}
        self._part, self._since = OVERHEAD, self._tick()

    def enter(self, part: str) -> None:
        """End the current part and begin another."""
        since, self._since = self._since, self._tick()
        self._seconds[self._part] = self._seconds.get(self._part, 0.0) + self._since - since
        self._part = part

    def taken(self) -> dict[str, float]:
        """The seconds of each part since the start, without the current part."""
        return self._seconds


def _recorded(
    session: Session, members: tuple[int, ...]
) -> tuple[dict[str, Work], dict[str, Size]]:
    """The operations of a cycle by part, and the sizes of the objects in memory."""
    algorithm = session.parts.algorithm
    state = _begun(session, members)
    model, sampler, every = state.model, state.sampler, algorithm.gen_every
    activations = 0
    recorder = Recorder(OVERHEAD)
    evaluations: Counter[str] = Counter()

    def energy(x: Tensor) -> Tensor:
        evaluations[recorder.part] += 1
        return model.energy(x)

    def terms_of(*args: Any, **kwargs: Any) -> Terms:
        nonlocal activations
        with _kept(model) as kept:
            terms = algorithm.method.terms(*args, **kwargs)
        activations = max(activations, sum(kept.values()))
        return terms

    with recorder:
        _run(
            session,
            state,
            recorder.enter,
            every,
            observe=lambda *_: False,
            energy=energy,
            method=replace(algorithm.method, terms=terms_of),
        )
    works = {name: work for name, work in recorder.works.items() if work.bytes}
    n_chains = algorithm.batch_size
    if isinstance(sampler, Cycle):
        with Recorder(CHAINS) as once:
            evaluate(model.energy, state.buffer.positions[..., :n_chains, :])
        found = once.works[CHAINS]
        for name, times in evaluations.items():
            works[name].products = times * (found.products + found.activations)
    n_members = math.prod(members)
    points = session.parts.data
    sizes = {
        "data": Size(points.n_bytes, len(points)),
        "buffer": Size(_bytes([state.buffer.positions]), n_members * state.buffer.capacity),
        "network": Size(_bytes([*model.parameters(), *model.buffers()])),
        "average": Size(_bytes([*state.average.parameters(), *state.average.buffers()])),
        "Adam": Size(_bytes(tree_leaves(list(state.optimizer.state.values())))),
        "gradients": Size(_bytes([p.grad for p in model.parameters()])),
        "activations": Size(activations, n_members * n_chains),
    }
    return works, sizes


@contextmanager
def _kept(model: nn.Module) -> Iterator[dict[int, int]]:
    """The bytes that the computations within keep for their gradients, by memory address."""
    places = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in places:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield kept


def _bytes(values: Iterable[object]) -> int:
    return sum(value.nbytes for value in values if isinstance(value, Tensor))


def _floors(works: dict[str, Work], tick: Tick) -> dict[str, float]:
    return {name: work.floor(tick) for name, work in works.items() if work.products}


def _peak(dtype: torch.dtype, device: torch.device, tick: Tick) -> float:
    """The operations per second of a large matrix product at present."""
    n = _PEAK[device.type]
    a = torch.ones(n, n, dtype=dtype, device=device)
    start = tick()
    a @ a
    return 2 * n**3 / (tick() - start)
