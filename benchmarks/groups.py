"""Groups of texts and photographs from the features of pretrained networks, next to other methods.

    python benchmarks/groups.py FOLDER [--sets stackoverflow ...] [--seeds 3]
        [--methods GEDI "KMeans, best of 10" HDBSCAN "UMAP + HDBSCAN" EVoC]

FOLDER holds what benchmarks/features.py wrote: NAME.npy, (n, d), and NAME.labels.npy. Of texts,
GEDI and what is called "with words" get the vectors of the meaning and of the words, as they are by
default; "GEDI, meaning alone" and all others get those of the meaning. GEDI and k-means get the
number of classes c, EVoC about that number, and HDBSCAN the least size of a cluster, n / (10 c).
UMAP reduces to five dimensions by the cosine, as in BERTopic. Rows that a method calls noise are
measured as one more cluster, and again without them. Every cell runs in a process of its own on one
thread, after the libraries are imported and, for those that compile their functions, have seen
1,000 rows; time is processor time. Labels measure only. Only missing cells run. The last two
methods need the extra `bench`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN, KMeans
from threadpoolctl import threadpool_limits

from common import missing, provenance, write
from gedi import GEDI
from gedi.evaluation.clustering import accuracy, ari, nmi
from gedi.training.processes import load_libraries
from superclasses import superclasses

COARSE = ", superclasses"
TEXTS = ("stackoverflow", "search_snippets", "biomedical")
MEANING = 384  # columns of features of texts, before those of their words
SETS = (*TEXTS, "cifar10", "cifar100", f"cifar100{COARSE}")
ALONE, WITH_WORDS = ", meaning alone", ", with words"
OF_TEXTS = (f"GEDI{ALONE}", f"KMeans, best of 10{WITH_WORDS}")
METHODS = ("GEDI", "KMeans, best of 10", *OF_TEXTS, "HDBSCAN", "UMAP + HDBSCAN", "EVoC")
COMPILED = ("UMAP + HDBSCAN", "EVoC")


def load(folder: Path, name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The features of a set, (n, d), and its labels, (n,)."""
    file = name.removesuffix(COARSE)
    x = np.load(folder / f"{file}.npy").astype(np.float32)
    labels = np.load(folder / f"{file}.labels.npy")
    return x, labels if file == name else superclasses(labels)


def clusters(
    method: str, x: NDArray[np.float32], c: int, seed: int
) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """The clusters that a method finds, (n,), and what it says of them."""
    method = method.removesuffix(WITH_WORDS).removesuffix(ALONE)
    if method == "GEDI":
        found = GEDI(n_clusters=c, random_state=seed).fit(x)
        return found.labels_, {"gap": float(found.collapse_gap_)}
    if method == "KMeans, best of 10":
        return KMeans(c, n_init=10, random_state=seed).fit_predict(x), {}
    if method == "EVoC":
        from evoc import EVoC  # noqa: PLC0415 - an extra

        labels = EVoC(approx_n_clusters=c, random_state=seed).fit_predict(x)
    else:
        if method == "UMAP + HDBSCAN":
            from umap import UMAP  # noqa: PLC0415 - an extra

            x = UMAP(
                n_components=5, min_dist=0.0, metric="cosine", n_jobs=1, random_state=seed
            ).fit_transform(x)
        labels = HDBSCAN(min_cluster_size=max(5, len(x) // (10 * c)), copy=True).fit_predict(x)
    return np.asarray(labels), {"clusters found": int(labels.max() + 1)}


def cell(folder: Path, name: str, method: str, seed: int) -> dict[str, Any]:
    """One row of results."""
    torch.set_num_threads(1)
    load_libraries("cpu", 1)  # that a first training would import
    os.environ["NUMBA_NUM_THREADS"] = "1"
    x, y = load(folder, name)
    if name in TEXTS and method != "GEDI" and not method.endswith(WITH_WORDS):
        x = np.ascontiguousarray(x[:, :MEANING])
    y = np.unique(y, return_inverse=True)[1]
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if method in COMPILED:
            clusters(method, x[:1000], 5, seed)
        began = time.process_time()
        found, more = clusters(method, x, int(y.max()) + 1, seed)
        seconds = time.process_time() - began
    codes = np.unique(found, return_inverse=True)[1]
    measures = {"accuracy": accuracy(y, codes), "ARI": ari(y, codes), "NMI": nmi(y, codes)}
    if "clusters found" in more:
        kept = found >= 0
        measures["noise"] = 1 - kept.mean()
        if kept.any():
            measures["ARI without noise"] = ari(y[kept], found[kept])
    shape = {"n": len(x), "d": x.shape[1], "c": int(y.max()) + 1}
    return (
        shape | {key: float(value) for key, value in measures.items()} | more | {"seconds": seconds}
    )


def main() -> None:
    """Run the missing cells, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--cell", nargs=3, metavar=("SET", "METHOD", "SEED"), help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if options.cell:
        name, method, seed = options.cell
        print(json.dumps(cell(options.folder, name, method, int(seed))))
        return
    cells = [
        {"data": name, "method": method, "seed": seed}
        for name in options.sets
        for method in options.methods
        if name in TEXTS or method not in OF_TEXTS
        for seed in range(1 if method == "HDBSCAN" else options.seeds)
    ]
    for row in cells:
        if not missing("groups", **row):
            continue
        own = [row["data"], row["method"], str(row["seed"])]
        command = [sys.executable, __file__, str(options.folder), "--cell", *own]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = json.loads(out.splitlines()[-1])
        write("groups", row | found | provenance())


if __name__ == "__main__":
    main()
