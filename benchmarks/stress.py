"""Trainings under settings good and bad: does every one of them end well?

    python benchmarks/stress.py [--runs 100] [--cost]

Each run draws its settings from its number, the seed: learning rate, Langevin steps, batch and data
set. GEDI is trained for 1,000 iterations with defaults for all else, but one network of 100 x 100
and no restarts, which could hide a failure; beside it the textbook loop of joint energy training
(see `textbook.py`) with the same network, learning rate, steps and batch. A run has ended well if
its energies are finite and sensible (means within 10,000 nats, samples within 20 nats of data) and
its collapse gap is better than at its start.

With --cost the cost of the guard is measured instead: iterations with and without it, in turn.
"""

import argparse
import math
import random
import statistics
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer

from common import missing, provenance, write
from gedi.data.dataset import Dataset
from gedi.data.source import load
from gedi.errors import DivergenceError
from gedi.objective import Terms
from gedi.settings import EncoderSettings, RestartSettings, SamplerSettings, Settings
from gedi.training.session import start
from textbook import textbook

ITERATIONS = 1000
LEARNING_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
STEPS = (1, 2, 5, 10, 20, 40)
BATCHES = (16, 32, 64, 128, 256, 512)
DATA = ("moons", "digits", "breast cancer")
MOST_ENERGY, MOST_CONTRAST = 1e4, 20.0


def drawn(number: int) -> dict[str, Any]:
    """The settings of a run."""
    chance = random.Random(number)
    return {
        "data": DATA[number % len(DATA)],
        "learning_rate": chance.choice(LEARNING_RATES),
        "n_steps": chance.choice(STEPS),
        "batch_size": chance.choice(BATCHES),
        "seed": number,
    }


def dataset(name: str) -> Dataset:
    """The data set of a name."""
    if name == "breast cancer":
        return Dataset(name, load_breast_cancer().data.astype(np.float32), n_classes=2)
    found = load(name, n_points=2000)
    # Digits as a table, as the textbook loop has them.
    return Dataset(name, found.x, n_classes=found.n_classes)


def ended_well(energy: float, samples: float, before: float, gap: float) -> dict[str, Any]:
    """How a run ended, and whether that is well."""
    finite = all(math.isfinite(value) for value in (energy, samples, gap))
    sensible = finite and abs(energy) <= MOST_ENERGY and abs(samples - energy) <= MOST_CONTRAST
    return {
        "energy": energy,
        "contrast": samples - energy,
        "gap before": before,
        "gap": gap,
        "finite": finite,
        "sensible": sensible,
        "better gap": finite and gap < before,
        "well": sensible and gap < before,
    }


def settings(run: dict[str, Any]) -> Settings:
    """GEDI's for a run."""
    return Settings(
        max_iter=ITERATIONS,
        learning_rate=run["learning_rate"],
        batch_size=run["batch_size"],
        seed=run["seed"],
        device="cpu",
        evaluate_every=ITERATIONS,
        encoder=EncoderSettings(hidden=[100, 100]),
        sampler=SamplerSettings(n_steps=run["n_steps"]),
        restarts=RestartSettings(n=1),
    )


def ours(run: dict[str, Any], data: Dataset) -> dict[str, Any]:
    """One training of GEDI."""
    session = start(data, settings(run))

    def measured() -> list[float]:
        state = session.state
        _, found = session.parts.monitor.measure(
            state.average, state.buffer.positions, state.log_prior
        )
        return [float(found[name]) for name in ("energy_data", "energy_samples", "gap")]

    before = measured()[-1]
    try:
        session.train()
    except DivergenceError:
        return ended_well(math.nan, math.nan, before, math.nan) | {"interventions": -1}
    energy, samples, gap = measured()
    done = [each.action for each in session.controller.guard.interventions]
    return ended_well(energy, samples, before, gap) | {"interventions": done}


def theirs(run: dict[str, Any], data: Dataset) -> dict[str, Any]:
    """One run of the textbook loop."""
    torch.manual_seed(run["seed"])
    x = torch.as_tensor(data.x, dtype=torch.float32)
    z = (x - x.mean(0)) / x.std(0).clamp_min(1e-6)
    ended = textbook(
        z,
        data.n_classes or 2,
        iterations=ITERATIONS,
        learning_rate=run["learning_rate"],
        n_steps=run["n_steps"],
        batch_size=run["batch_size"],
    )
    return ended_well(ended.energy_data, ended.energy_samples, ended.gap_before, ended.gap)


def cost(repeats: int = 5, iterations: int = 300) -> None:
    """Iterations of the toy network with the guard against those without, in turn."""
    data = dataset("moons")
    chosen = replace(
        Settings(max_iter=10**6, restarts=RestartSettings(n=1), device="cpu"), evaluate_every=10**6
    )
    ratios, guarded = [], []
    session = start(data, chosen)
    session.advance(until=50)
    guard = session.controller.guard
    idle = lambda state, terms: None  # noqa: E731

    def seconds(watch: Any) -> float:
        guard.watch = watch  # type: ignore[method-assign]
        begin = time.process_time()
        session.advance(until=session.state.iteration + iterations)
        return time.process_time() - begin

    watch = guard.watch
    for _ in range(repeats):
        without, with_guard = seconds(idle), seconds(watch)
        ratios.append(with_guard / without)
        guarded.append(1000 * with_guard / iterations)
    # The guard alone, which the noise of a shared machine hides less: some rounds of its checks.
    terms: list[Terms] = []
    session.controller.guard.watch = lambda state, found: terms.append(found)  # type: ignore
    session.advance(until=session.state.iteration + 1)
    state, begun = session.state, session.state.iteration
    begin = time.process_time()
    for state.iteration in range(begun, begun + 2000):
        watch(state, terms[0])
    alone = (time.process_time() - begin) / 2000
    write(
        "guard_cost",
        {
            "network": "100 x 100, batch 400, 4 Langevin steps",
            "iteration": round(statistics.median(guarded), 3),
            "ratio": [round(r, 4) for r in (min(ratios), statistics.median(ratios), max(ratios))],
            "alone": round(1000 * alone, 4),
            "share": round(1000 * alone / statistics.median(guarded), 4),
            "repeats": repeats,
            **provenance(),
        },
    )


def main() -> None:
    """Run what is missing, and store each run as it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--cost", action="store_true", help="measure the cost of the guard")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.cost:
        cost()
        return
    for number in range(options.runs):
        run = drawn(number)
        data = dataset(run["data"])
        for method, train in (("GEDI", ours), ("textbook loop", theirs)):
            if missing("stress", method=method, seed=number):
                start = time.perf_counter()
                found = train(run, data)
                seconds = round(time.perf_counter() - start, 1)
                write(
                    "stress", {"method": method, **run, **found, "seconds": seconds, **provenance()}
                )


if __name__ == "__main__":
    main()
