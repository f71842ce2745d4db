"""How many clusters? Rules that choose the number for labelled tables, without labels.

    python benchmarks/how_many.py FOLDER [--seeds 1]
    python benchmarks/how_many.py FOLDER --features [--points 3000]
    python benchmarks/how_many.py --drawn

FOLDER is that of `clustering.py`. The rules are `n_clusters="auto"`; parts of it, namely the best
score of the pool alone, and the rule without separate parts of the data; and, of scikit-learn, the
silhouette of k-means on at most 1,000 rows, the BIC of Gaussian mixtures with full covariances, and
the number that HDBSCAN finds by its defaults. "Always 3" shows what is gained by chance, since most
of these tables have 2 to 4 clusters. Seconds are processor time on one thread; those of the parts
are in "auto".

With --drawn, tables are drawn from known laws (`drawn_tables.py`). With --features, FOLDER is that
of `features.py`, and the rules look at some of its points along their first 100 principal axes.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from clustering import agreement, table
from common import missing, provenance, write
from drawn_tables import drawn_tables
from gedi.partitions import number_of_clusters
from gedi.partitions.number import DOUBT
from groups import SETS, load

NUMBERS = range(2, 16)
AXES = 100

Floats = NDArray[np.float64]


def auto(
    x: Floats, labelings: list[NDArray[np.int64]] | None, seed: int
) -> Iterator[dict[str, Any]]:
    """The number that GEDI finds, and those of parts of the rule."""
    begin = time.process_time()
    found = number_of_clusters(x, seed)
    seconds = time.process_time() - begin
    yield {
        "rule": 'GEDI, n_clusters="auto"',
        "number": found.n_clusters,
        "clear": found.clear,
        "rivals": found.rivals,
        "gaussians": found.gaussians,
        **({} if labelings is None else {"ARI": agreement(labelings, found.labels)}),
        "seconds": round(seconds, 2),
    }
    scores = found.scores
    yield {"rule": "score of the pool alone", "number": max(scores, key=scores.__getitem__)}
    peak = found.gaussians
    credible = peak is not None and scores.get(peak, -DOUBT) > -DOUBT
    number = peak if credible else max(scores, key=scores.__getitem__)
    yield {"rule": "GEDI without separate parts", "number": number}


def silhouette(x: Floats, seed: int) -> int:
    """The number of means with the largest silhouette."""
    found = {
        c: silhouette_score(
            x,
            KMeans(c, n_init=5, random_state=seed).fit_predict(x),
            sample_size=min(len(x), 1000),
            random_state=seed,
        )
        for c in NUMBERS
    }
    return max(found, key=found.__getitem__)


def bic(x: Floats, seed: int) -> int:
    """The number of Gaussians with the least BIC."""
    found = {
        c: GaussianMixture(c, n_init=2, random_state=seed).fit(x).bic(x) for c in (1, *NUMBERS)
    }
    return min(found, key=found.__getitem__)


def hdbscan(x: Floats, seed: int) -> int:
    """The number of clusters of HDBSCAN, which needs no seed."""
    return int(HDBSCAN(copy=True).fit_predict(x).max()) + 1


RULES: dict[str, Callable[[Floats, int], int]] = {
    "silhouette of k-means": silhouette,
    "BIC of a Gaussian mixture": bic,
    "HDBSCAN": hdbscan,
    "always 3": lambda x, seed: 3,
}


FEATURE_RULES: dict[str, Callable[[Floats, int], int]] = {
    'GEDI, n_clusters="auto"': lambda z, seed: (
        number_of_clusters(z, seed, one_unit=True).n_clusters
    ),
    "the rule for tables": lambda z, seed: number_of_clusters(z, seed).n_clusters,
    "silhouette of k-means": silhouette,
    "HDBSCAN": hdbscan,
}


def of_features(folder: Path, name: str, n_points: int, seed: int) -> Iterator[dict[str, Any]]:
    """The numbers that rules find for some points of a set of features."""
    x, y = load(folder, name)
    rows = np.random.default_rng(seed).permutation(len(x))[:n_points]
    z = PCA(AXES, random_state=seed).fit_transform(x[rows]).astype(np.float64)
    for rule, number in FEATURE_RULES.items():
        begin = time.process_time()
        row = {"rule": rule, "number": number(z, seed), "n": len(z), "truth": len(np.unique(y))}
        yield {**row, "seconds": round(time.process_time() - begin, 2)}


def of_drawn() -> Iterator[dict[str, Any]]:
    """The numbers that rules find for tables from known laws, with one seed."""
    for drawn in drawn_tables():
        if not missing("how_many_drawn", data=drawn.name, rule="HDBSCAN"):
            continue
        x = (drawn.x - drawn.x.mean(0)) / drawn.x.std(0)
        others = {rule: RULES[rule] for rule in RULES if rule != "always 3"}
        for row in (
            *auto(x, None, 0),
            *({"rule": rule, "number": number(x, 0)} for rule, number in others.items()),
        ):
            yield {"data": drawn.name, "family": drawn.family, "truth": drawn.n_clusters, **row}


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--drawn", action="store_true")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--features", action="store_true")
    parser.add_argument("--points", type=int, default=3000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if (options.folder is None) != options.drawn:
        parser.error("expected FOLDER, or --drawn")
    with threadpool_limits(1):
        if options.drawn:
            for row in of_drawn():
                write("how_many_drawn", row | provenance())
            return
        for seed in range(options.seeds if options.features else 0):
            for name in SETS:
                if missing("how_many_features", data=name, seed=seed, rule="HDBSCAN"):
                    for row in of_features(options.folder, name, options.points, seed):
                        key = {"data": name, "seed": seed}
                        write("how_many_features", key | row | provenance())
        for seed in range(0 if options.features else options.seeds):
            for file in sorted(options.folder.glob("*.parquet")):
                if not missing("how_many", data=file.stem, seed=seed, rule="always 3"):
                    continue
                x, labelings = table(file)
                frame = pd.read_parquet(file)
                truth = [int(frame[name].max()) for name in frame if str(name).startswith("label")]
                key = {"data": file.stem, "seed": seed, "n": len(x), "truth": truth}
                for row in auto(x, labelings, seed):
                    write("how_many", {**key, **row, **provenance()})
                for rule, number in RULES.items():
                    begin = time.process_time()
                    row = {"rule": rule, "number": number(x, seed)}
                    row["seconds"] = round(time.process_time() - begin, 2)
                    write("how_many", {**key, **row, **provenance()})


if __name__ == "__main__":
    main()
