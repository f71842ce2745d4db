"""What one iteration of GEDI spends its time on, for images at default settings.

    python benchmarks/step_shares.py [--cycles 5] [--threads 1] [--device cpu]

The training itself runs, of one network, all terms taking part, on random bytes: time hangs on
shapes, not on what the images show. A cycle is `sampler.every` iterations; the chains move in one
of them. The first cycle is not counted.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from common import missing, provenance, write
from gedi.assembly import Assembly, assemble
from gedi.data import Dataset
from gedi.defaults import resolve
from gedi.image_views import ImageViews
from gedi.sampling import Move
from gedi.settings import EncoderKind, EncoderSettings, RestartSettings, Settings
from gedi.training import train
from gedi.views import Neighbour, Split, View, VirtualAdversarial

POINTS = 2000
CASES: dict[str, tuple[tuple[int, int, int], EncoderKind]] = {
    "MNIST-like, conv": ((1, 28, 28), "conv"),
    "CIFAR-like, conv": ((3, 32, 32), "conv"),
    "CIFAR-like, resnet8": ((3, 32, 32), "resnet8"),
}
VIEWS: dict[type[Any], str] = {
    ImageViews: "image views",
    VirtualAdversarial: "adversarial views",
    Neighbour: "neighbours",
}
PARTS = (*VIEWS.values(), "chains", "gradient", "Adam and averaging", "rest")


class Watch:
    """Seconds by part of an iteration; a part lasts until the next is entered.

    Attributes:
        iterations: for each iteration that ended, its seconds by part.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.iterations: list[dict[str, float]] = []
        self._seconds = dict.fromkeys(PARTS, 0.0)
        self._part, self._since = "rest", time.perf_counter()

    def enter(self, part: str) -> None:
        """End the present part and begin another."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self._seconds[self._part] += now - self._since
        self._part, self._since = part, now

    def end(self) -> None:
        """End the iteration."""
        self.enter("rest")
        self.iterations.append(self._seconds)
        self._seconds = dict.fromkeys(PARTS, 0.0)

    def around(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, its time counted as that of the part."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            self.enter(part)
            result = call(*args, **kwargs)
            self.enter("rest")
            return result

        return timed

    def from_here(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, at whose start the part begins."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            self.enter(part)
            return call(*args, **kwargs)

        return timed


class Watched:
    """A sampler whose time is counted."""

    def __init__(self, sampler: Move, watch: Watch) -> None:
        self.sample: Callable[..., Tensor] = watch.around("chains", sampler.sample)


def random_images(name: str) -> Dataset:
    """Bytes in the shape of a case."""
    shape, _ = CASES[name]
    x = np.random.default_rng(0).integers(0, 256, (POINTS, int(np.prod(shape))), dtype=np.uint8)
    return Dataset(name, x, image_shape=shape, value_range=(0.0, 255.0))


def settings_of(name: str, device: torch.device) -> Settings:
    """Default settings, but for one network whose terms all take part from the start."""
    return Settings(
        n_clusters=10,
        encoder=EncoderSettings(kind=CASES[name][1]),
        restarts=RestartSettings(n=1, iterations=1, gen=True, warmup=0, ramp=0),
        device="cuda" if device.type == "cuda" else "cpu",
    )


def assembled(name: str, device: torch.device) -> Assembly:
    """The training of a case."""
    data = random_images(name)
    return assemble(data, resolve(settings_of(name, device), data), device)


def seconds(assembly: Assembly, n_cycles: int, device: torch.device) -> list[dict[str, float]]:
    """Seconds by part of each iteration of so many cycles; the chains move in the first of each."""
    watch = Watch(device)
    algorithm, state = assembly.algorithm, assembly.state()
    assert isinstance(algorithm.view, Split)
    views: list[View] = [
        watch.around(VIEWS[type(view)], view)  # type: ignore[misc]
        for view in algorithm.view.views
    ]
    watched = replace(
        algorithm, view=Split(views), method=watch.from_here("gradient", algorithm.method)
    )
    state.optimizer.register_step_pre_hook(lambda *_: watch.enter("Adam and averaging"))
    state.sampler = Watched(state.sampler, watch)  # type: ignore[assignment]

    def observe(*_: Any) -> bool:
        watch.end()
        return False

    fabric = Fabric(accelerator=device.type, devices=1)
    every = algorithm.gen_every
    train(fabric, state, assembly.data, watched, until=(n_cycles + 1) * every, observe=observe)
    return watch.iterations[every:]


def rows(iterations: list[dict[str, float]], every: int) -> dict[str, dict[str, float]]:
    """Median seconds by part where the chains move and where not, and the mean over a cycle."""
    kinds = {
        "move": iterations[::every],
        "no move": [each for i, each in enumerate(iterations) if i % every],
    }
    medians = {
        kind: {part: median(each[part] for each in found) for part in PARTS}
        for kind, found in kinds.items()
        if found
    }
    each = [medians["move"], *[medians.get("no move", {})] * (every - 1)]
    return medians | {"cycle": {part: fmean(one[part] for one in each) for part in PARTS}}


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--cycles", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    for name in options.cases:
        if not missing("step_shares", data=name, device=where):
            continue
        assembly = assembled(name, device)
        settings, every = asdict(assembly.settings), assembly.algorithm.gen_every
        found = rows(seconds(assembly, options.cycles, device), every)
        row = {
            "cycles": options.cycles,
            "every": every,
            "batch": settings["batch_size"],
            "seconds": found,
            "settings": {group: settings[group] for group in ("encoder", "sampler", "views")},
        }
        seed = assembly.settings.seed
        write("step_shares", {"data": name, "device": where, "seed": seed, **row, **provenance()})


if __name__ == "__main__":
    main()
