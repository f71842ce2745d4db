"""Clusters of labelled tables without chains, next to other methods, and the choice in the pool.

    python benchmarks/clustering.py FOLDER [--seeds 1] [--most-rows 10000] [--methods ...]
    python benchmarks/clustering.py FOLDER --choice

FOLDER holds tables (.parquet) of a clustering benchmark: columns x0, x1, ... and labelings `label`,
`label1`, ..., in which 0 is noise and is not measured. Every method is given the number of clusters
of the first labeling; the best agreement with a labeling of as many clusters counts. Labels measure
only. Seconds are processor time of the whole fit on one thread. A unit of time is that of 100
products of two matrices of 1,024 x 1,024 numbers, in the same run.

HDBSCAN, which is not given the number of clusters, counts its noise as a cluster. DEC is that of
ClustPy (`pip install clustpy`, an own environment: it needs torchvision, which does not load next
to torch for CPUs, unless its operators are declared as they are here); it is measured on tables of
at most 1,000 rows, as it takes minutes on larger ones. Published figures are those of
`published.json` in the folder: labels that others found on the raw coordinates.

`--choice` measures the choice in the pool: the ARI of the chosen partition and of the best one in
the pool, and the ARI between two seeds.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans, SpectralClustering
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from common import missing, provenance, write
from gedi import GEDI, Settings
from gedi.partitions.choice import choose
from gedi.partitions.columns import comparable
from gedi.partitions.pool import Pool
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


def ward(x: NDArray[np.float64], c: int, seed: int) -> NDArray[np.integer]:
    """Those of Ward's method."""
    found: NDArray[np.integer] = AgglomerativeClustering(c).fit_predict(x)
    return found


def spectral(x: NDArray[np.float64], c: int, seed: int) -> NDArray[np.integer]:
    """Those of normalised cuts of the graph of ten neighbours."""
    model = SpectralClustering(c, affinity="nearest_neighbors", n_neighbors=10, random_state=seed)
    found: NDArray[np.integer] = model.fit_predict(x)
    return found


def hdbscan(x: NDArray[np.float64], c: int, seed: int) -> NDArray[np.integer]:
    """Those of HDBSCAN by its defaults, with its noise as a cluster."""
    found: NDArray[np.integer] = HDBSCAN(copy=True).fit_predict(x)
    return found


def dec(x: NDArray[np.float64], c: int, seed: int) -> NDArray[np.integer]:
    """Those of deep embedded clustering (Xie, Girshick, Farhadi, ICML 2016)."""
    # Otherwise torchvision, which is not used here, cannot be imported without CUDA.
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float threshold) -> Tensor")
    from clustpy.deep import DEC  # noqa: PLC0415 - not needed for the other methods

    found: NDArray[np.integer] = DEC(c, random_state=seed).fit(x).labels_
    return found


METHODS: dict[str, Fit] = {
    "GEDI, sampler.kind base": gedi_without_chains,
    "k-means": kmeans,
    "Gaussian mixture": mixture,
    "Ward": ward,
    "spectral": spectral,
    "HDBSCAN": hdbscan,
    "DEC (ClustPy)": dec,
}
USUAL = [name for name in METHODS if name != "DEC (ClustPy)"]
MOST_DEEP = 1000  # rows for which DEC takes less than a minute


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


def choice(file: Path, seeds: tuple[int, int] = (0, 1)) -> dict[str, Any]:
    """The chosen partition and the best of the pool, mean over two seeds."""
    x, labelings = table(file)
    c, z = int(labelings[0].max()), comparable(x)
    rows = np.arange(len(z))
    if len(z) > 3000:
        rows = np.sort(np.random.default_rng(0).choice(len(z), 3000, replace=False))
    z, labelings = z[rows], [labels[rows] for labels in labelings]
    chosen, best, labels = [], [], []
    for seed in seeds:
        pool = Pool(z, c, seed).candidates(c)
        picked = choose(z, pool, seed)
        labels.append(picked.labels)
        chosen.append(agreement(labelings, picked.labels))
        best.append(max(agreement(labelings, candidate.labels) for candidate in pool))
    return {
        "data": file.stem,
        "clusters": c,
        "ARI": float(np.mean(chosen)),
        "best": float(np.mean(best)),
        "right": int(np.sum(np.subtract(best, chosen) <= 0.02)),
        "seeds": len(seeds),
        "agreement": float(adjusted_rand_score(*labels)),
        **provenance(),
    }


def published(file: Path) -> None:
    """Store the figures that others published for one table."""
    known = json.loads(file.with_name("published.json").read_text(encoding="utf-8"))[file.stem]
    shape = {"n": known["n"], "d": known["d"], "clusters": known["clusters"]}
    for method, ari in known["published_ari"].items():
        name = f"published: {method}"
        if missing("clustering", data=file.stem, method=name):
            row = {"data": file.stem, "method": name, "seed": 0, **shape, "ARI": ari}
            write("clustering", {**row, "date": provenance()["date"]})


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--most-rows", type=int, default=10_000)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=USUAL)
    parser.add_argument("--choice", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for file in sorted(options.folder.glob("*.parquet")):
            n_rows = len(pd.read_parquet(file, columns=["label"]))
            if n_rows > options.most_rows:
                continue
            if options.choice:
                if missing("pool_choice", data=file.stem):
                    write("pool_choice", choice(file))
                continue
            published(file)
            for seed in range(options.seeds):
                for method in options.methods:
                    if method == "DEC (ClustPy)" and n_rows > MOST_DEEP:
                        continue
                    if missing("clustering", data=file.stem, method=method, seed=seed):
                        write("clustering", measure(file, method, seed))


if __name__ == "__main__":
    main()
