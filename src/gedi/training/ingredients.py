"""From settings and data to the ingredients of Algorithm 1."""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor, nn

from gedi.data.dataset import Dataset
from gedi.data.points import Points, affordable
from gedi.data.shards import StreamedDataset
from gedi.data.values import value_range_of
from gedi.distributed import n_processes, own_seed, share_of
from gedi.errors import DataError, SettingsError
from gedi.evidence import Evidence, Labels
from gedi.evidence.groups import Groups, RuleEvidence
from gedi.methods import BUILT_IN, Method, method_of
from gedi.model import EnergyClassifier
from gedi.model.base import GaussianBase
from gedi.model.box import Box
from gedi.model.encoders import CosineHead, OwnEncoder
from gedi.model.kinds import fresh_encoder, is_plugged
from gedi.model.scaling import Scaling
from gedi.model.smoothing import Smoothing
from gedi.model.spectral import SpectralMatrix
from gedi.objective import Weights
from gedi.sampling import AnchoredJump, Cycle, Langevin, Move, ReplayBuffer, likeliest_bandwidth
from gedi.sampling.vera import ImageGenerator, VectorGenerator, VeraSampler
from gedi.sampling.vera_source import VeraSource
from gedi.settings import SamplerSettings, Settings
from gedi.settings.presets import NEUTRAL, changes_images
from gedi.training.algorithm import Algorithm, TrainingState
from gedi.training.custom import Custom
from gedi.training.monitor import Monitor
from gedi.training.renaming import Renaming
from gedi.training.schedule import Schedule
from gedi.training.starts import fit_codes, kmeans_codes
from gedi.training.trained import TrainedModel
from gedi.views import (
    FeatureDropout,
    GaussianNoise,
    LocalScale,
    Neighbour,
    Own,
    Positives,
    Split,
    View,
    VirtualAdversarial,
    plugged_view,
)
from gedi.views.images import ImageViews

__all__ = [
    "CODED",
    "MEASURED",
    "MONITORED",
    "REFERENCES",
    "TOLD",
    "Assembly",
    "assemble",
    "build_model",
    "build_sampler",
    "make_view",
]

TOLD = 10_000  # points on which the end result is told
MONITORED = 2000  # points on which the gap is watched
REFERENCES = 2000  # points among which neighbours are looked for
MEASURED = 20_000  # points that the base is the Gaussian of
CODED = 5000  # points that k-means sees
_CODED_STEPS = 200  # of Adam, to learn its codes; after them nine in ten points have theirs
_PRIOR_RATE = 0.005  # with which a learned π follows the posterior: within some 200 iterations
_VERA_WIDTHS = [100, 100]  # of the network that makes vectors, where the encoder has none
_VERA_CHANNELS = 32  # of the network that makes images
_VERA_NOISE = (0.01, 0.1, 0.3)  # least, first and largest σ, unless the data are smoothed by more
_NAMED = 500  # inputs of groups that numbers of clusters are judged by
_LOCAL = 10  # the local scale is the distance to this neighbour among the anchors
_MARGIN = 0.1  # of the data's range, between data and the walls of the box


