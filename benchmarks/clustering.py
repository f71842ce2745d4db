"""Clusters of labelled tables without chains, next to k-means and a Gaussian mixture.

    python benchmarks/clustering.py FOLDER [--seeds 1] [--most-rows 10000]

FOLDER holds tables (.parquet) of a clustering benchmark: columns x0, x1, ... and labelings `label`,
`label1`, ..., in which 0 is noise and is not measured. Every method is given the number of clusters
of the first labeling; the best agreement with a labeling of as many clusters counts. Labels measure
only. Seconds are processor time of the whole fit on one thread. A unit of time is that of 100
products of two matrices of 1,024 x 1,024 numbers, in the same run.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from common import missing, provenance, write
from gedi import GEDI, Settings
from gedi.settings import SamplerSettings

Fit = Callable[[NDArray[np.float64], int, int], NDArray[np.integer]]


def gedi_without_chains(x: NDArray[np.float64], c: int, seed: int) -> NDArray[np.integer]:
    """The clusters of GEDI with draws of the base as negatives."""
    settings = Settings(sampler=SamplerSettings(kind="base"))
    return GEDI(c, random_state=seed, settings=settings).fit(x).labels_


def kmeans(x: NDArray[np.float64], c: int, seed: int) -> NDArray[np.integer]:
    """Those of k-means, the best of ten starts."""
    found: NDArray[np.integer] = KMeans(c, n_init=10, random_state=seed).fit_predict(x)
    return found


def mixture(x: NDArray[np.float64], c: int, seed: int) -> NDArray[np.integer]:
    """Those of a Gaussian mixture, the best of ten starts."""
    model = GaussianMixture(c, n_init=10, random_state=seed)
    found: NDArray[np.integer] = model.fit_predict(x)
    return found


METHODS: dict[str, Fit] = {
    "GEDI, sampler.kind base": gedi_without_chains,
    "k-means": kmeans,
    "Gaussian mixture": mixture,
}


def unit() -> float:
    """Processor seconds of 100 products of two 1024 x 1024 float32 matrices."""
    a = torch.ones(1024, 1024)
    begin = time.process_time()
    for _ in range(100):
        a @ a
    return time.process_time() - begin


def table(file: Path) -> tuple[NDArray[np.float64], list[NDArray[np.int64]]]:
    """The standardised columns, and the labelings with as many clusters as the first."""
    frame = pd.read_parquet(file)
    x = frame[[name for name in frame if str(name).startswith("x")]].to_numpy(np.float64)
    spread = x.std(0)
    x = (x - x.mean(0)) / np.where(spread > 0, spread, 1)
    labelings = [frame[name].to_numpy(np.int64) for name in frame if str(name).startswith("label")]
    c = labelings[0].max()
    return x, [labels for labels in labelings if labels.max() == c]


def agreement(labelings: list[NDArray[np.int64]], clusters: NDArray[np.integer]) -> float:
    """The best adjusted Rand index with a labeling, noise left out."""
    return max(
        float(adjusted_rand_score(labels[labels > 0], clusters[labels > 0])) for labels in labelings
    )


def measure(file: Path, method: str, seed: int) -> dict[str, Any]:
    """One fit, measured."""
    x, labelings = table(file)
    c = int(labelings[0].max())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begin = time.process_time()
        clusters = METHODS[method](x, c, seed)
        seconds = time.process_time() - begin
    return {
        "data": file.stem,
        "method": method,
        "seed": seed,
        "n": len(x),
        "d": x.shape[1],
        "clusters": c,
        "ARI": agreement(labelings, clusters),
        "seconds": round(seconds, 2),
        "unit": round(unit(), 2),
        **provenance(),
    }


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--most-rows", type=int, default=10_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for file in sorted(options.folder.glob("*.parquet")):
            if len(pd.read_parquet(file, columns=["label"])) > options.most_rows:
                continue
            for seed in range(options.seeds):
                for method in METHODS:
                    if missing("clustering", data=file.stem, method=method, seed=seed):
                        write("clustering", measure(file, method, seed))


if __name__ == "__main__":
    main()
