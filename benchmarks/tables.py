"""Three tables that no default was chosen on, against k-means and a Gaussian mixture.

python benchmarks/tables.py --seeds 5 [--threads 2]
"""

import argparse

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_wine, make_blobs
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from common import measure, missing, write
from gedi.data.dataset import Dataset
from gedi.evaluation.clustering import accuracy, nmi
from gedi.experiments.provenance import hardware

SIZES = [1000, 500, 250, 150, 100]


def tables() -> list[Dataset]:
    """Wine, breast cancer, and unbalanced blobs in 20 dimensions."""
    wine, cancer = load_wine(), load_breast_cancer()
    blobs, labels = make_blobs(SIZES, n_features=20, cluster_std=2.0, random_state=0)
    raw = [
        ("wine", wine.data, wine.target),
        ("breast cancer", cancer.data, cancer.target),
        ("unbalanced blobs", blobs, labels),
    ]
    return [
        Dataset(name, x.astype(np.float32), y.astype(np.int64), tuple(map(str, np.unique(y))))
        for name, x, y in raw
    ]


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for table in tables():
        assert table.labels is not None
        c = len(table.class_names)
        shares = (np.bincount(table.labels) / len(table.labels)).tolist()
        x = StandardScaler().fit_transform(table.x)
        for seed in range(options.seeds):
            rivals = {
                "k-means": KMeans(c, n_init=10, random_state=seed),
                "Gaussian mixture": GaussianMixture(c, reg_covar=1e-3, random_state=seed),
            }
            for method, rival in rivals.items():
                if missing("tables", data=table.name, method=method, seed=seed):
                    found = rival.fit_predict(x)
                    row = {"data": table.name, "method": method, "seed": seed}
                    row |= {
                        "NMI": nmi(table.labels, found),
                        "accuracy": accuracy(table.labels, found),
                    }
                    write("tables", row | {"hardware": hardware()})
            priors = {
                "GEDI": None,
                "GEDI, prior given": shares,
                "GEDI, prior learned": "learned",
            }
            for method, prior in priors.items():
                if missing("tables", data=table.name, method=method, seed=seed):
                    row = measure(table, "GEDI", seed=seed, n_clusters=c, prior=prior)
                    write("tables", row | {"method": method})


if __name__ == "__main__":
    main()
