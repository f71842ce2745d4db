"""Moons and circles: NMI and regret over seeds, all defaults.

python benchmarks/toys.py --seeds 20 [--data moons circles] [--threads 1]
"""

import argparse

import torch

from common import measure, missing, write
from gedi.data.source import load

HELD_OUT_SEED = 1_000_003


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--data", nargs="+", default=["moons", "circles"])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for seed in range(options.seeds):
        for name in options.data:
            if missing("toys", data=name, method="GEDI", seed=seed):
                held_out = load(name, n_points=2000, seed=seed + HELD_OUT_SEED)
                row = measure(load(name, seed=seed), "GEDI", held_out=held_out, seed=seed)
                write("toys", row)


if __name__ == "__main__":
    main()
