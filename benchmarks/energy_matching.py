"""Energy matching and fewer chains for GEN of images, against GEDI as it is by default.

    python benchmarks/energy_matching.py DATA FOLDER [--variant "no gen" "GEDI"] [--seed 0 1]

Variants with 64 chains move so many of the 256 chains in an iteration with GEN.

DATA is a folder of MNIST; FOLDER keeps the feature network and the starts. All variants use the
preset `cpu` of `gedi reproduce` and the same processor time, whatever else the machine does. Those
of one seed share the restarts, in which GEN takes no part, until the best is chosen. Each cell
becomes a row as soon as it is measured; cells that are there are not computed again.

A flow carries draws of the base along straight lines to data, with draws and data paired so that
the lines of a batch are short. On a line the energy should fall towards its end,

    ∇E(x_t) = √d / s · (x_t - x_1) / |x_t - x_1|,   x_t = (1 - t) x_0 + t (x_1 + s ξ),

where ξ ~ N(0, I) and s is the noise in the data. The slope √d / s is that of the density of noisy
data at its usual distance s √d from the data, so for t = 1 this is denoising score matching.
In the source, the lines lead to data without noise and slopes are as long as the lines: Balcerak et
al., NeurIPS 2025, https://arxiv.org/abs/2504.10612.
"""

import argparse
import copy
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor, nn

import gedi
from common import missing, provenance, write
from gedi.data.dataset import Dataset
from gedi.deadline import Deadline
from gedi.evaluation.features import FeatureNet, cached_feature_net
from gedi.evaluation.generation import generation_report
from gedi.evaluation.measures import (
    as_bytes,
    clustering_measures,
    detection_measures,
    generation_measures,
    outlier_sets,
)
from gedi.experiments.comparisons import Cell, settings_of
from gedi.model import ResidualClassifier, weight_average
from gedi.model.convolutions import convolution, dense
from gedi.model.image_outliers import ImageOutlierEnergy
from gedi.objective import contrast, restrained
from gedi.sampling import Energy, Move, ReplayBuffer, evaluate
from gedi.settings import Settings
from gedi.training.hooks import StopWhen
from gedi.training.session import Session, start
from gedi.training.trained import TrainedModel

N, ROUNDS, FOILS = 1000, 5, 500  # samples, moves of each, and images of each set of foils
N_NOISE, ROUNDS_NOISE = 500, 10  # samples from chains that start in the base
CHAINS = 64  # in an iteration, instead of 256
MATCHED = 128  # points of the flow in an iteration
SETTLING = 10  # moves of all chains from the base, after matching
SHARED_WEIGHT = 0.3  # of matching, in units of the weight of GEN
LEARNING_RATES = 3e-3, 1e-3  # of the second network: matching, contrast
REGULARISED = 0.1  # weight of matching during the contrast of the second network


# Energy matching


class Flow(NamedTuple):
    """Points on lines from draws of the base to data, (n, d), and the slopes wanted there."""

    x: Tensor
    slope: Tensor


def paired(starts: Tensor, ends: Tensor) -> Tensor:
    """The starts (n, d) in the order with the least sum of squared distances to the ends (n, d)."""
    costs = torch.cdist(ends, starts).square().numpy()
    return starts[torch.from_numpy(linear_sum_assignment(costs)[1])]


def draw_flow(starts: Tensor, ends: Tensor, noise: float, generator: Generator) -> Flow:
    """Points of the flow (n, d), half of them at t = 1, for the others t is uniform."""
    xi = torch.randn(ends.shape, generator=generator, dtype=ends.dtype)
    t = (2 * torch.rand(len(ends), 1, generator=generator, dtype=ends.dtype)).clamp_max(1)
    x = torch.lerp(paired(starts, ends), ends + noise * xi, t)
    back = x - ends
    slope = math.sqrt(ends.shape[-1]) / noise
    return Flow(x, slope * back / back.norm(dim=-1, keepdim=True))


