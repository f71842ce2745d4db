"""Whether the agreement of neighbours separates groups from data without groups.

    python benchmarks/trust.py FOLDER [--sets stackoverflow ...] [--points 5000]

FOLDER holds what benchmarks/features.py wrote. GEDI clusters some points of each set, by its
defaults, into as many clusters as there are classes, a quarter and three times as many. It also
clusters data without groups: the same features, each in a random order of its own, and a Gaussian
cloud of the same mean and covariance. Labels only measure. Only missing cells run.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from common import missing, provenance, write
from gedi import GEDI
from gedi.evaluation.clustering import accuracy, ari
from gedi.evaluation.cohesion import cohesion
from groups import SETS, load

KINDS = ("as it is", "quarter of the clusters", "three times the clusters", "shuffled", "cloud")


def changed(x: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
    """The points, or points without groups that are like them, (n, d)."""
    rng = np.random.default_rng(0)
    if kind == "shuffled":
        return rng.permuted(x, axis=0)
    if kind == "cloud":
        cloud = rng.multivariate_normal(x.mean(0), np.cov(x.T), len(x), method="eigh")
        return cloud.astype(np.float32)
    return x


def cell(folder: Path, name: str, kind: str, n_points: int) -> dict[str, Any]:
    """One row of results."""
    x, y = load(folder, name)
    rows = np.random.default_rng(0).permutation(len(x))[:n_points]
    x, y = changed(x[rows], kind), np.unique(y[rows], return_inverse=True)[1]
    factor = {"quarter of the clusters": 0.25, "three times the clusters": 3}.get(kind, 1)
    c = max(2, round(factor * (int(y.max()) + 1)))
    found = GEDI(n_clusters=c, random_state=0).fit(x)
    network = found.model_.model
    z = network.encoder_input(found.model_.scaling(x))
    with torch.no_grad():
        measured = cohesion(network.encoder(z).double().numpy(), found.labels_, 0)
    assert measured is not None
    has_classes = kind not in ("shuffled", "cloud")
    return {
        "n": len(x),
        "c": c,
        "found": measured.found,
        "without groups": measured.without_groups,
        "excess": measured.excess,
        "gap": float(found.collapse_gap_),
        "ARI": float(ari(y, found.labels_)) if has_classes else None,
        "accuracy": float(accuracy(y, found.labels_)) if has_classes else None,
    }


def main() -> None:
    """Run the missing cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--points", type=int, default=5000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.sets:
        for kind in KINDS:
            if missing("trust", data=name, kind=kind):
                found = cell(options.folder, name, kind, options.points)
                write("trust", {"data": name, "kind": kind} | found | provenance())


if __name__ == "__main__":
    main()
