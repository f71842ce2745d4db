"""What is reached in the same time: variants of chains and starts on moons and circles.

    python benchmarks/fewer_steps.py [--seconds 10 20 40] [--seeds 0 1 2] [--jobs 1]

Each training has the same seconds of its processor's time; the learning rate falls as they run
out. The time to a quality is the least budget at which it is reached. `default` starts by score
matching, and chooses after 300 iterations; all others change one thing without it.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from multiprocessing import get_context
from typing import Any

import torch

from common import missing, provenance, write
from gedi.data.dataset import Dataset
from gedi.data.source import load
from gedi.report.findings import find
from gedi.settings import RestartSettings, SamplerSettings, Settings
from gedi.training.session import start

HELD_OUT_SEED = 1_000_003
FOREVER = 1_000_000

UNMATCHED = RestartSettings(iterations=600, score_matching=0)
STARTS = {
    "default": RestartSettings(),
    "300 iterations": replace(UNMATCHED, iterations=300),
    "3 networks": replace(UNMATCHED, n=3),
}
VARIANTS: dict[str, dict[str, Any]] = {
    "6 networks, 600 iterations": {},
    "2 steps": {"n_steps": 2},
    "10 steps": {"n_steps": 10},
    "chains move every 2nd": {"every": 2},
    "chains move every 5th": {"every": 5},
    "no preconditioning": {"precondition": False},
    "walls reflect": {"boundary": "reflect", "precondition": False},
    "fixed step": {"target_acceptance": None, "step_size": 0.005},
    "no Metropolis test": {
        "metropolis": False,
        "target_acceptance": None,
        "step_size": 0.005,
        "precondition": False,
        "boundary": "reflect",
    },
    "no jumps": {"jumps": 0},
    **{name: {} for name in STARTS},
}


def trained_for(data: str, variant: str, seconds: float, seed: int) -> dict[str, Any]:
    """Train for so many seconds, and measure on held-out data."""
    dataset: Dataset = load(data, seed=seed)
    settings = Settings(
        seed=seed,
        max_iter=FOREVER,
        patience=FOREVER,
        max_time=seconds,
        sampler=SamplerSettings(**VARIANTS[variant]),
        restarts=STARTS.get(variant, UNMATCHED),
        device="cpu",
    )
    fit = start(dataset, settings).run()
    held_out = load(data, n_points=2000, seed=seed + HELD_OUT_SEED)
    metrics = find(fit.trained, held_out, fit.settings).metrics
    return {
        "data": data,
        "variant": variant,
        "seconds": seconds,
        "seed": seed,
        "iterations": fit.iterations,
        "NMI": metrics["NMI"],
        "regret": metrics["regret"],
        **provenance(),
    }


def fill(cell: tuple[str, str, float, int]) -> None:
    """Train a cell that is not there yet."""
    torch.set_num_threads(1)
    time.perf_counter = time.process_time  # the clock of budgets, deaf to other work
    data, variant, seconds, seed = cell
    key = {"data": data, "variant": variant, "seconds": seconds, "seed": seed}
    if missing("fewer_steps", **key):
        write("fewer_steps", trained_for(*cell))


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 20.0, 40.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", nargs="+", default=["moons", "circles"])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    options = parser.parse_args()
    cells = product(options.seeds, options.seconds, options.data, options.variants)
    jobs = [(data, variant, seconds, seed) for seed, seconds, data, variant in cells]
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        list(pool.map(fill, jobs))


if __name__ == "__main__":
    main()
