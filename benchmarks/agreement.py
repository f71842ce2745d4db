"""Agreement between seeds: the same table, the same defaults, five seeds.

    python benchmarks/agreement.py FOLDER [--seeds 5] [--most-rows 10000]

FOLDER is that of `clustering.py`. The agreement of a table is the mean adjusted Rand index over all
pairs of its fits; `expected` is what each of them states without labels. The number of clusters is
given, or found by each fit (`n_clusters="auto"`), in which case fits may find different numbers.
Labels measure only. Seconds are processor time of one fit on one thread.
"""

import argparse
import time
import warnings
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from clustering import agreement, table
from common import missing, provenance, write
from gedi import GEDI

NUMBERS = ("given", "found")


def fits(x: NDArray[np.float64], n_clusters: int | str, n_seeds: int) -> list[GEDI]:
    """Fits by the defaults, with seeds from 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [GEDI(n_clusters, random_state=seed).fit(x) for seed in range(n_seeds)]


def measure(file: Path, number: str, n_seeds: int) -> dict[str, Any]:
    """All fits of a table, measured."""
    x, labelings = table(file)
    c = int(labelings[0].max())
    begin = time.process_time()
    models = fits(x, c if number == "given" else "auto", n_seeds)
    seconds = (time.process_time() - begin) / n_seeds
    pairs = [adjusted_rand_score(a.labels_, b.labels_) for a, b in combinations(models, 2)]
    return {
        "data": file.stem,
        "number": number,
        "seeds": n_seeds,
        "n": len(x),
        "d": x.shape[1],
        "clusters": c,
        "found": [model.n_clusters_ for model in models],
        "agreement": float(np.mean(pairs)),
        "least": float(np.min(pairs)),
        "expected": [model.agreement_ for model in models],
        "ARI": [agreement(labelings, model.labels_) for model in models],
        "seconds": round(seconds, 2),
        **provenance(),
    }


def main() -> None:
    """Fill the cells that are not there yet, small tables first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--most-rows", type=int, default=10_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    n_rows = {
        file: len(pd.read_parquet(file, columns=["label"]))
        for file in sorted(options.folder.glob("*.parquet"))
    }
    with threadpool_limits(1):
        for number in NUMBERS:
            for file in sorted(n_rows, key=n_rows.__getitem__):
                key = {"data": file.stem, "number": number, "seeds": options.seeds}
                if n_rows[file] <= options.most_rows and missing("agreement", **key):
                    write("agreement", measure(file, number, options.seeds))


if __name__ == "__main__":
    main()
