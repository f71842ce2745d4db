"""Outliers among features of photographs and of texts, next to detectors on the same features.

    python benchmarks/strays.py FOLDER [--tasks airplane texts ...] [--methods GEDI ...] [--seeds 1]

FOLDER holds what `features.py` writes: NAME.npy and NAME.labels.npy. Two tasks:

photographs   each class of CIFAR-10 in turn is the norm: fitted to a half of its photographs, and
              scored on the other half and on as many of each other class, which are outliers
texts         questions from Stack Overflow, with 2 % of texts of search_snippets among them; all
              rows are fitted and scored

Nobody sees the labels but the AUROC. Seconds are processor time of fit and scores on one thread.
"""

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from common import missing, provenance, write
from outliers import METHODS as OF_TABLES
from outliers import Detector, Rows

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
STRAYS = 0.02  # of the texts
Task = tuple[Rows, Rows, NDArray[np.int64]]  # fitted, scored, 1 for outliers


def cosine_neighbours(x: Rows, new: Rows, seed: int) -> Rows:
    """The mean distance to the five nearest other rows, all scaled to length 1."""
    z, at = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, new))
    distances = NearestNeighbors(n_neighbors=6).fit(z).kneighbors(at)[0]
    return (distances[:, 1:] if new is x else distances[:, :5]).mean(1)


METHODS: dict[str, Detector] = {
    "GEDI": OF_TABLES["GEDI"],
    "5 nearest neighbours, cosine": cosine_neighbours,
    "5 nearest neighbours": OF_TABLES["5 nearest neighbours"],
    "isolation forest": OF_TABLES["isolation forest"],
}


def features(folder: Path, name: str) -> tuple[Rows, NDArray[np.int64]]:
    """The features of a set, (n, d), and its labels, (n,)."""
    return np.load(folder / f"{name}.npy").astype(np.float64), np.load(
        folder / f"{name}.labels.npy"
    )


def photographs(folder: Path, norm: int, seed: int) -> Task:
    """One class as the norm."""
    x, labels = features(folder, "cifar10")
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(np.flatnonzero(labels == k)) for k in range(len(CLASSES))]
    fitted, held = np.array_split(rows[norm], 2)
    others = [some[: len(held)] for k, some in enumerate(rows) if k != norm]
    scored = np.concatenate([held, *others])
    return x[fitted], x[scored], (labels[scored] != norm).astype(np.int64)


def texts(folder: Path, seed: int) -> Task:
    """Questions with stray texts among them."""
    x, _ = features(folder, "stackoverflow")
    strays, _ = features(folder, "search_snippets")
    rng = np.random.default_rng(seed)
    n = round(STRAYS * len(x) / (1 - STRAYS))
    everything = np.concatenate([x, strays[rng.choice(len(strays), n, replace=False)]])
    return everything, everything, (np.arange(len(everything)) >= len(x)).astype(np.int64)


def measure(task: Task, method: str, seed: int) -> Iterator[dict[str, Any]]:
    """One method on one task; a row for each score."""
    fitted, scored, y = task
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = METHODS[method](fitted, scored, seed)
    seconds = time.process_time() - begin
    for name, scores in (found if isinstance(found, dict) else {method: found}).items():
        yield {
            "method": name,
            "seed": seed,
            "n": len(fitted),
            "d": fitted.shape[1],
            "outliers": int(y.sum()),
            "AUROC": float(roc_auc_score(y, scores)),
            "seconds": round(seconds, 2),
            **provenance(),
        }


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tasks", nargs="+", default=[*CLASSES, "texts"], help="classes, or texts")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for name in options.tasks:
            for seed in range(options.seeds):
                for method in options.methods:
                    data = name if name == "texts" else f"photographs, {name}"
                    if not missing("strays", data=data, method=method, seed=seed):
                        continue
                    if name == "texts":
                        task = texts(options.folder, seed)
                    else:
                        task = photographs(options.folder, CLASSES.index(name), seed)
                    for row in measure(task, method, seed):
                        write("strays", {"data": data, **row})


if __name__ == "__main__":
    main()
