"""How well scores of an image model tell foils from held-out images.

    python benchmarks/image_outliers.py DATA MODELS [--minutes 3] [--seeds 2]

DATA holds folders of images: mnist, cifar10, cifar100 and svhn_unlabelled. Models are trained once,
by the defaults, and kept in MODELS. Scores are fitted to training images; foils only measure.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits
from torch import Generator, Tensor

import gedi
from common import missing, provenance, write
from gedi import GEDI
from gedi.evaluation.outliers import auroc
from gedi.model.image_outliers import pixel_statistics
from gedi.model.outlier_energy import OutlierEnergy
from gedi.sampling import evaluate
from gedi.training.trained import TrainedModel

Images = NDArray[np.uint8]
Statistics = dict[str, Tensor]  # of n images: E, |∇E|, residual, base, embedding, pixels
Score = Callable[[Statistics], Tensor]  # higher for outliers, (n,)

TRAIN = {"mnist": ("train", slice(0, 10_000)), "cifar10": ("test", slice(0, 4_000))}
HELD_OUT = {"mnist": ("test", slice(0, 2_000)), "cifar10": ("test", slice(4_000, 6_000))}
REFERENCE = 6_000  # training images to which scores are fitted, at most
PART = 500
BLUR = 1.5  # pixels


def images(data: Path, name: str, split: str, rows: slice) -> Images:
    """Images (n, C, H, W), bytes."""
    dataset = gedi.load(str(data / name), split=split)
    return np.asarray(dataset.x[rows]).reshape(-1, *(dataset.image_shape or ()))


def fitted(data: Path, name: str, file: Path, seed: int, minutes: float) -> TrainedModel:
    """The model of a data set, trained if it is not there."""
    if not file.exists():
        model = GEDI(10, max_time=60 * minutes, random_state=seed, device="cpu")
        model.fit(images(data, name, *TRAIN[name])).save(file)
    trained: TrainedModel = GEDI.load(file).model_
    return trained


def foils(data: Path, name: str, x: Images) -> dict[str, Images]:
    """Sets of outliers by name."""
    rng = np.random.default_rng(0)
    n, c, _, _ = x.shape
    colours = rng.integers(0, 256, (n, c, 1, 1), dtype=np.uint8)
    made = {
        "constant": np.broadcast_to(colours, x.shape).copy(),
        "uniform noise": rng.integers(0, 256, x.shape, dtype=np.uint8),
        "inverted": 255 - x,
        "blurred": gaussian_filter(x.astype(float), (0, 0, BLUR, BLUR)).round().astype(np.uint8),
    }
    if name == "mnist":
        return made | {"rotated": np.rot90(x, 1, (2, 3)).copy()}
    return made | {
        "SVHN": images(data, "svhn_unlabelled", "train", slice(None)),
        "CIFAR-100": images(data, "cifar100", "test", slice(0, 2_000)),
    }


def statistics(trained: TrainedModel, x: Images) -> Statistics:
    """What scores are computed from."""
    network, z = trained.model, trained.scaling(x.reshape(len(x), -1))
    parts: list[Statistics] = []
    for part in torch.split(z, PART):
        at = evaluate(network.energy, part)
        with torch.no_grad():
            features = network.embed(part)
            residual = network.read_out(features).logsumexp(-1)
        parts.append(
            {
                "energy": at.energy,
                "slope": at.gradient.norm(dim=1).log(),
                "residual": residual,
                "base": at.energy + residual,
                "embedding": features,
            }
        )
    found = {name: torch.cat([part[name] for part in parts]).double() for name in parts[0]}
    return found | {"pixels": z.reshape(x.shape).double()}


BLOCKS: dict[str, Callable[[Statistics], Tensor]] = {
    "embedding": lambda s: s["embedding"],
    "energy and slope": lambda s: torch.stack([s["energy"], s["slope"]], 1),
    "differences": lambda s: pixel_statistics(s["pixels"]),
}


def scores(train: Statistics) -> dict[str, Score]:
    """All candidates, fitted to training images."""

    def two_sided(name: str) -> Score:
        middle = train[name].median()
        return lambda s: (s[name] - middle).abs()

    def neighbours(*blocks: str) -> Score:
        def joined(s: Statistics) -> Tensor:
            return torch.cat([BLOCKS[block](s) for block in blocks], 1)

        energy, _ = OutlierEnergy.fit(joined(train), Generator().manual_seed(0))
        middle, high = energy.held_out.quantile(torch.tensor([0.5, 0.95]).double())
        return lambda s: (energy(joined(s)) - middle) / (high - middle)

    def total(*parts: Score) -> Score:
        return lambda s: torch.stack([part(s) for part in parts]).sum(0)

    embedding, energies, pixels = (neighbours(block) for block in BLOCKS)
    return {
        "-log p": lambda s: s["energy"],
        "|energy - median|": two_sided("energy"),
        "slope": lambda s: s["slope"],
        "|log slope - median|": two_sided("slope"),
        "ratio to the base": lambda s: -s["residual"],
        "|ratio to the base - median|": two_sided("residual"),
        "|base - median|": two_sided("base"),
        "neighbours: embedding": embedding,
        "neighbours: energy and slope": energies,
        "neighbours: differences": pixels,
        "neighbours: energy, slope and differences": neighbours("energy and slope", "differences"),
        "sum: embedding + energy and slope": total(embedding, energies),
        "sum: embedding + differences": total(embedding, pixels),
        "sum: energy and slope + differences": total(energies, pixels),
        "sum of all three": total(embedding, energies, pixels),
    }


def measure(data: Path, name: str, trained: TrainedModel) -> list[dict[str, Any]]:
    """A row for each score."""
    x = images(data, name, *HELD_OUT[name])
    train = statistics(trained, images(data, name, *TRAIN[name])[:REFERENCE])
    inside = statistics(trained, x)
    outside = {foil: statistics(trained, made) for foil, made in foils(data, name, x).items()}
    rows = []
    for label, score in scores(train).items():
        own = score(inside)
        found = {foil: auroc(own, score(s)) for foil, s in outside.items()}
        rows.append({"score": label, "AUROC": found, "least": min(found.values())})
    return rows


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for seed in range(options.seeds):
            for name in TRAIN:
                key = {"data": name, "seed": seed, "minutes": options.minutes}
                if missing("image_outliers", **key):
                    file = options.models / f"{name}-{seed}"
                    trained = fitted(options.data, name, file, seed, options.minutes)
                    for row in measure(options.data, name, trained):
                        write("image_outliers", key | row | provenance())


if __name__ == "__main__":
    main()
