"""What keeps GEN from running away: stabilisers from the literature, on MNIST and CIFAR-10.

    python benchmarks/stabilisers.py --data DATA [--iterations 400] [--only plain ...] [--seeds 1]

DATA is a set of images as `gedi train` takes it. GEDI with GEN from the start and the small
encoder, at the full learning rate, where contrastive divergence can run away; each variant changes
one thing. Contrast is the mean energy of chains less that of data, in nats; its size says how far
the chains are from the model's own samples.

    plain             nothing
    slow              a quarter of the learning rate, as is the default under GEN
    less noise        0.1 instead of 0.3 in the data
    falling noise     from 0.5 down to 0.3 along half a cosine, as noise levels in diffusion models
    cross-entropy     data told from chains by a logistic loss (Dual Adversarial Training), whose
                      pull on each point is bounded; above the base, so that zero lies between
    proximal          the drift of a step no longer than that of a typical Gaussian point (JEM++)
    energy penalty    0.01 (E(x)² + E(x')²) above the base (Du & Mordatch, NeurIPS 2019)
    held contrast     C - C² / 2L in place of the contrast C, L = sqrt(d), as is the default
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import softplus

from common import missing, provenance, write
from gedi.data.dataset import Dataset
from gedi.data.source import load
from gedi.evaluation.features import cached_feature_net
from gedi.evaluation.measures import (
    clustering_measures,
    detection_measures,
    generation_measures,
    outlier_sets,
    some_of,
)
from gedi.methods import gedi_terms
from gedi.model import EnergyClassifier, energy_of_logits
from gedi.model.smoothing import Smoothing
from gedi.objective import Terms
from gedi.settings import from_dict
from gedi.training.session import Session, start

NOISE, FIRST = 0.3, 0.5
PENALTY = 0.01
IMAGES = 500  # of each side of a comparison

Change = Callable[[Session], None]


def settings(seed: int, n_classes: int, iterations: int, **changes: Any) -> dict[str, Any]:
    """GEDI with GEN from the start, and one network."""
    sampler = changes.pop("sampler", {})
    return {
        "n_clusters": n_classes,
        "seed": seed,
        "max_iter": iterations,
        "patience": 10**9,
        "data_noise": NOISE,
        "gen_slowdown": 1.0,
        "weights": {"max_contrast": math.inf},
        "encoder": {"kind": "conv"},
        "restarts": {"n": 1, "gen": True, "warmup": 0},
        "sampler": sampler,
        **changes,
    }


def with_loss(session: Session, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Put another function of energies above the base in GEN's place.

    Args:
        session: changed in place.
        loss: energies of data and of chains, (n,) each, to GEN.
    """
    base = session.parts.base
    assert base is not None

    def terms(
        model: EnergyClassifier,
        x: Tensor,
        view: Tensor | None,
        negatives: Tensor | None,
        log_prior: Tensor,
        *,
        smoothed: Tensor | None = None,
        observed: None = None,
    ) -> Terms:
        plain = gedi_terms(model, x, view, None, log_prior)
        if negatives is None:
            return plain
        seen = x if smoothed is None else smoothed
        energies = [energy_of_logits(model(points)) + base(points) for points in (seen, negatives)]
        return plain._replace(gen=loss(*energies))

    put_in(session, method=terms)


def cross_entropy(session: Session) -> None:
    """-softplus(E) of data and -softplus(-E') of chains."""
    with_loss(session, lambda data, chains: -(softplus(data) + softplus(-chains)).mean())


def penalty(session: Session) -> None:
    """The contrast less a penalty on both energies."""
    with_loss(
        session,
        lambda data, chains: (
            (chains - data).mean() - PENALTY * (data.square() + chains.square()).mean()
        ),
    )


class FallingNoise:
    """Noise that falls from 0.5 to 0.3 over a training."""

    root = None

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def scale(self) -> float:
        """The noise at this moment."""
        share = min(1.0, self.session.parts.algorithm.progress(self.session.state))
        return NOISE + (FIRST - NOISE) * 0.5 * (1 + math.cos(math.pi * share))

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Points with noise."""
        return Smoothing(self.scale)(x, generator)

    def denoise(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The best guess of the points without it."""
        return Smoothing(self.scale).denoise(x, gradient)


def falling_noise(session: Session) -> None:
    """Let the noise fall over the training."""
    put_in(session, smoothing=FallingNoise(session))


def put_in(session: Session, **parts: Any) -> None:
    """Give a session another algorithm, where it is used."""
    algorithm = replace(session.parts.algorithm, **parts)
    session.parts = replace(session.parts, algorithm=algorithm)
    session.controller.algorithm = algorithm


def as_it_is(session: Session) -> None:
    """Change nothing."""


VARIANTS: dict[str, tuple[dict[str, Any], Change]] = {
    "plain": ({}, as_it_is),
    "slow": ({"gen_slowdown": 0.25}, as_it_is),
    "less noise": ({"data_noise": 0.1}, as_it_is),
    "falling noise": ({}, falling_noise),
    "cross-entropy": ({}, cross_entropy),
    "proximal": ({"sampler": {"max_gradient": "typical"}}, as_it_is),
    "energy penalty": ({}, penalty),
    "held contrast": ({"weights": {"max_contrast": "typical"}}, as_it_is),
}


def measured(
    name: str, train: Dataset, test: Dataset, iterations: int, features: Path, *, seed: int
) -> dict[str, Any]:
    """Train one variant and measure it."""
    changes, change = VARIANTS[name]
    # The length of a standard Gaussian point, and about what energies of points differ by.
    typical = math.sqrt(train.x.shape[1])
    changes = {
        group: dict.fromkeys(values, typical) if isinstance(values, dict) else values
        for group, values in changes.items()
    }
    tree = settings(seed, len(train.class_names), iterations, **changes)
    began = time.perf_counter()
    session = start(train, from_dict(tree))
    change(session)
    fit = session.run()
    seconds = time.perf_counter() - began
    trained = fit.trained
    generator = Generator().manual_seed(seed)
    assert train.labels is not None and train.image_shape is not None
    net = cached_feature_net(
        features,
        torch.from_numpy(train.x),
        torch.from_numpy(train.labels),
        train.image_shape,
        generator=Generator().manual_seed(0),
    )
    some = some_of(test, IMAGES, generator)
    outliers = outlier_sets(some, n=IMAGES, generator=generator)
    found = detection_measures(trained, some, outliers)["log density"]
    contrasts = [row["energy_samples"] - row["energy_data"] for row in fit.history]
    return {
        "contrast": contrasts[-1],
        "largest contrast": max(map(abs, contrasts)),
        "step size": fit.history[-1]["step_size"],
        "gap": fit.collapse_gap,
        **clustering_measures(trained, test),
        **generation_measures(trained, test, net, n=IMAGES, n_steps=10, generator=generator),
        "AUROC uniform noise": found["uniform noise"]["AUROC"],
        "AUROC constant": found["constant"]["AUROC"],
        "iterations": fit.iterations,
        "seconds": round(seconds, 1),
    }


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=list(VARIANTS))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    train, test = (load(options.data, split=split) for split in ("train", "test"))
    name = Path(options.data).stem
    features = Path("runs") / f"features-{name}.safetensors"
    features.parent.mkdir(exist_ok=True)
    for seed in range(options.seeds):
        for variant in options.only:
            key = {"data": name, "variant": variant, "seed": seed, "iterations": options.iterations}
            if missing("stabilisers", **key):
                row = measured(variant, train, test, options.iterations, features, seed=seed)
                write("stabilisers", key | row | provenance())


if __name__ == "__main__":
    main()
