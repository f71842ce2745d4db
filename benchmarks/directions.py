"""Outlier scores of features by distances in columns, and by directions.

    python benchmarks/directions.py FOLDER [--sets stackoverflow ...] [--classes 4]

FOLDER holds what benchmarks/features.py wrote. Each of the first classes of a set in turn is the
norm: a reference of up to 400 of its points, scored on as many others and on 1,500 points of all
other classes, which are outliers. `standardised` sets have columns of mean 0 and deviation 1 over
the whole set. The outlier energy compares

columns             each column in its own deviation, by the L1 distance
directions, p       directions, with the length to the power p; 1 is the squared distance
default             what the library takes: directions, 0.25 where they are similar, or columns

Labels only measure. Only missing cells run.
"""

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits
from torch import Generator

from common import missing, provenance, write
from gedi.model import outlier_energy
from gedi.model.outlier_energy import OutlierEnergy
from gedi.model.scaling import Scaling
from groups import COARSE, MEANING, TEXTS, load

STANDARDISED, ALONE = ", standardised", ", meaning alone"
NAMES = (*TEXTS, *(f"{name}{ALONE}" for name in TEXTS), "cifar10", f"cifar100{COARSE}")
SETS = (*NAMES, f"stackoverflow{STANDARDISED}", f"cifar10{STANDARDISED}")
POWERS = {f"directions, {power}": float(power) for power in ("0", "0.1", "0.25", "0.5", "1")}
VARIANTS = ("columns", *POWERS, "default")
FITTED, OTHERS = 400, 1500

Rows = NDArray[np.float32]


def points(folder: Path, name: str) -> tuple[Rows, NDArray[np.int64]]:
    """The features of a set, (n, d), and its labels."""
    x, y = load(folder, name.removesuffix(STANDARDISED).removesuffix(ALONE))
    if name.endswith(ALONE):
        x = x[:, :MEANING]
    if name.endswith(STANDARDISED):
        x = (x - x.mean(0)) / np.maximum(x.std(0), 1e-9)
    return x, np.unique(y, return_inverse=True)[1]


def area(x: Rows, y: NDArray[np.int64], norm: int, variant: str) -> float:
    """The area under the curve with one class as the norm."""
    rng = np.random.default_rng(0)
    own = rng.permutation(np.flatnonzero(y == norm))[: 2 * FITTED]
    fitted, held = np.array_split(own, 2)
    scored = np.r_[held, rng.permutation(np.flatnonzero(y != norm))[:OTHERS]]
    scaling = Scaling.robust(x[fitted])
    # Directions are forced by limits that all rows keep.
    always: dict[str, Any] = {"_ALIKE": (-1.0, 2.0), "_LENGTH": POWERS.get(variant)}
    forced = patch.multiple(outlier_energy, **always) if variant in POWERS else nullcontext()
    origin = -scaling.shift / scaling.scale if variant in POWERS else scaling.origin
    with forced:
        energy, _ = OutlierEnergy.fit(
            scaling(x[fitted]),
            Generator().manual_seed(0),
            origin=None if variant == "columns" else origin,
        )
    return float(roc_auc_score(y[scored] != norm, energy(scaling(x[scored])).numpy()))


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--classes", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for name in options.sets:
            x, y = points(options.folder, name)
            for variant in VARIANTS:
                cell = {"data": name, "variant": variant, "classes": options.classes}
                if missing("directions", **cell):
                    areas = [area(x, y, norm, variant) for norm in range(options.classes)]
                    write("directions", {**cell, "AUROC": float(np.mean(areas)), **provenance()})


if __name__ == "__main__":
    main()