@dataclass(frozen=True)
class Assembly:
    """Everything a training needs, made once from settings and data.

    Attributes:
        settings: resolved settings.
        scaling: from the user's units to the network's.
        data: all points, on the device, or in the file they are mapped from; of a stream a sample.
        algorithm: the fixed ingredients of Algorithm 1.
        monitor: what watches the training.
        sample: places of up to 10,000 points at random, on which the end result is told.
        log_prior: log π that the training starts from, (c,), on the CPU.
        anchors: data points that jumps and local scales refer to, (m, d).
        bandwidth: of the kernels around the anchors.
        renaming: new numbers for clusters that a rule has named, or None.
        base: the Gaussian under the energy, or None.
        input_shape: of one point, (d,) or (C, H, W).
        custom: what the user brings.
    """

    settings: Settings
    scaling: Scaling
    data: Points
    algorithm: Algorithm
    monitor: Monitor
    sample: Tensor
    log_prior: Tensor
    anchors: Tensor
    bandwidth: float
    renaming: Renaming | None
    base: GaussianBase | None
    input_shape: tuple[int, ...]
    custom: Custom

    def state(self, members: tuple[int, ...] = ()) -> TrainingState:
        """A fresh training state, all of it drawn from the seed; of several processes its part."""
        settings = self.settings
        device = self.data.device
        # Drawn on the CPU, so that a seed means the same start on every device.
        generator = Generator().manual_seed(settings.seed)
        model = build_model(
            settings,
            self.input_shape,
            self.base,
            method=self.algorithm.method,
            encoder=self.custom.encoder,
            members=members,
            generator=generator,
        )
        log_prior = self.log_prior.expand(*members, -1).clone()
        if members and settings.restarts.kmeans:
            shares = self._start_from_kmeans(model, settings.restarts.kmeans, generator)
            if settings.prior == "learned":
                log_prior[-settings.restarts.kmeans :] = shares
        model = model.to(device)
        previous = self.custom.previous
        if previous is not None:
            _take_over(previous.model, model)
        optimizer = torch.optim.Adam(
            model.parameters(), lr=self.algorithm.learning_rate, fused=True
        )
        vera = settings.sampler.kind == "vera"
        moves = build_sampler(
            settings.sampler,
            self.algorithm.box,
            self.anchors,
            self.bandwidth,
            self.base,
            members=() if vera else members,
        )
        if previous is not None:
            step_size = "moves.0.log_step_size"
            moves.load_state_dict(
                {step_size: previous.sampler.state_dict()[step_size]}, strict=False
            )
        sampler: Move = self._vera(moves, generator) if vera else moves
        assert settings.sampler.buffer_size is not None  # resolved
        buffer = ReplayBuffer(
            settings.sampler.buffer_size,
            sampler.start if isinstance(sampler, VeraSource) and previous is None else self._start,
            reinit=settings.sampler.reinit,
            members=members,
            dtype=getattr(torch, settings.sampler.buffer_dtype),
            generator=Generator(device).manual_seed(settings.seed),
        )
        # Chains are drawn as for one process, and each keeps its share.
        buffer.positions = share_of(buffer.positions, -2)
        return TrainingState(
            model=model,
            average=copy.deepcopy(model).requires_grad_(False),
            optimizer=optimizer,
            sampler=sampler,
            buffer=buffer,
            log_prior=log_prior.to(device),
            generator=Generator(device).manual_seed(own_seed(settings.seed + 1)),
            horizon=settings.max_iter,
        )

    def _start_from_kmeans(self, model: EnergyClassifier, n: int, generator: Generator) -> Tensor:
        """Let the last n members start from k-means; the log of its clusters' shares, (n, c)."""
        settings = self.settings
        chosen = torch.randperm(len(self.data), generator=generator)[:CODED]
        x = self.data[chosen.to(self.data.device)].cpu()
        found = [kmeans_codes(x, self.log_prior, generator) for _ in range(n)]
        # Without the base, which all logits share: it says nothing of the codes.
        group = build_model(
            settings,
            self.input_shape,
            None,
            method=self.algorithm.method,
            encoder=self.custom.encoder,
            members=(n,),
            generator=generator,
        )
        fit_codes(
            group,
            x,
            torch.stack([each.codes for each in found]),
            n_steps=_CODED_STEPS,
            learning_rate=self.algorithm.learning_rate,
            batch_size=settings.batch_size or 0,
            generator=generator,
        )
        with torch.no_grad():
            for target, source in zip(model.parameters(), group.parameters(), strict=True):
                target[-n:] = source
        return torch.stack([each.log_shares for each in found])

    def _vera(self, moves: Cycle, generator: Generator) -> VeraSource:
        """A fresh amortised sampler; of vectors it draws in the coordinates that the base whitens.

        Its noise starts at that of the smoothed data, which no sample needs to be sharper than.
        """
        chosen, noise = self.settings.sampler, self.settings.data_noise or 0.0
        assert chosen.vera.latents is not None and chosen.vera.n_importance is not None  # resolved
        is_image = len(self.input_shape) == 3
        network: nn.Module
        if is_image:
            channels, height, width = self.input_shape
            network = ImageGenerator(
                chosen.vera.latents, (channels, height, width), _VERA_CHANNELS, generator=generator
            )
        else:
            network = VectorGenerator(
                chosen.vera.latents,
                self.input_shape[0],
                self.settings.encoder.hidden or _VERA_WIDTHS,
                generator=generator,
            )
        low, first, high = _VERA_NOISE
        sampler = VeraSampler(
            network, noise=max(first, noise), noise_range=(low, max(high, 2 * noise))
        )
        base = None if is_image or not chosen.precondition else self.base
        return VeraSource(
            sampler.to(self.data.device),
            moves,
            self.algorithm.box,
            learning_rate=chosen.vera.learning_rate,
            entropy_weight=chosen.vera.entropy_weight,
            n_importance=chosen.vera.n_importance,
            centre=None if base is None else base.mean.clone(),
            preconditioner=None if base is None else copy.deepcopy(base.root),
        ).to(self.data.device)

    def _start(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """New chains: from the base, or all over the box; inside it, or they could not move.

        A training that goes on has them where those of the previous one ended.
        """
        box, previous = self.algorithm.box, self.custom.previous
        if previous is not None:
            index = torch.randint(
                len(previous.chains), shape, generator=generator, device=generator.device
            )
            return previous.chains.to(box.low.device)[index]
        if self.base is None:
            return box.uniform(shape, generator)
        return box.fold(self.base.sample(shape, generator))[0]


def build_model(
    settings: Settings,
    input_shape: tuple[int, ...],
    base: GaussianBase | None,
    *,
    method: Method | None = None,
    encoder: nn.Module | None = None,
    members: tuple[int, ...] = (),
    ended: bool = False,
    generator: Generator,
) -> EnergyClassifier:
    """The network with fresh weights, on the CPU; a user's encoder keeps those it has.

    While a method trains, its head may be a projection; when it has ended, clusters of k-means. And
    only while it is trained a network computes in less than float32.

    Raises:
        PluginError: if encoder or method are of a plug-in that is not there.
    """
    method = method or method_of(settings.method)
    assert settings.n_clusters is not None  # resolved
    below = (
        fresh_encoder(settings.encoder, input_shape, members=members, generator=generator)
        if encoder is None
        else OwnEncoder(encoder, input_shape, members=members)
    )
    n_outputs, head = settings.n_clusters, None
    if method.projection is not None and not ended:
        n_outputs = method.projection
    if method.cosines is not None:
        head = CosineHead(
            int(below.n_features),  # type: ignore[arg-type]
            n_outputs,
            method.cosines,
            members=members,
            generator=generator,
        )
    return EnergyClassifier(
        below,
        n_outputs,
        base=base,
        head=head,
        encoder_dtype=torch.bfloat16 if settings.precision == "bf16-mixed" and not ended else None,
        members=members,
        generator=generator,
    )


def _take_over(previous: EnergyClassifier, model: EnergyClassifier) -> None:
    """Copy the weights of a trained model.

    Raises:
        SettingsError: if it has another shape.
    """
    try:
        model.load_state_dict(previous.state_dict())
    except RuntimeError as error:
        raise SettingsError(
            "going on from a trained model: expected the same features, clusters and encoder; "
            f"{' '.join(str(error).split())}"
        ) from error


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
        chosen.n_steps or 0,
        noise=chosen.noise,
        metropolis=chosen.metropolis,
        target_acceptance=chosen.target_acceptance if chosen.metropolis else None,
        max_gradient=chosen.max_gradient,
        preconditioner=(
            copy.deepcopy(base.root) if chosen.precondition and base is not None else None
        ),
        box=box,
        boundary=chosen.boundary,
        members=members,
    )
    jumps = [AnchoredJump(anchors, bandwidth, box, members=members) for _ in range(chosen.jumps)]
    return Cycle([langevin, *jumps]).to(anchors.device)


