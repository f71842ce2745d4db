"""How much a column of texts should weigh among the other columns of a table.

    python benchmarks/mixed.py FOLDER [--seeds 2] [--n 2000]

FOLDER holds stackoverflow.npy and stackoverflow.labels.npy, as benchmarks/features.py writes them.
The vectors of the texts become k principal axes, each of variance 1 like every other column; or
they are scaled, so that their total variance is v, that of v other columns. They are clustered
alone, with an informative number and category, and with an uninformative number and category, which
are drawn. Measured is the agreement with the 20 subjects of the texts. Then k-means on some axes of
few texts and two drawn numbers. Only missing cells run, on one thread; time is processor time.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from common import missing, provenance, write
from gedi import GEDI
from gedi.evaluation.clustering import accuracy, ari, nmi

WAYS = (*(f"{k} axes" for k in (8, 16, 32, 64)), *(f"variance {v}" for v in (8, 32)), "vectors")
BESIDE = ("nothing", "informative", "uninformative")
LEVELS = 4
FEW = {60: 3, 120: 4, 200: 5, 400: 10, 800: 20}  # texts, and their subjects
FEW_AXES = (3, 4, 6, 10, 16, 20, 32)


def text_block(vectors: NDArray[np.float64], way: str) -> NDArray[np.float64]:
    """The features (n, k) of vectors of texts (n, d)."""
    if way == "vectors":
        return vectors
    centred = vectors - vectors.mean(0)
    first, last = way.split()
    if last == "axes":
        found = PCA(int(first), svd_solver="randomized", random_state=0).fit_transform(vectors)
        return np.asarray(found / found.std(0))
    return np.asarray(centred * np.sqrt(int(last) / centred.var(0).sum()))


def other_columns(
    y: NDArray[np.int64], beside: str, rng: np.random.Generator
) -> NDArray[np.float64]:
    """A number and the levels of a category, standardised, (n, 1 + 4); none beside nothing."""
    if beside == "nothing":
        return np.empty((len(y), 0))
    level = rng.integers(LEVELS, size=len(y))
    number = rng.normal(size=len(y))
    if beside == "informative":  # three kinds of subject, and four areas, right four times in five
        number += 3.0 * (y % 3)
        level = np.where(rng.random(len(y)) < 0.8, y % LEVELS, level)
    columns = np.column_stack([number, level[:, None] == np.arange(LEVELS)]).astype(np.float64)
    return np.asarray((columns - columns.mean(0)) / columns.std(0))


def few_texts(vectors: NDArray[np.float16], labels: NDArray[np.int64], seeds: int) -> None:
    """ARI of k-means on some axes of few texts, and two numbers that are drawn."""
    for n, c in FEW.items():
        if not missing("mixed", kind="few", n=n):
            continue
        found: dict[int, list[float]] = {k: [] for k in FEW_AXES}
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            kinds = rng.permutation(20)[:c]
            rows = rng.permutation(np.flatnonzero(np.isin(labels, kinds)))[:n]
            y = np.unique(labels[rows], return_inverse=True)[1]
            drawn = rng.normal(size=(n, 2))
            for k, values in found.items():
                block = text_block(vectors[rows].astype(np.float64), f"{k} axes")
                means = KMeans(c, n_init=10, random_state=0)
                values.append(float(ari(y, means.fit_predict(np.hstack([block, drawn])))))
        middle = {str(k): float(np.mean(values)) for k, values in found.items()}
        key = {"kind": "few", "n": n, "c": c, "seeds": seeds}
        write("mixed", key | {"ARI": middle} | provenance())


def main() -> None:
    """Run the missing cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    vectors = np.load(options.folder / "stackoverflow.npy", mmap_mode="r")
    labels = np.load(options.folder / "stackoverflow.labels.npy")
    few_texts(vectors, labels, 6)
    for seed in range(options.seeds):
        rows = np.random.default_rng(seed).permutation(len(labels))[: options.n]
        y, x = labels[rows], vectors[rows].astype(np.float64)
        for way in options.ways:
            for beside in BESIDE:
                key = {
                    "kind": "mixed",
                    "texts as": way,
                    "beside": beside,
                    "seed": seed,
                    "n": options.n,
                }
                if not missing("mixed", **key):
                    continue
                others = other_columns(y, beside, np.random.default_rng(seed))
                table = np.hstack([text_block(x, way), others])
                began = time.process_time()
                with threadpool_limits(1), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = GEDI(n_clusters=20, random_state=seed).fit(table).labels_
                seconds = time.process_time() - began
                measures = {"accuracy": accuracy(y, found), "ARI": ari(y, found)}
                measures |= {"NMI": nmi(y, found)}
                own = {name: float(value) for name, value in measures.items()}
                write("mixed", key | own | {"seconds": seconds} | provenance())


if __name__ == "__main__":
    main()
