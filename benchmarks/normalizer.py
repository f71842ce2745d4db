"""Log Z by annealing on energies whose log Z is known: errors, and whether the bars are honest.

    python benchmarks/normalizer.py [--seeds 20] [--threads 1]

Settings are the defaults, with which a trained model of moderate size is measured as well.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Generator

from common import missing, provenance, write
from gedi.normalizer.annealing import annealed_log_normalizer
from gedi.sampling import likeliest_bandwidth
from known_energies import Case, banana, flat, gaussian, heavy_tails, shifted, three_modes

CASES: dict[str, tuple[Callable[[int], Case], tuple[int, ...]]] = {
    "Gaussian, condition number 100": (gaussian, (1, 10, 50)),
    "the same, shifted anchors": (shifted, (10, 50)),
    "three modes": (three_modes, (2, 10, 50)),
    "banana": (banana, (2, 20, 50)),
    "heavy tails": (heavy_tails, (1, 3, 10)),
    "flat, anchors in a corner": (flat, (1, 10, 50)),
}


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name, (make, dimensions) in CASES.items():
        for d in dimensions:
            energy, anchors, box, known = make(d)
            truth = float((box.high - box.low).log().sum()) if known is None else known
            bandwidth = likeliest_bandwidth(anchors)
            for seed in range(options.seeds):
                if not missing("normalizer", data=name, d=d, seed=seed):
                    continue
                start = time.perf_counter()
                got = annealed_log_normalizer(
                    energy, anchors, bandwidth, box, generator=Generator().manual_seed(seed)
                )
                row = {
                    "off": got.value - truth,
                    "error": got.error,
                    "ess": got.ess,
                    "trusted": got.trusted,
                    "seconds": round(time.perf_counter() - start, 2),
                }
                write("normalizer", {"data": name, "d": d, "seed": seed, **row, **provenance()})


if __name__ == "__main__":
    main()
