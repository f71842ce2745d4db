"""Outlier scores on labelled tables, next to those of the usual detectors.

    python benchmarks/outliers.py FOLDER [--seeds 2]

FOLDER holds tables (.npz) of an outlier benchmark: rows `X`, and `y`, 1 for outliers. Nobody sees
the labels but the AUROC. Each method is fitted to all rows and scores them, and is fitted to a
random half and scores the other, both ways. Seconds are processor time of fit and scores on one
thread. All methods have the settings below for all tables; but for GEDI and the isolation forest,
columns are standardised first.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import skew
from sklearn.covariance import MinCovDet
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from threadpoolctl import threadpool_limits

from common import missing, provenance, write
from gedi import GEDI

Rows = NDArray[np.float64]
Scores = dict[str, Rows]  # by method, higher for outliers
Detector = Callable[[Rows, Rows, int], Rows | Scores]


def gedi(x: Rows, new: Rows, seed: int) -> Scores:
    """The outlier scores of GEDI, and its log-density."""
    model = GEDI(8, random_state=seed).fit(x)  # the number does not change the scores
    return {"GEDI": -model.score_samples(new), "GEDI, log-density": -model.log_density(new)}


def isolation_forest(x: Rows, new: Rows, seed: int) -> Rows:
    """100 trees on 256 rows each."""
    return -IsolationForest(random_state=seed).fit(x).score_samples(new)


def neighbours(x: Rows, new: Rows, seed: int) -> Rows:
    """The distance to the fifth neighbour other than the row itself."""
    z, at = standardised(x, new)
    distances = NearestNeighbors(n_neighbors=6).fit(z).kneighbors(at)[0]
    return distances[:, 5 if new is x else 4]


def local_outlier_factor(x: Rows, new: Rows, seed: int) -> Rows:
    """With 20 neighbours."""
    z, at = standardised(x, new)
    if new is x:
        return -LocalOutlierFactor(20).fit(z).negative_outlier_factor_
    return -LocalOutlierFactor(20, novelty=True).fit(z).score_samples(at)


def robust_gaussian(x: Rows, new: Rows, seed: int) -> Rows:
    """The distance by the minimum covariance determinant."""
    z, at = standardised(x, new)
    return MinCovDet(random_state=seed).fit(z).mahalanobis(at)


def mixture(x: Rows, new: Rows, seed: int) -> Rows:
    """A Gaussian mixture of four components."""
    z, at = standardised(x, new)
    return -GaussianMixture(4, reg_covar=1e-3, random_state=seed).fit(z).score_samples(at)


def tails(x: Rows, new: Rows, seed: int) -> Rows:
    """ECOD, the largest sum of -log of empirical tails (Li et al., TKDE 2022)."""
    everything = x if new is x else np.concatenate([x, new])
    left = -np.log(ranks(everything, new))
    right = -np.log(ranks(-everything, -new))
    longer = np.where(skew(everything) < 0, left, right)
    return np.max([left.sum(1), right.sum(1), longer.sum(1)], axis=0)


METHODS: dict[str, Detector] = {
    "GEDI": gedi,
    "isolation forest": isolation_forest,
    "5 nearest neighbours": neighbours,
    "minimum covariance determinant": robust_gaussian,
    "ECOD": tails,
    "Gaussian mixture of 4": mixture,
    "local outlier factor": local_outlier_factor,
}


def standardised(x: Rows, new: Rows) -> tuple[Rows, Rows]:
    """Rows and new rows in standard deviations of the former from their mean."""
    mean, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 0, spread, 1)
    return (x - mean) / spread, (new - mean) / spread


def ranks(x: Rows, new: Rows) -> Rows:
    """The share of x at or below each value of new, column by column."""
    columns = zip(np.sort(x, 0).T, new.T, strict=True)
    return np.stack([np.searchsorted(own, at, "right") for own, at in columns], 1) / len(x)


def splits(n: int, seed: int, *, halves: bool) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Places of the rows to fit and to score."""
    if not halves:
        return [(np.arange(n), np.arange(n))]
    order = np.random.default_rng(seed).permutation(n)
    return [(order[: n // 2], order[n // 2 :]), (order[n // 2 :], order[: n // 2])]


def measure(file: Path, method: str, seed: int, *, halves: bool) -> list[dict[str, Any]]:
    """One method on one table; a row for each score."""
    with np.load(file) as arrays:
        x, y = arrays["X"].astype(np.float64), arrays["y"]
    aurocs: dict[str, list[float]] = {}
    begin = time.process_time()
    for fitted, scored in splits(len(x), seed, halves=halves):
        train = x[fitted]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = METHODS[method](train, x[scored] if halves else train, seed)
        for name, scores in (found if isinstance(found, dict) else {method: found}).items():
            if y[scored].any():
                aurocs.setdefault(name, []).append(float(roc_auc_score(y[scored], scores)))
    seconds = time.process_time() - begin
    return [
        {
            "data": file.stem,
            "method": name,
            "seed": seed,
            "halves": halves,
            "n": len(x),
            "d": x.shape[1],
            "outliers": int(y.sum()),
            "AUROC": float(np.mean(values)),
            "seconds": round(seconds, 2),
            **provenance(),
        }
        for name, values in aurocs.items()
    ]


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for halves in (False, True):
            for file in sorted(options.folder.glob("*.npz")):
                for seed in range(options.seeds):
                    for method in METHODS:
                        key = {"data": file.stem, "method": method, "seed": seed, "halves": halves}
                        if missing("outliers", **key):
                            for row in measure(file, method, seed, halves=halves):
                                write("outliers", row)


if __name__ == "__main__":
    main()
