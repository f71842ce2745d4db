"""From which of 16 restarts a training on features goes on, and what comes of it.

    python benchmarks/consensus.py FOLDER [--sets stackoverflow ...]

FOLDER holds what benchmarks/features.py wrote. GEDI, by its defaults with the number of classes,
goes on after half of its iterations from

best           the restart whose clusters neighbours share most (by modularity)
most agreed    the restart that agrees most with all others (by the mean adjusted Rand index)
consensus      the mean of the groups of clusters that the restarts share: the default

on each set as it is, and with classes of unequal sizes: of the classes in random order, the k-th of
c keeps 20^(-k / (c - 1)) of its points. `agreement` is the adjusted Rand index of the clusters of
two seeds, and `expected` what a fit states. Labels only measure. Only missing cells run.
"""

import argparse
from pathlib import Path
from typing import Any
from unittest.mock import PropertyMock, patch

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from common import missing, provenance, write
from gedi import GEDI
from gedi.evaluation.clustering import accuracy, ari, nmi
from gedi.partitions.choice import agreement
from gedi.training.plan import Plan
from gedi.training.session import Session
from groups import SETS, load

SIZES = ("equal", "unequal")
VARIANTS = ("best", "most agreed", "consensus")
SMALLEST = 20.0  # times as few points of the smallest class


def unequal(y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of the points that are kept of classes of unequal sizes."""
    rng, c = np.random.default_rng(0), int(y.max()) + 1
    shares = SMALLEST ** (-rng.permutation(c) / (c - 1))
    return np.flatnonzero(rng.random(len(y)) < shares[y])


def most_agreed(session: Session, candidates: Any) -> int:
    """The place of the restart that agrees most with all others."""
    with torch.no_grad():
        parts = [session.state.average.posterior(x[None]) for x in session._neighboured()]
    codes = torch.cat([part.argmax(-1) for part in parts], -1)
    return int(agreement(codes.numpy()).sum(1).argmax())


def fitted(variant: str, x: NDArray[np.float32], c: int, seed: int) -> GEDI:
    """A fit that goes on from the restart, or from the consensus, of this name."""
    model = GEDI(c, random_state=seed)
    if variant == "consensus":
        return model.fit(x)
    with patch.object(Plan, "seeks_consensus", PropertyMock(return_value=False)):
        if variant == "best":
            return model.fit(x)
        with patch.object(Session, "_best", most_agreed):
            return model.fit(x)


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS[:4]))
    options = parser.parse_args()
    torch.set_num_threads(1)
    cells = [
        {"data": name, "sizes": sizes, "variant": variant}
        for name in options.sets
        for sizes in SIZES
        for variant in VARIANTS
    ]
    with threadpool_limits(1):
        for cell in cells:
            if not missing("consensus", **cell):
                continue
            x, y = load(options.folder, cell["data"])
            kept = unequal(y) if cell["sizes"] == "unequal" else np.arange(len(y))
            x, y = x[kept], np.unique(y[kept], return_inverse=True)[1]
            c = int(y.max()) + 1
            found = [fitted(cell["variant"], x, c, seed) for seed in range(2)]
            for seed, own, other in zip(range(2), found, found[::-1], strict=True):
                row = {
                    **cell,
                    "seed": seed,
                    "n": len(y),
                    "accuracy": accuracy(y, own.labels_),
                    "NMI": nmi(y, own.labels_),
                    "ARI": ari(y, own.labels_),
                    "agreement": ari(own.labels_, other.labels_),
                    "expected": own.agreement_,
                }
                write("consensus", row | provenance())


if __name__ == "__main__":
    main()
