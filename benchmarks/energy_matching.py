"""Energies of images by matching a flow before chains move, against GEDI as it is by default.

    python benchmarks/energy_matching.py DATA FOLDER --variant "no gen" --seed 0

DATA is a folder of MNIST, FOLDER keeps the feature network and the models. All variants use the
preset `cpu` of `gedi reproduce` and the same processor time, whatever else the machine does. Each
cell becomes a row as soon as it is measured; cells that are there are not computed again.
"""

import argparse
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Generator

import gedi
from common import missing, provenance, write
from gedi.data.dataset import Dataset
from gedi.evaluation.features import FeatureNet, cached_feature_net
from gedi.evaluation.measures import (
    as_bytes,
    clustering_measures,
    detection_measures,
    generation_measures,
    outlier_sets,
)
from gedi.experiments.comparisons import Cell, Tree, settings_of
from gedi.settings import Settings
from gedi.training.session import Fit, start

VARIANTS: dict[str, tuple[str, Tree]] = {
    "no gen": ("GEDI no gen", {}),
    "GEDI": ("GEDI", {}),
    "JEM": ("JEM", {}),
}
N, ROUNDS = 2000, 20  # samples, images of each set of foils, and moves of each sample


def settings(variant: str, seed: int, train: Dataset, minutes: float) -> Settings:
    """The settings of a variant, without those that are chosen from the data."""
    method, changes = VARIANTS[variant]
    cell = Cell(method, "mnist", seed, "minutes", "cpu")
    return settings_of(cell, len(train.x), len(train.class_names), minutes, changes)


def feature_net(folder: Path, train: Dataset) -> FeatureNet:
    """The network in whose features samples are compared, trained once."""
    assert train.labels is not None and train.image_shape and train.value_range
    return cached_feature_net(
        folder / "features.safetensors",
        as_bytes(train.x, train.value_range),
        torch.from_numpy(train.labels),
        train.image_shape,
        generator=Generator().manual_seed(0),
    )


def measures(fit: Fit, test: Dataset, net: FeatureNet, seed: int) -> dict[str, Any]:
    """Clusters, samples and outliers of a training, on held-out images."""
    found: dict[str, Any] = {"clustering": clustering_measures(fit.trained, test)}
    if fit.settings.weights.gen:
        generator = Generator().manual_seed(seed)
        found["generation"] = generation_measures(
            fit.trained, test, net, n=N, n_steps=ROUNDS, generator=generator
        )
    outliers = outlier_sets(test, n=N, generator=Generator().manual_seed(seed))
    detected = detection_measures(fit.trained, test, outliers)
    found["AUROC"] = {
        score: {name: figures["AUROC"] for name, figures in sets.items()}
        for score, sets in detected.items()
    }
    return found


def main() -> None:
    """Train and measure the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--variant", choices=list(VARIANTS), nargs="+", default=list(VARIANTS))
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--minutes", type=float, default=6, help="of a processor, for each cell")
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, test = (gedi.load(str(options.data), split=split) for split in ("train", "test"))
    net = feature_net(options.folder, train)
    for seed in options.seed:
        for variant in options.variant:
            key = {"variant": variant, "seed": seed, "minutes": options.minutes}
            if not missing("energy_matching", **key):
                continue
            # The limit of the time counts what the processor spends on this training alone.
            with patch.object(time, "perf_counter", time.process_time):
                fit = start(train, settings(variant, seed, train, options.minutes)).run()
            write(
                "energy_matching",
                key
                | {
                    "iterations": fit.iterations,
                    "processor seconds": round(fit.seconds, 1),
                    "interventions": len(fit.interventions),
                    "collapse_gap": fit.collapse_gap,
                }
                | measures(fit, test, net, seed)
                | provenance(),
            )


if __name__ == "__main__":
    main()