def matching_loss(energy: Energy, flow: Flow, noise: float) -> Tensor:
    """The loss s² / 2 E |∇E(x_t) - slope|², in nats."""
    x = flow.x.detach().requires_grad_(True)
    (found,) = torch.autograd.grad(energy(x).sum(), x, create_graph=True)
    return 0.5 * noise**2 * (found - flow.slope).square().sum(-1).mean()


# Variants; each takes the session of a chosen restart to the end of its time


def plain(session: Session) -> TrainedModel:
    """The training as it is."""
    session.train()
    return session.result().trained


def shared_head(session: Session, until: float = 0.7) -> TrainedModel:
    """Matching takes GEN's place at the full learning rate, then GEDI goes on with chains."""
    state, algorithm, g = session.state, session.parts.algorithm, session.state.generator
    data, seconds = session.parts.data, session.settings.max_time
    assert algorithm.rows is not None and seconds is not None
    weights = algorithm.weights._replace(gen=0.0)
    state.optimizer.param_groups[0]["lr"] = algorithm.learning_rate
    noise = algorithm.smoothing.scale
    began = time.process_time() - state.seconds
    while time.process_time() - began < until * seconds:
        index = algorithm.rows[
            torch.randint(len(algorithm.rows), (algorithm.batch_size,), generator=g)
        ]
        x = data[index]
        view = algorithm.view(x, posterior=state.model.posterior, generator=g, index=index)
        flow = draw_flow(state.buffer.start((MATCHED,), g), x[:MATCHED], noise, g)
        terms = algorithm.method.terms(state.model, x, view, None, state.log_prior)
        loss = terms.loss(weights) + SHARED_WEIGHT * algorithm.weights.gen * matching_loss(
            state.model.energy, flow, noise
        )
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        state.optimizer.step()
        weight_average(state.average, state.model, algorithm.average_decay)
        state.iteration += 1
    state.average.load_state_dict(state.model.state_dict())
    state.buffer.positions = settled(state.model.energy, state.sampler, state.buffer.positions, g)
    state.seconds = time.process_time() - began
    session.controller.guard.begin(state)
    return plain(session)


def settled(energy: Energy, sampler: Move, x: Tensor, generator: Generator) -> Tensor:
    """Chains after they have followed an energy that was matched without them."""
    chains = evaluate(energy, x)
    for _ in range(SETTLING):
        chains = sampler.step(energy, chains, generator)
    return chains.x


