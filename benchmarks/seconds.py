"""Processor time of a whole fit by the defaults, next to k-means with ten starts.

    python benchmarks/seconds.py [--data wine moons circles mixture embeddings ...] [--seeds 3]
        [--print]

Every cell runs in a process of its own on one thread, after the libraries are imported. Time is
that of the whole `fit`: scaling, the choice of a partition and of a base, iterations, log Z and
predictions. A unit is the processor time of 100 products of two matrices of 1,024 x 1,024 float32
numbers in the same process. Labels measure only. Only missing cells run.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine, make_circles, make_moons
from sklearn.metrics import normalized_mutual_info_score
from threadpoolctl import threadpool_limits

from clustering import unit
from common import missing, provenance, write
from embeddings import Embeddings
from gedi import GEDI
from gedi.training.processes import load_libraries

Data = tuple[NDArray[Any], NDArray[Any], int]

__all__ = ["DATA"]


def mixture(n: int, d: int, c: int = 8) -> Data:
    """Gaussians of different shapes and sizes, half of which touch each other."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(c, 3.0))
    y = rng.choice(c, n, p=shares)
    centres = 2.0 * rng.normal(size=(c, d))
    roots = rng.normal(size=(c, d, d)) / np.sqrt(d)
    x = np.empty((n, d), np.float32)
    for k in range(c):
        rows = y == k
        x[rows] = centres[k] + rng.normal(size=(int(rows.sum()), d)) @ roots[k]
    return x, y, c


def wine() -> Data:
    """178 wines of three growers."""
    x, y = load_wine(return_X_y=True)
    return x, y, 3


def embeddings(n: int) -> Data:
    """Unit vectors as encoders of sentences give them, in 20 clusters of unequal sizes."""
    made = Embeddings(n=n)
    x, y = made.draw()
    return x, y, made.n_clusters


DATA: dict[str, Callable[[], Data]] = {
    "wine": wine,
    "moons": lambda: (*make_moons(1000, noise=0.05, random_state=0), 2),
    "circles": lambda: (*make_circles(1000, noise=0.05, factor=0.5, random_state=0), 2),
    "mixture 5,000 x 30": lambda: mixture(5_000, 30),
    "embeddings 20,000 x 384": lambda: embeddings(20_000),
    "embeddings 100,000 x 384": lambda: embeddings(100_000),
    "mixture 1,000,000 x 20": lambda: mixture(1_000_000, 20),
}


def measure(name: str, seed: int) -> dict[str, Any]:
    """The row of one cell."""
    x, y, c = DATA[name]()
    torch.set_num_threads(1)
    load_libraries("cpu", 1)  # that a first training would import
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        units = unit()
        found = {}
        for method, model in (
            ("GEDI", GEDI(c, random_state=seed)),
            ("k-means", KMeans(c, n_init=10, random_state=seed)),
        ):
            begin = time.process_time()
            labels = model.fit(x).labels_
            seconds = time.process_time() - begin
            agreement = normalized_mutual_info_score(y, labels)
            found[method] = {"seconds": round(seconds, 2), "NMI": round(agreement, 3)}
    return {"data": name, "seed": seed, "unit": round(units, 2), **found, **provenance()}


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cell", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--print", action="store_true", help="print the rows without storing them")
    options = parser.parse_args()
    if options.cell:
        print(json.dumps(measure(options.cell[0], int(options.cell[1]))))
        return
    for name in options.data:
        for seed in range(options.seeds):
            if options.print or missing("seconds", data=name, seed=seed):
                command = [sys.executable, __file__, "--cell", name, str(seed)]
                ran = subprocess.run(command, check=True, capture_output=True, text=True)
                row = json.loads(ran.stdout.splitlines()[-1])
                print(json.dumps(row)) if options.print else write("seconds", row)


if __name__ == "__main__":
    main()
