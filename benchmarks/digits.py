"""scikit-learn's digits: GEDI, no gen and JEM on paired seeds, at equal iterations and equal time.

    python benchmarks/digits.py --seeds 5 [--methods GEDI JEM "no gen"] [--threads 2]

Equal time is turned into iterations by the methods' paces, measured in turn in this process: wall
clocks on a shared machine do not compare runs that are minutes apart.
"""

import argparse
import time
from dataclasses import replace
from statistics import median

import numpy as np
import torch

from common import METHODS, measure, missing, settings_for, write
from gedi.data.dataset import Dataset
from gedi.data.source import load
from gedi.training.session import Session, start

ITERATIONS = 2000
CHOSEN_AT = 450


def pace(data: Dataset, n_iterations: int = 30, repeats: int = 3) -> dict[str, float]:
    """Seconds of an iteration of each method, and of the restarts; medians over repeats in turn."""
    sessions = {name: single(data, name) for name in METHODS}
    sessions["restarts"] = start(data, settings_for("no gen"))
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    for repeat in range(1, repeats + 1):
        for name, session in sessions.items():
            begin = time.perf_counter()
            session.advance(until=repeat * n_iterations)
            seconds[name].append((time.perf_counter() - begin) / n_iterations)
    return {name: median(values) for name, values in seconds.items()}


def single(data: Dataset, method: str) -> Session:
    """A session of one network in which all of the method's terms take part from the start."""
    settings = settings_for(method)
    restarts = replace(settings.restarts, n=1, gen=True)
    return start(data, replace(settings, restarts=restarts))


def equal_time(paces: dict[str, float]) -> dict[str, int]:
    """Iterations of each rival that take as long as GEDI's default training."""
    restarts = CHOSEN_AT * paces["restarts"]
    after = (ITERATIONS - CHOSEN_AT) * paces["GEDI"]
    return {
        "no gen": CHOSEN_AT + round(after / paces["no gen"]),
        "JEM": round((restarts + after) / paces["JEM"]),
    }


def main() -> None:
    """Fill the cells that are not there yet: equal iterations, equal time, and held out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    digits = load("digits")
    for seed in range(options.seeds):
        for method in options.methods:
            if missing("digits", method=method, seed=seed, budget="iterations"):
                row = measure(digits, method, seed=seed)
                write("digits", row | {"budget": "iterations"})
    if missing("digits", budget="held out"):
        order = np.random.default_rng(0).permutation(len(digits.x))
        row = measure(
            digits.subset(order[:1300]), "GEDI", held_out=digits.subset(order[1300:]), seed=0
        )
        write("digits", row | {"budget": "held out"})
    budgets = equal_time(pace(digits))
    for seed in range(options.seeds):
        for method in set(options.methods) & set(budgets):
            if missing("digits", method=method, seed=seed, budget="time"):
                row = measure(digits, method, seed=seed, max_iter=budgets[method])
                write("digits", row | {"budget": "time"})


if __name__ == "__main__":
    main()