class Both(nn.Module):
    """The embeddings of the network that clusters and of one for the density alone."""

    def __init__(self, clusters: nn.Module, density: nn.Module) -> None:
        super().__init__()
        self.clusters, self.density, self.n_features = clusters, density, 512

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, 512)."""
        return torch.cat([self.clusters(x), self.density(x)], -1)


class Joined(ResidualClassifier):
    """A classifier with a residual that sees points as they are."""

    def encoder_input(self, x: Tensor) -> Tensor:
        """The points themselves."""
        return x


class Density(nn.Module):
    """The convolutions of the small encoder, with weights that keep the scale of activations."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Unflatten(-1, (1, 28, 28)),
            convolution(1, 32, 5, 2, generator=generator),
            nn.SiLU(),
            convolution(32, 64, 3, 2, generator=generator),
            nn.SiLU(),
            convolution(64, 64, 3, generator=generator),
            nn.SiLU(),
            nn.Flatten(),
            dense(64 * 49, 256, generator=generator),
            nn.SiLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, 784) -> (n, 256)."""
        features: Tensor = self.layers(x)
        return features


def second_network(session: Session, clustered: float = 0.65, matched: float = 0.8) -> TrainedModel:
    """INV and PRIOR first, then matching and contrast of a second network for the density."""
    seconds, g = session.settings.max_time, Generator().manual_seed(session.settings.seed)
    assert seconds is not None
    began = time.process_time() - session.state.seconds
    algorithm = session.parts.algorithm
    algorithm = replace(
        algorithm, weights=algorithm.weights._replace(gen=0.0), max_time=clustered * seconds
    )
    session.parts, session.deadline = replace(session.parts, algorithm=algorithm), Deadline()
    session.train()
    trained = session.result().trained
    base, data, noise = trained.model.base, session.parts.data, session.settings.data_noise
    smoothing, rows = trained.smoothing, algorithm.rows
    assert rows is not None
    network = nn.Sequential(Density(g), nn.Linear(256, 1))
    for value in network[1].parameters():
        nn.init.zeros_(value)
    average = copy.deepcopy(network).requires_grad_(False)
    sampler = copy.deepcopy(session.state.sampler).train()
    optimizer = torch.optim.Adam(network.parameters())
    chains: Tensor | None = None
    i = 0

    def energy(x: Tensor) -> Tensor:
        return -base(x) - network(x)[..., 0]

    while (spent := (time.process_time() - began) / seconds) < 1:
        x = data[rows[torch.randint(len(rows), (session.settings.batch_size,), generator=g)]]
        flow = draw_flow(base.sample((MATCHED,), g), x[:MATCHED], noise, g)
        loss = matching_loss(energy, flow, noise)
        if spent < matched:
            rate = LEARNING_RATES[0] * min(1, (i + 1) / 30)
        else:
            if chains is None:
                optimizer = torch.optim.Adam(network.parameters())
                start = session.state.buffer.start((session.settings.batch_size,), g)
                chains = settled(energy, sampler, start, g)
            chains = sampler.step(energy, evaluate(energy, chains), g).x
            gap = contrast(energy(smoothing(x, g)), energy(chains))
            limit = math.sqrt(x.shape[-1])
            loss = REGULARISED * loss - restrained(gap, limit)
            rate = (
                LEARNING_RATES[1]
                * 0.5
                * (1 + math.cos(math.pi * (spent - matched) / (1 - matched)))
            )
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        i += 1
        weight_average(average, network, min(0.95, (i + 1) / (i + 10)))
    assert chains is not None
    return joined(session, trained, average, sampler, chains)


def joined(
    session: Session, trained: TrainedModel, network: nn.Sequential, sampler: Move, chains: Tensor
) -> TrainedModel:
    """One model of both networks, f_y = log p(y|x) + r(x) + b(x)."""
    known, generator = trained.model, Generator().manual_seed(0)
    density, last = network
    model = Joined(
        Both(known.encoder, density), known.n_clusters, base=known.base, generator=generator
    )
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.weight[:256, :-1] = known.head.weight
        model.head.weight[256:, -1] = last.weight[0]
        model.head.bias[..., :-1] = known.head.bias
        model.head.bias[..., -1] = last.bias[0]
    model.eval().requires_grad_(False)
    z = session.parts.held_out.double()
    shape = session.plan.data.image_shape
    assert shape is not None
    outliers, places = ImageOutlierEnergy.of_images(
        copy.deepcopy(model).double(), z, shape, generator
    )
    outliers.clusters = trained.model.posterior(z[places].float()).argmax(-1)
    return replace(trained, model=model, sampler=sampler.eval(), chains=chains, outliers=outliers)


def fewer_chains(session: Session, *, every: int, slowdown: float = 0.25) -> TrainedModel:
    """GEDI with a quarter of the chains in an iteration, by default as rarely and as slow."""
    algorithm, sampler = session.parts.algorithm, session.state.sampler
    schedule = replace(algorithm.schedule, gen_slowdown=slowdown)
    algorithm = replace(algorithm, gen_every=every, schedule=schedule)
    session.parts = replace(session.parts, algorithm=algorithm)
    session.controller.algorithm = session.controller.guard.algorithm = algorithm
    sample = sampler.sample

    def few(energy: Energy, buffer: ReplayBuffer, n: int, *, generator: Generator) -> Tensor:
        return sample(energy, buffer, CHAINS, generator=generator)

    with patch.object(sampler, "sample", few):
        return plain(session)


VARIANTS: dict[str, tuple[str, Callable[[Session], TrainedModel]]] = {
    "no gen": ("GEDI no gen", plain),
    "GEDI": ("GEDI", plain),
    "64 chains": ("GEDI", partial(fewer_chains, every=5)),
    "64 chains, every 2nd": ("GEDI", partial(fewer_chains, every=2)),
    "64 chains, every 2nd, half rate": ("GEDI", partial(fewer_chains, every=2, slowdown=0.5)),
    "energy matching, shared head": ("GEDI", shared_head),
    "energy matching, second network": ("GEDI", second_network),
}


OTHERS = "other test images"


# Cells


def settings(variant: str, seed: int, train: Dataset, minutes: float) -> Settings:
    """The settings of a variant, without those that are chosen from the data."""
    cell = Cell(VARIANTS[variant][0], "mnist", seed, "minutes", "cpu")
    return settings_of(cell, len(train.x), len(train.class_names), minutes, {})


def chosen(variant: str, seed: int, train: Dataset, minutes: float, folder: Path) -> Session:
    """The session of a variant when its best restart has just been chosen."""
    file = folder / f"start-{seed}.pt"
    if not file.exists():
        session = start(train, settings("no gen", seed, train, minutes))
        session.train([StopWhen(lambda: not session.state.members)])
        torch.save(session.state_dict(), file)
    session = start(train, settings(variant, seed, train, minutes))
    session.load_state_dict(torch.load(file))
    return session


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


def between_images(test: Dataset, net: FeatureNet) -> dict[str, Any]:
    """The distances of test images from others, which samples cannot be expected to beat."""
    images = as_bytes(test.x[: 2 * N], (0.0, 255.0))
    return {
        name: generation_report(images[:n], images[-n:], net, Generator().manual_seed(0))
        for name, n in (("generation", N), ("from the base", N_NOISE))
    }


def samples_from_base(trained: TrainedModel, generator: Generator) -> Any:
    """Samples (n, d) of chains that start in the base, so that none can be a copy of an image."""
    starts = trained.model.base.sample((N_NOISE,), generator)  # type: ignore[union-attr, operator]
    return trained.finished(
        trained.run_chains(trained.model.energy, starts, ROUNDS_NOISE, generator)
    )


def measures(
    trained: TrainedModel, test: Dataset, net: FeatureNet, seed: int, *, density: bool
) -> dict[str, Any]:
    """Clusters, samples and outliers of a training, on held-out images."""
    found: dict[str, Any] = {"clustering": clustering_measures(trained, test)}
    generator = Generator().manual_seed(seed)
    if density:
        found["generation"] = generation_measures(
            trained, test, net, n=N, n_steps=ROUNDS, generator=generator
        )
        real = as_bytes(test.x[:N_NOISE], (0.0, 255.0))
        drawn = as_bytes(samples_from_base(trained, generator), (0.0, 255.0))
        found["from the base"] = generation_report(real, drawn, net, generator)
    outliers = outlier_sets(test, n=FOILS, generator=generator)
    detected = detection_measures(trained, test.subset(torch.arange(4 * FOILS).numpy()), outliers)
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
    if missing("energy_matching", variant=OTHERS):
        write("energy_matching", {"variant": OTHERS} | between_images(test, net) | provenance())
    for seed in options.seed:
        for variant in options.variant:
            key = {"variant": variant, "seed": seed, "minutes": options.minutes}
            if not missing("energy_matching", **key):
                continue
            # Limits of time count what the processor spends on this training alone.
            with patch.object(time, "perf_counter", time.process_time):
                session = chosen(variant, seed, train, options.minutes, options.folder)
                earlier, began = session.state.seconds, time.process_time()
                trained = VARIANTS[variant][1](session)
                spent = earlier + time.process_time() - began
            write(
                "energy_matching",
                key
                | {"iterations": session.state.iteration, "processor seconds": round(spent, 1)}
                | measures(trained, test, net, seed, density=variant != "no gen")
                | provenance(),
            )


if __name__ == "__main__":
    main()