def assemble(
    dataset: Dataset, settings: Settings, device: torch.device, custom: Custom = Custom()
) -> Assembly:
    """Scale the data and make the ingredients.

    Args:
        dataset: the points; labels are not looked at.
        settings: resolved settings.
        device: where the training runs.
        custom: what the user brings beside them.

    Raises:
        DataError: if all points are the same.
    """
    previous = custom.previous
    scaling = _scaling(dataset) if previous is None else previous.scaling
    data = Points(dataset.x, scaling, device)
    if data.are_all_the_same:
        raise DataError(f"{dataset.name}: all {len(data)} points are the same")
    generator = Generator().manual_seed(settings.seed)
    chosen = torch.randperm(len(data), generator=generator).to(device)
    anchors = data[chosen[: settings.sampler.n_anchors]]
    input_shape = dataset.image_shape or (data.n_features,)
    views = make_views(
        settings,
        data[chosen[: max(affordable(REFERENCES, data.n_features), len(anchors))]],
        dataset.image_shape,
        scaling,
    )
    views += _own_views(custom, data, scaling, input_shape)
    view = views[0] if len(views) == 1 else Split(views)
    noise = settings.data_noise or 0.0
    measured = chosen[: affordable(MEASURED, data.n_features)]
    base, root = _base(data[measured], noise, settings, dataset, previous)
    box = _box(data, noise, _told_corners(dataset, scaling, device))
    weights, method = settings.weights, custom.chosen_method(settings)
    assert weights.gen is not None and weights.prior is not None  # resolved
    algorithm = Algorithm(
        view=view,
        weights=Weights(
            weights.gen,
            weights.inv,
            weights.prior,
            weights.evidence,
            weights.max_contrast,
        ),
        prior_rate=_PRIOR_RATE if settings.prior == "learned" else 0.0,
        box=box if previous is None else _union(box, previous.box),
        schedule=_schedule(settings),
        batch_size=(settings.batch_size or 0) // n_processes(),
        learning_rate=settings.learning_rate or 0.0,
        smoothing=Smoothing(noise, root),
        gen_every=settings.sampler.every or 0,
        max_time=settings.max_time,
        evidence=_evidence(custom, data, settings),
        compile=settings.compile,
        cuda_graph=_takes_graphs(settings, device, custom),
        method=method,
    )
    watched = share_of(chosen[: affordable(MONITORED, data.n_features)], 0)
    return Assembly(
        settings=settings,
        scaling=scaling,
        data=data,
        algorithm=algorithm,
        monitor=Monitor(
            data[watched], view, settings.seed, watched, algorithm.evidence, algorithm.smoothing
        ),
        sample=chosen[: affordable(TOLD, data.n_features)],
        log_prior=(
            previous.log_prior
            if previous is not None and settings.prior == "learned"
            else _log_prior(settings, method)
        ),
        anchors=anchors,
        bandwidth=likeliest_bandwidth(anchors),
        renaming=_renaming(custom, data, algorithm.weights) if settings.rename else None,
        base=base,
        input_shape=input_shape,
        custom=custom,
    )


