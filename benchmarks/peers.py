"""GEDI on the moons against other loops of joint energy training, on the same network.

    python benchmarks/peers.py [--threads 1] [--seeds 1] [--budget 60]

The peers are the textbook loop (`textbook.py`), and torchebm's persistent contrastive divergence
with its Langevin sampler, to whose loss INV and PRIOR are added as the textbook has them. All have
a network 2-100-100-2 with SiLU, batch 400, 10 Langevin steps and the same standardised points.

First, the time of an iteration, all in turn: GEDI by its defaults (steps tested by Metropolis, a
jump, three kinds of view), and plain (neither test nor jumps, one noisy view), which is what the
peers compute. Then whole trainings, up to where the clusters have an NMI of 0.99 and the density a
regret of 0.05 nats on held-out points; looking does not count, and who is not there within the
budget has not reached it. With one thread, time is the processor's on this process.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax
from torchebm.core import BaseModel
from torchebm.losses import ContrastiveDivergence
from torchebm.samplers import LangevinDynamics

from common import missing, provenance, write
from gedi.data import toy
from gedi.data.dataset import Dataset
from gedi.data.source import load
from gedi.evaluation.clustering import agreement
from gedi.model import energy_of_logits
from gedi.model.box import Box
from gedi.model.scaling import Scaling
from gedi.normalizer.grid import gridded_log_normalizer
from gedi.settings import RestartSettings, SamplerSettings, Settings, ViewSettings
from gedi.training.algorithm import TrainingState, train
from gedi.training.hooks import StopWhen
from gedi.training.operations import Tick, clock_of
from gedi.training.session import start
from textbook import textbook

N_STEPS, BATCH = 10, 400
GOAL = {"NMI": 0.99, "regret": 0.05}
HELD_OUT_SEED = 1_000_003
LOOK = 250  # iterations between looks at the quality

Look = Callable[[nn.Module, int], bool]
"""Called with the network and the iterations done; true ends the loop."""

DEFAULTS = Settings(device="cpu", restarts=RestartSettings(n=1), batch_size=BATCH)
WAYS = {
    "GEDI": replace(DEFAULTS, sampler=SamplerSettings(n_steps=N_STEPS)),
    "GEDI, plain": replace(
        DEFAULTS,
        sampler=SamplerSettings(
            n_steps=N_STEPS, metropolis=False, target_acceptance=None, boundary="clamp", jumps=0
        ),
        views=ViewSettings(noise=0.5, adversarial=0.0, neighbours=0),
    ),
}


class Energy(BaseModel):
    """The energy of a classifier, as torchebm has energies."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """E(x), (n, d) -> (n,)."""
        return energy_of_logits(self.net(x))


def torchebm(data: Tensor, look: Look, iterations: int) -> None:
    """Persistent contrastive divergence, with INV and PRIOR; torch's own random numbers."""
    net = nn.Sequential(
        nn.Linear(2, 100), nn.SiLU(), nn.Linear(100, 100), nn.SiLU(), nn.Linear(100, 2)
    )
    model = Energy(net)
    sampler = LangevinDynamics(model, step_size=0.005, noise_scale=1.0)
    loss = ContrastiveDivergence(
        model, sampler, k_steps=N_STEPS, persistent=True, buffer_size=10_000, init_steps=0
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for iteration in range(iterations):
        batch = data[torch.randint(len(data), (BATCH,))]
        contrast, _ = loss(batch)
        logits, views = net(batch), net(batch + 0.05 * torch.randn_like(batch))
        inv = (views.softmax(-1) * log_softmax(logits, -1)).sum(-1).mean()
        prior = logits.softmax(-1).mean(0).log().mean()
        optimizer.zero_grad()
        (contrast - inv - prior).backward()
        optimizer.step()
        if look(net, iteration + 1):
            return


def plain_loop(data: Tensor, look: Look, iterations: int) -> None:
    """The textbook loop."""
    textbook(data, iterations=iterations, n_steps=N_STEPS, batch_size=BATCH, look=look)


PEERS: dict[str, Callable[[Tensor, Look, int], None]] = {
    "textbook loop": plain_loop,
    "torchebm": torchebm,
}


def seconds_each(tick: Tick, n: int, run: Callable[[Look, int], None]) -> float:
    """Seconds of an iteration: so many are run, and as many before that do not count."""
    times: list[float] = []

    def look(_: nn.Module, iteration: int) -> bool:
        if iteration in (n, 2 * n):
            times.append(tick())
        return iteration == 2 * n

    run(look, 2 * n)
    return (times[1] - times[0]) / n


def gedi_iterations(data: Dataset, settings: Settings, look: Look, n: int) -> None:
    """Some iterations of GEDI, all terms taking part."""
    session = start(data, settings)

    def observe(state: TrainingState, *_: object) -> bool:
        return look(state.model, state.iteration)

    train(
        session.crew.fabric,
        session.state,
        session.parts.data,
        session.parts.algorithm,
        until=n,
        observe=observe,
    )


class Watcher:
    """Looks at the quality now and then, and at a clock that stands still meanwhile.

    Args:
        tick: the clock.
        held_out: points the network has not seen.
        scaling: of the training's points.
        budget: seconds.
    """

    def __init__(self, tick: Tick, held_out: Dataset, scaling: Scaling, budget: float) -> None:
        self.tick, self.held_out, self.budget = tick, held_out, budget
        self.x = scaling(held_out.x)
        self.true = toy.log_density(held_out.name, held_out.x)
        self.log_unit = float(scaling.scale.log().sum())
        self.box = Box.around(self.x, 0.3)
        self.start, self.looking = tick(), 0.0
        self.found: dict[str, Any] = {}

    def __call__(self, net: nn.Module, iteration: int) -> bool:
        """Whether to stop."""
        now = self.tick()
        seconds = now - self.start - self.looking
        if iteration % LOOK and seconds < self.budget:
            return False
        quality = self.quality(net)
        reached = quality["NMI"] >= GOAL["NMI"] and quality["regret"] <= GOAL["regret"]
        self.found = {"reached": reached, "seconds": seconds, "iterations": iteration} | quality
        self.looking += self.tick() - now
        return reached or seconds >= self.budget

    @torch.no_grad()
    def quality(self, net: nn.Module) -> dict[str, float]:
        """NMI and regret on the points held out; of a density that is no number, infinite."""
        labels = self.held_out.labels
        assert labels is not None
        logits = net(self.x)

        def energy(x: Tensor) -> Tensor:
            return energy_of_logits(net(x))

        log_z = gridded_log_normalizer(energy, self.box).value
        log_density = (-energy(self.x).double() - log_z).numpy() - self.log_unit
        return {
            "NMI": agreement(labels, logits.argmax(-1).numpy())["NMI"],
            "regret": float(np.nan_to_num((self.true - log_density).mean(), nan=np.inf)),
        }


def gedi_training(data: Dataset, seed: int, watcher: Watcher) -> None:
    """The whole training by its defaults, restarts and all; its average is looked at."""
    session = start(data, Settings(device="cpu", seed=seed))

    def asked() -> bool:
        state = session.state
        # Once the best of the restarts has been chosen.
        return not state.members and watcher(state.average, state.iteration)

    session.train([StopWhen(asked)])


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = load("moons", seed=0)
    scaling = Scaling.standardise(data.x)
    points = scaling(data.x)
    tick = clock_of(torch.device("cpu"), processor=options.threads == 1)
    clock = "processor" if options.threads == 1 else "wall"
    if missing("peers", kind="iteration", threads=options.threads):
        torch.manual_seed(0)
        runs: dict[str, Callable[[Look, int], None]] = {
            name: lambda look, n, s=settings: gedi_iterations(data, s, look, n)
            for name, settings in WAYS.items()
        } | {name: lambda look, n, p=peer: p(points, look, n) for name, peer in PEERS.items()}
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(options.repeats):
            for name, run in runs.items():
                times[name].append(seconds_each(tick, options.iterations, run))
        rows = {}
        for name, found in times.items():
            ratios = sorted(a / b for a, b in zip(found, times["textbook loop"], strict=True))
            rows[name] = {
                "ms": [1e3 * f(found) for f in (min, median, max)],
                "ratio": [ratios[0], median(ratios), ratios[-1]],
            }
        key = {"kind": "iteration", "threads": options.threads, "clock": clock}
        counts = {"iterations": options.iterations, "repeats": options.repeats}
        write("peers", {**key, **counts, "seed": 0, "loops": rows, **provenance()})
    for seed in range(options.seeds):
        held_out = load("moons", n_points=2000, seed=seed + HELD_OUT_SEED)
        for name in ("GEDI", *PEERS):
            key = {"kind": "training", "loop": name, "seed": seed, "threads": options.threads}
            if not missing("peers", **key):
                continue
            torch.manual_seed(seed)
            watcher = Watcher(tick, held_out, scaling, options.budget)
            if name == "GEDI":
                gedi_training(data, seed, watcher)
            else:
                PEERS[name](points, watcher, 10**9)
            row = {"clock": clock, "budget": options.budget, **watcher.found}
            write("peers", {**key, **row, **provenance()})


if __name__ == "__main__":
    main()
