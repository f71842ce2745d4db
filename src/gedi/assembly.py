"""From settings and data to the ingredients of Algorithm 1."""

import copy
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from gedi.base import GaussianBase
from gedi.box import Box
from gedi.data import Dataset
from gedi.encoders import MLP
from gedi.errors import DataError
from gedi.model import EnergyClassifier
from gedi.monitor import Monitor
from gedi.objective import Weights
from gedi.sampling import AnchoredJump, Cycle, Langevin, ReplayBuffer, likeliest_bandwidth
from gedi.scaling import Scaling
from gedi.schedule import Schedule
from gedi.settings import SamplerSettings, Settings
from gedi.training import Algorithm, TrainingState
from gedi.views import (
    Affine,
    GaussianNoise,
    LocalScale,
    Neighbour,
    Split,
    View,
    VirtualAdversarial,
)

__all__ = ["Assembly", "assemble", "build_model", "build_sampler", "make_view"]

_MONITORED = 2000  # points on which the gap is watched
_REFERENCES = 2000  # points among which neighbours are looked for
_LOCAL = 10  # the local scale is the distance to this neighbour among the anchors
_MARGIN = 0.1  # of the data's range, between data and the walls of the box


@dataclass(frozen=True)
class Assembly:
    """Everything a training needs, made once from settings and data.

    Attributes:
        settings: resolved settings.
        scaling: from the user's units to the network's.
        data: all points, scaled, (n, d), on the device.
        algorithm: the fixed ingredients of Algorithm 1.
        monitor: what watches the training.
        anchors: data points that jumps and local scales refer to, (m, d).
        bandwidth: of the kernels around the anchors.
        base: the Gaussian under the energy, or None.
    """

    settings: Settings
    scaling: Scaling
    data: Tensor
    algorithm: Algorithm
    monitor: Monitor
    anchors: Tensor
    bandwidth: float
    base: GaussianBase | None

    def state(self, members: tuple[int, ...] = ()) -> TrainingState:
        """A fresh training state, all of it drawn from the seed."""
        settings = self.settings
        device = self.data.device
        # Drawn on the CPU, so that a seed means the same start on every device.
        generator = Generator().manual_seed(settings.seed)
        model = build_model(
            settings, self.data.shape[1], self.base, members=members, generator=generator
        ).to(device)
        optimizer = torch.optim.Adam(
            model.parameters(), lr=self.algorithm.learning_rate, fused=True
        )
        assert settings.sampler.buffer_size is not None  # resolved
        buffer = ReplayBuffer(
            settings.sampler.buffer_size,
            self._start,
            reinit=settings.sampler.reinit,
            members=members,
            generator=Generator(device).manual_seed(settings.seed),
        )
        return TrainingState(
            model=model,
            average=copy.deepcopy(model).requires_grad_(False),
            optimizer=optimizer,
            sampler=build_sampler(
                settings.sampler,
                self.algorithm.box,
                self.anchors,
                self.bandwidth,
                self.base,
                members=members,
            ),
            buffer=buffer,
            generator=Generator(device).manual_seed(settings.seed + 1),
            horizon=settings.max_iter,
        )

    def _start(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """New chains: from the base, or all over the box; inside it, or they could not move."""
        box = self.algorithm.box
        if self.base is None:
            return box.uniform(shape, generator)
        return box.fold(self.base.sample(shape, generator))[0]


def build_model(
    settings: Settings,
    n_features: int,
    base: GaussianBase | None,
    *,
    members: tuple[int, ...] = (),
    generator: Generator,
) -> EnergyClassifier:
    """The network with fresh weights, on the CPU."""
    assert settings.encoder.hidden is not None  # resolved
    assert settings.n_clusters is not None  # resolved
    encoder = MLP(n_features, settings.encoder.hidden, members=members, generator=generator)
    return EnergyClassifier(
        encoder, settings.n_clusters, base=base, members=members, generator=generator
    )


def build_sampler(
    chosen: SamplerSettings,
    box: Box,
    anchors: Tensor,
    bandwidth: float,
    base: GaussianBase | None,
    *,
    members: tuple[int, ...] = (),
) -> Cycle:
    """The moves of the chains: Langevin steps, then jumps."""
    langevin = Langevin(
        chosen.step_size,
        chosen.n_steps,
        noise=chosen.noise,
        metropolis=chosen.metropolis,
        target_acceptance=chosen.target_acceptance if chosen.metropolis else None,
        max_gradient=chosen.max_gradient,
        preconditioner=base.root if chosen.precondition and base is not None else None,
        box=box,
        boundary=chosen.boundary,
        members=members,
    )
    jumps = [AnchoredJump(anchors, bandwidth, box, members=members) for _ in range(chosen.jumps)]
    return Cycle([langevin, *jumps]).to(anchors.device)


def assemble(dataset: Dataset, settings: Settings, device: torch.device) -> Assembly:
    """Scale the data and make the ingredients.

    Args:
        dataset: the points; labels are not looked at.
        settings: resolved settings.
        device: where the training runs.

    Raises:
        DataError: if all points are the same.
    """
    scaling = _scaling(dataset)
    data = scaling(dataset.x)
    if bool((data == data[0]).all()):
        raise DataError(f"{dataset.name}: all {len(data)} points are the same")
    data = data.to(device)
    generator = Generator().manual_seed(settings.seed)
    chosen = torch.randperm(len(data), generator=generator)
    anchors = data[chosen[: settings.sampler.n_anchors]]
    view = make_view(settings, data[chosen], dataset.image_shape)
    noise = settings.data_noise or 0.0
    log_prior = _log_prior(settings).to(device)
    weights = settings.weights
    assert weights.gen is not None and weights.prior is not None  # resolved
    algorithm = Algorithm(
        view=view,
        weights=Weights(weights.gen, weights.inv, weights.prior),
        log_prior=log_prior,
        box=_box(data, noise),
        schedule=_schedule(settings),
        batch_size=settings.batch_size or 0,
        learning_rate=settings.learning_rate or 0.0,
        data_noise=noise,
        max_time=settings.max_time,
    )
    return Assembly(
        settings=settings,
        scaling=scaling,
        data=data,
        algorithm=algorithm,
        monitor=Monitor(data[chosen[:_MONITORED]], view, log_prior, settings.seed),
        anchors=anchors,
        bandwidth=likeliest_bandwidth(anchors),
        base=GaussianBase.fit(data, noise).to(device) if settings.encoder.base else None,
    )


def _scaling(dataset: Dataset) -> Scaling:
    if dataset.image_shape is None or dataset.value_range is None:
        return Scaling.standardise(dataset.x)
    low, high = dataset.value_range
    return Scaling.from_range(low, high, dataset.x.shape[1])


def _box(data: Tensor, noise: float) -> Box:
    """Wide enough that data and their noise meet no wall, also where a feature is constant."""
    box = Box.around(data, _MARGIN)
    pad = 4 * noise + 0.1
    return Box(box.low - pad, box.high + pad)


def _log_prior(settings: Settings) -> Tensor:
    shares = settings.prior or [1.0] * (settings.n_clusters or 0)
    prior = torch.tensor(shares, dtype=torch.float64)
    return (prior / prior.sum()).log().float()


def _schedule(settings: Settings) -> Schedule:
    restarts = settings.restarts
    n = restarts.n or 1
    clustering = settings.weights.inv != 0 or settings.weights.prior != 0
    warmup = (restarts.warmup or 0) if restarts.gen and clustering else 0
    return Schedule(
        warmups=tuple(warmup * (k % 2) for k in range(n)),
        gen_start=0 if restarts.gen else restarts.iterations or 0,
        ramp=restarts.ramp or 0,
        decay=settings.decay,
    )


def make_view(settings: Settings, data: Tensor, image_shape: tuple[int, int, int] | None) -> View:
    """The views that the settings ask for.

    Args:
        settings: resolved settings.
        data: points in random order, scaled, (n, d); neighbours and local scales are read off the
            first of them.
        image_shape: (C, H, W) if the points are flattened images.
    """
    chosen = settings.views
    reference = data[:_REFERENCES]
    local = LocalScale(data[: settings.sampler.n_anchors], _LOCAL)
    views: list[View] = []
    if image_shape is not None:
        if max(chosen.rotate, chosen.shift, chosen.zoom, chosen.shear) > 0:
            views.append(
                Affine(image_shape, chosen.rotate, chosen.shift, chosen.zoom, chosen.shear)
            )
    elif chosen.noise > 0:
        views.append(GaussianNoise(chosen.noise, local))
    if chosen.adversarial > 0:
        views.append(VirtualAdversarial(chosen.adversarial, local))
    if chosen.neighbours > 0:
        views.append(Neighbour(reference, min(chosen.neighbours, len(reference) - 1)))
    return views[0] if len(views) == 1 else Split(views)