def _takes_graphs(settings: Settings, device: torch.device, custom: Custom) -> bool:
    """Whether iterations become CUDA graphs: by default where nothing in them is the user's.

    Raises:
        SettingsError: if they are asked for where they cannot be.
    """
    hindrances = {
        f"device is {device.type}": device.type != "cuda",
        f"there are {n_processes()} processes": n_processes() > 1,
        "sampler.kind is vera": settings.sampler.kind == "vera",
        "something is known of some inputs": custom.names_clusters,
        "it goes on from a trained model": custom.previous is not None,
    }
    found = [reason for reason, holds in hindrances.items() if holds]
    if settings.cuda_graph and found:
        raise SettingsError(f"setting cuda_graph: expected null or false where {found[0]}")
    if settings.cuda_graph is None:
        own = custom.encoder is not None or is_plugged(settings.encoder.kind)
        return not found and not own and settings.method in BUILT_IN
    return settings.cuda_graph


def _base(
    data: Tensor,
    noise: float,
    settings: Settings,
    dataset: Dataset,
    previous: TrainedModel | None,
) -> tuple[GaussianBase | None, SpectralMatrix | None]:
    """The Gaussian of the data with their noise, and the shape of the noise.

    Noise in a table follows the covariance of the data, since along a direction in which they
    hardly vary the same noise would be large.
    """
    if previous is not None:
        base = copy.deepcopy(previous.model.base)
        shape = previous.smoothing.root
        kept = base.to(data.device) if isinstance(base, GaussianBase) else None
        return kept, None if shape is None else copy.deepcopy(shape).to(data.device)
    if not settings.encoder.base:
        return None, None
    if dataset.image_shape is not None:
        return GaussianBase.fit(data, noise).to(data.device), None
    gaussian = GaussianBase.fit(data, 0.0).to(data.device)
    return gaussian.widened(math.sqrt(1 + noise**2)), gaussian.root if noise > 0 else None


def _union(box: Box, previous: Box) -> Box:
    other = previous.to(box.low)
    return Box(torch.minimum(box.low, other.low), torch.maximum(box.high, other.high))


