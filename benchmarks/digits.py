"""scikit-learn's digits: GEDI, no gen and JEM on paired seeds, at equal iterations and equal time.

python benchmarks/digits.py --seeds 5 [--methods GEDI JEM "no gen"] [--threads 2]
"""

import argparse

import numpy as np
import torch

from common import METHODS, measure, missing, read, write
from gedi.data import load

PLENTY = 100_000


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
        times = [
            r["seconds"] for r in read("digits") if r["method"] == "GEDI" and r["seed"] == seed
        ]
        for method in options.methods:
            if (
                method != "GEDI"
                and times
                and missing("digits", method=method, seed=seed, budget="time")
            ):
                row = measure(
                    digits, method, seed=seed, max_time=times[0], max_iter=PLENTY, patience=PLENTY
                )
                write("digits", row | {"budget": "time"})
    if missing("digits", budget="held out"):
        order = np.random.default_rng(0).permutation(len(digits.x))
        row = measure(
            digits.subset(order[:1300]), "GEDI", held_out=digits.subset(order[1300:]), seed=0
        )
        write("digits", row | {"budget": "held out"})


if __name__ == "__main__":
    main()