def _evidence(custom: Custom, data: Points, settings: Settings) -> Evidence | None:
    """The known classes, or the groups, some at a time."""
    batch_size = settings.batch_size or 0
    n_known = custom.n_known(batch_size)
    if custom.groups is not None:
        m = len(custom.groups.rows)
    elif custom.classes is not None:
        m = int((custom.classes >= 0).sum())
    else:
        return None
    if m > n_known:  # else all of them, in every process: their mean is the same
        n_known = custom.n_known(batch_size // n_processes())
    if custom.groups is not None:
        return _groups(custom.groups, data, n_known)
    classes = torch.from_numpy(custom.classes).to(data.device)
    known = classes >= 0
    return Labels(data[known], classes[known], n_known)


def _groups(groups: Groups, data: Points, n: int) -> RuleEvidence:
    rows, codes = groups.rows.to(data.device), groups.codes.to(data.device)
    return RuleEvidence(data, Groups(groups.rule, rows, codes), n)


def _renaming(custom: Custom, data: Points, weights: Weights) -> Renaming | None:
    """Labels name clusters from the start, one by one; a rule may be content with wrong names."""
    if custom.groups is None or weights.evidence == 0:
        return None
    n = max(1, _NAMED // custom.groups.rule.n_symbols)
    return Renaming(_groups(custom.groups, data, n), weights)


def _own_views(
    custom: Custom, data: Points, scaling: Scaling, input_shape: tuple[int, ...]
) -> list[View]:
    own: list[View] = [Own(function, scaling, input_shape) for function in custom.views]
    if custom.positives is not None:
        own.append(Positives(data, torch.from_numpy(custom.positives).to(data.device)))
    return own


def _scaling(dataset: Dataset) -> Scaling:
    if dataset.image_shape is None:
        if isinstance(dataset, StreamedDataset):
            return Scaling.standardise(dataset.x, dataset.shards.high - dataset.shards.low)
        return Scaling.standardise(dataset.x)
    low, high = dataset.value_range or value_range_of(dataset.x)
    return Scaling.from_range(low, high, dataset.x.shape[1])


def _told_corners(dataset: Dataset, scaling: Scaling, device: torch.device) -> Tensor | None:
    """Least and greatest values of a stream, (2, d), scaled, NaN where its files tell none."""
    if not isinstance(dataset, StreamedDataset):
        return None
    return scaling(np.stack([dataset.shards.low, dataset.shards.high])).to(device)


def _box(data: Points, noise: float, told: Tensor | None) -> Box:
    """Wide enough that data and their noise meet no wall, also where a feature is constant."""
    low, high = data.box(0.0)
    if told is not None:
        low, high = torch.fmin(low, told[0]), torch.fmax(high, told[1])
    box = Box.around(torch.stack([low, high]), _MARGIN)
    pad = 4 * noise + 0.1
    return Box(box.low - pad, box.high + pad)


def _log_prior(settings: Settings, method: Method) -> Tensor:
    n = method.projection or settings.n_clusters or 0
    shares = [1.0] * n
    if settings.prior is not None and settings.prior != "learned":
        shares = list(settings.prior)
    prior = torch.tensor(shares, dtype=torch.float64)
    return (prior / prior.sum()).log().float()


def _schedule(settings: Settings) -> Schedule:
    restarts = settings.restarts
    n, kmeans = restarts.n or 1, restarts.kmeans or 0
    clustering = settings.weights.inv != 0 or settings.weights.prior != 0
    warmup = (restarts.warmup or 0) if restarts.gen and clustering else 0
    return Schedule(
        warmups=tuple(warmup * (k % 2) if k < n - kmeans else 0 for k in range(n)),
        gen_start=0 if restarts.gen else restarts.iterations or 0,
        ramp=restarts.ramp or 0,
        learning_rate_warmup=min(100, max(1, settings.max_iter // 10)),
        decay=settings.decay,
        gen_slowdown=settings.gen_slowdown or 1.0,
    )


def make_view(
    settings: Settings,
    data: Tensor,
    image_shape: tuple[int, int, int] | None,
    scaling: Scaling,
) -> View:
    """The views that the settings ask for, in equal shares; see `make_views`."""
    views = make_views(settings, data, image_shape, scaling)
    return views[0] if len(views) == 1 else Split(views)


def make_views(
    settings: Settings,
    data: Tensor,
    image_shape: tuple[int, int, int] | None,
    scaling: Scaling,
) -> list[View]:
    """Each kind of view that the settings ask for.

    Args:
        settings: resolved settings.
        data: points in random order, scaled, (n, d); neighbours and local scales are read off the
            first of them.
        image_shape: (C, H, W) if the points are flattened images.
        scaling: between the units of views of plug-ins and the network's.

    Raises:
        PluginError: if a view is of a plug-in that is not there.
    """
    chosen = settings.views
    reference = data[:REFERENCES]
    local = LocalScale(data[: settings.sampler.n_anchors], _LOCAL)
    assert chosen.adversarial is not None and chosen.neighbours is not None  # resolved
    views: list[View] = []
    if image_shape is not None:
        strengths = {name: getattr(chosen, name) for name in NEUTRAL}
        if changes_images(strengths):
            views.append(ImageViews(image_shape, **strengths))
    else:
        if chosen.noise > 0:
            views.append(GaussianNoise(chosen.noise, local))
        if chosen.dropout > 0:
            views.append(FeatureDropout(chosen.dropout, reference))
    if chosen.adversarial > 0:
        views.append(VirtualAdversarial(chosen.adversarial, local))
    if chosen.neighbours > 0:
        views.append(Neighbour(reference, min(chosen.neighbours, len(reference) - 1)))
    input_shape = image_shape or data.shape[-1:]
    return views + [Own(plugged_view(name), scaling, input_shape) for name in chosen.own]
