"""The ingredients of Algorithm 1, and its first state, built from a plan and the data."""

import copy
import math
import time
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from gedi.adam import Adam
from gedi.data.dataset import Dataset
from gedi.data.points import Points, affordable
from gedi.data.shards import StreamedDataset
from gedi.data.stream import Stream
from gedi.data.values import value_range_of
from gedi.deadline import Deadline, growing
from gedi.distributed import from_first, n_processes, own_seed, rank, share_of
from gedi.errors import DataError
from gedi.evidence import Labels
from gedi.evidence.build import LABEL_SHARE, build_evidence, n_known, rule_evidence
from gedi.model import EnergyClassifier, LinearClassifier
from gedi.model.base import GaussianBase, NormalizedGaussian
from gedi.model.box import Box
from gedi.model.build import build_model, load_weights
from gedi.model.encoders import OnAxes
from gedi.model.linear import FAR
from gedi.model.mixture import MixtureBase
from gedi.model.outlier_energy import OutlierEnergy
from gedi.model.scaling import Scaling
from gedi.model.smoothing import Smoothing
from gedi.model.spectral import SpectralMatrix
from gedi.model.visible import VisibleValues
from gedi.objective import Weights
from gedi.partitions.neighbours import mutual, nearest_by_products
from gedi.sampling import BaseDraws, Move, ReplayBuffer, likeliest_bandwidth
from gedi.sampling.build import build_moves, build_vera
from gedi.sampling.vera_source import VeraSource
from gedi.training.algorithm import Algorithm, TrainingState
from gedi.training.custom import Custom
from gedi.training.growth import carried_partition
from gedi.training.monitor import Monitor
from gedi.training.plan import Plan
from gedi.training.renaming import Renaming
from gedi.training.schedule import planned_schedule
from gedi.training.starts import (
    CODED,
    Partition,
    PrincipalAxes,
    found_partition,
    kmeans_starts,
    pool_partition,
    principal_axes,
)
from gedi.training.trained import TrainedModel
from gedi.views import Own, Positives, View
from gedi.views.build import REFERENCES, build_views, together

__all__ = [
    "MEASURED",
    "MONITORED",
    "NEIGHBOURED",
    "REPORTED",
    "Ingredients",
    "build_ingredients",
    "fresh_state",
    "n_held_out_images",
    "resampled",
    "stock_size",
]

T = TypeVar("T")

REPORTED = 10_000  # points on which the final result is measured
MONITORED = 2000  # points on which the gap is monitored
MEASURED = 20_000  # points to which the Gaussian of the base is fitted
_HELD_OUT, _MOST_HELD_OUT = 5, 2000  # a fifth of the points, at most 2,000
_FEWEST_HELD_OUT = 12  # images; p-values from fewer would give too many false alarms
_HELD_OUT_VALUES = 2**25  # in held-out images, 128 MiB
NEIGHBOURED = 20_000  # points among which neighbours are searched, and which a head learns from
_LEAST_NEIGHBOURED = 2_000  # if there is no time for more
_DECOMPOSED = 5_000  # points whose principal axes the network sees
_POOLED = 2_000  # points of which the pool is made where a linear head then learns from all
_CHOOSING = 0.25  # share of the remaining max_time for the base, and for the partition
_REFERRING = 0.15  # share of it for the outlier energy
_DRAWING = 0.1  # share of it for draws of the base
_STOCK = 32_768  # draws of the base from which those of a batch are taken
_STOCKED = 2**25  # values in the stock, with more features than usual
_DRAWN, _LEAST_STOCK = 512, 4096  # of a trial, and if there is no time for more
_PRIOR_RATE = 0.005  # a learned π follows the posterior within about 200 iterations
_NAMED = 500  # inputs of groups on which numbers of clusters are compared
_MARGIN = 0.1  # distance between the data and the walls of the box, as a share of the data's range


@dataclass(frozen=True)
class Ingredients:
    """Everything that a training needs and does not change.

    Attributes:
        scaling: from the user's units to the network's.
        data: all points, on the device or in the file from which they are mapped; for a stream, a
            sample.
        batches: the source of the points of an iteration: the data or a stream.
        algorithm: the fixed ingredients of Algorithm 1.
        monitor: measures the training.
        sample: places of up to 10,000 random points on which the final result is measured.
        log_prior: log π at the start, (c,), on the CPU.
        anchors: data points to which jumps and local scales refer, (m, d), scaled.
        bandwidth: the bandwidth of the kernels around the anchors.
        renaming: finds new numbers for clusters that a rule has named, or None.
        base: the density to which the energy is relative, or None.
        partition: the partition from which the network starts, or None.
        axes: the axes of the data that the network sees, or None for all features.
        neighbours: places of points that are neighbours of each other, (m, 2); None unless log Z
            is exact.
        held_out: points that the network does not learn from, (m, d), scaled: the residual of a
            base is evaluated on them, and images are compared with them; empty for vectors with
            chains, and for streams.
        outliers: how unusual points are, and the places of the points whose energies are held out;
            None for images, whose outlier energy needs the trained network.
        visible: the range and the grid of the values of each column; None for images.
        n_stock: draws of the base from which those of a batch are taken.
        rows: with weights or held-out images, places of the points to learn from in random order,
            as often as their weights say; otherwise None.
    """

    scaling: Scaling
    data: Points
    batches: Points | Stream
    algorithm: Algorithm
    monitor: Monitor
    sample: Tensor
    log_prior: Tensor
    anchors: Tensor
    bandwidth: float
    renaming: Renaming | None
    base: GaussianBase | MixtureBase | None
    partition: Partition | None
    axes: PrincipalAxes | None
    neighbours: Tensor | None
    held_out: Tensor
    outliers: tuple[OutlierEnergy, Tensor] | None
    visible: VisibleValues | None
    n_stock: int
    rows: Tensor | None = None


def build_ingredients(
    plan: Plan,
    dataset: Dataset,
    custom: Custom,
    device: torch.device,
    deadline: Deadline = Deadline(),
) -> Ingredients:
    """Scale the data and build all ingredients from the plan.

    Raises:
        DataError: if all points are the same.
    """
    settings, previous = plan.settings, custom.previous
    by_contrast, weights = settings.sampler.kind == "base", settings.weights
    exact = settings.sampler.kind == "exact"
    scaling = (
        _scaling(dataset, robust=by_contrast or exact) if previous is None else previous.scaling
    )
    data = Points(dataset.x, scaling, device)
    if data.are_all_the_same:
        raise DataError(f"{dataset.name}: all {len(data)} points are the same")
    d = data.n_features
    order = torch.randperm(len(data), generator=Generator().manual_seed(settings.seed)).to(device)
    # Nothing that the network learns from may know the held-out images.
    unseen, order = _held_out_images(plan, dataset, custom, order)
    weights_of_points, drawn = None, order
    if custom.weights is not None:
        weights_of_points = torch.from_numpy(custom.weights).to(device)
        drawing = Generator().manual_seed(settings.seed)
        drawn = resampled(order, weights_of_points, drawing)
    # Anchors only propose and scale moves, so they need no weights.
    anchors = data[order[: settings.sampler.n_anchors]]
    some = drawn[: affordable(MEASURED, d)]
    base, root = _base(
        plan, data[some], previous, None if drawn is order else some, deadline.share(_CHOOSING)
    )
    smoothing = Smoothing(settings.data_noise, root)
    box = _box(data, settings.data_noise, _streamed_corners(dataset, scaling, device))
    partition = None
    axes = None
    if settings.encoder.components and previous is None:
        some = drawn[: affordable(_DECOMPOSED, d)]
        axes = principal_axes(
            _within(data[some], exact), settings.encoder.components, settings.seed
        )
    rows = order[: affordable(NEIGHBOURED, d)] if exact else None
    pairs = None
    if rows is not None and settings.views.neighbours > 0:
        limit = deadline.share(_CHOOSING)
        pairs = _mutual_neighbours(data, rows, axes, settings.views.neighbours, limit)
    view = together(_views(plan, data, order, scaling, custom, pairs=pairs))
    if settings.restarts.pool and previous is None:
        drawing = Generator().manual_seed(settings.seed)
        partition = (
            carried_partition(custom.carried, data)
            if custom.carried is not None
            else pool_partition(
                settings.n_clusters,
                data,
                drawing,
                most=_POOLED if exact else CODED,
                rows=None if drawn is order and not len(unseen) else drawn,
                prior=settings.prior if isinstance(settings.prior, list) else None,
                axes=axes,
                deadline=deadline.share(_CHOOSING),
            )
            if plan.found is None
            else found_partition(plan.found, data)
        )
    evidence = build_evidence(
        data,
        classes=_without(custom.classes, unseen),
        groups=custom.groups,
        weights=custom.weights,
        batch_size=settings.batch_size,
        n_processes=plan.n_processes,
    )
    holds_out = (by_contrast or exact) and not len(unseen)
    n_held_out = min(_MOST_HELD_OUT, len(data) // _HELD_OUT) if holds_out else 0
    trained_on = order[n_held_out:] if rows is None else rows[n_held_out:]
    w_evidence = weights.evidence
    if partition is not None and weights.start > 0:
        evidence, w_evidence = (
            Labels(partition.x, partition.codes, n_known(LABEL_SHARE, settings.batch_size)),
            weights.start,
        )
    algorithm = Algorithm(
        view=view,
        weights=Weights(weights.gen, weights.inv, weights.prior, w_evidence, weights.max_contrast),
        prior_rate=_PRIOR_RATE if settings.prior == "learned" else 0.0,
        box=box if previous is None else _union(box, previous.box),
        schedule=planned_schedule(settings),
        batch_size=settings.batch_size // plan.n_processes,
        learning_rate=settings.learning_rate,
        smoothing=smoothing,
        gen_every=settings.sampler.every,
        max_time=settings.max_time,
        evidence=evidence,
        cuda_graph=plan.cuda_graph,
        method=plan.method,
        rows=trained_on if n_held_out or len(unseen) or weights_of_points is not None else None,
        cumulative=None if weights_of_points is None else weights_of_points[trained_on].cumsum(0),
    )
    held_out = unseen if len(unseen) else order[:n_held_out]
    if n_held_out and weights_of_points is not None:
        drawing = Generator().manual_seed(settings.seed)
        held_out = resampled(held_out, weights_of_points, drawing)
    watched = share_of(drawn[: affordable(MONITORED, d)], 0)
    return Ingredients(
        scaling=scaling,
        data=data,
        batches=_batches(dataset, data, scaling, settings.seed),
        algorithm=algorithm,
        monitor=Monitor(data[watched], view, settings.seed, watched, evidence, smoothing),
        sample=drawn[: affordable(REPORTED, d)],
        log_prior=_log_prior(plan, previous, partition),
        anchors=anchors,
        bandwidth=likeliest_bandwidth(anchors),
        renaming=_renaming(custom, data, algorithm.weights) if settings.rename else None,
        base=base,
        partition=partition,
        axes=axes,
        neighbours=pairs,
        held_out=data[held_out],
        outliers=_outliers(plan, data, scaling, deadline.share(_REFERRING)),
        visible=_visible(dataset),
        n_stock=_n_stock(base, d, deadline.share(_DRAWING)) if by_contrast else 0,
        rows=None if drawn is order and not len(unseen) else drawn,
    )


def n_held_out_images(n: int, n_features: int) -> int:
    """The number of n images that are held out; 0 if that would be fewer than 12."""
    most = max(_FEWEST_HELD_OUT, min(_MOST_HELD_OUT, _HELD_OUT_VALUES // n_features))
    m = min(most, n // _HELD_OUT)
    return m if m >= _FEWEST_HELD_OUT else 0


def _held_out_images(
    plan: Plan, dataset: Dataset, custom: Custom, order: Tensor
) -> tuple[Tensor, Tensor]:
    """Places of images that the network does not learn from, and of all other points.

    Images about which something is known are held out last, and every class keeps an image. A
    held-out image loses its label, but stays in its group or pair, which is of no use without it.
    """
    if plan.data.image_shape is None or isinstance(dataset, StreamedDataset):
        return order[:0], order
    known = np.zeros(len(order), dtype=np.int8)
    if custom.classes is not None:
        known[custom.classes >= 0] = 1
        _, firsts = np.unique(custom.classes, return_index=True)
        known[firsts] *= 2
    if custom.groups is not None:
        known[custom.groups.rows.cpu().numpy()] = 1
    if custom.positives is not None:
        known[custom.positives] = 1
    of_order = torch.from_numpy(known).to(order.device)[order]
    last = of_order.argsort(stable=True)
    n = n_held_out_images(len(order), plan.data.n_features)
    return order[last[:n]], order[last[n:].sort().values]


def _without(classes: NDArray[np.int64] | None, rows: Tensor) -> NDArray[np.int64] | None:
    """Known classes, (n,), without those of some rows."""
    if classes is None:
        return None
    kept = classes.copy()
    kept[rows.cpu().numpy()] = -1
    return kept


def resampled(rows: Tensor, weights: Tensor, generator: Generator) -> Tensor:
    """Places of points as often as their weights say, in random order, by systematic resampling.

    Their number is the effective one, (Σ w)² / Σ w², but at least half of the points: few points of
    large weight should not hide the others. Batches are drawn with the weights themselves; these
    places are for everything that looks at some points at once.

    Args:
        rows: places in random order, (m,).
        weights: weights of all points, (n,), float64.
        generator: draws the order, on the CPU.
    """
    own = weights[rows]
    size = own.sum().square() / own.square().sum()
    n = max(1, round(max(float(size), len(rows) / 2)))
    at = (torch.arange(n, dtype=own.dtype, device=own.device) + 0.5) * own.sum() / n
    places = torch.searchsorted(own.cumsum(0), at, right=True).clamp_max(len(rows) - 1)
    order = torch.randperm(n, generator=generator).to(rows.device)
    return rows[places[order]]


def fresh_state(
    plan: Plan, parts: Ingredients, custom: Custom, members: tuple[int, ...] = ()
) -> TrainingState:
    """The state before the first iteration, drawn from the seed.

    Each of several processes gets its share of the chains. Everything is drawn on the CPU, so that
    a seed gives the same start on every device.

    Args:
        plan: the plan of the training.
        parts: its ingredients.
        custom: the user's objects and arrays that settings cannot hold.
        members: () for one network, (k,) for k networks side by side.
    """
    settings, device, previous = plan.settings, parts.data.device, custom.previous
    generator = Generator().manual_seed(settings.seed)
    model = planned_model(plan, custom, parts.base, members=members, generator=generator)
    log_prior = parts.log_prior.expand(*members, -1).clone()
    if members and settings.restarts.kmeans:
        n = settings.restarts.kmeans

        def fresh(drawing: Generator) -> EnergyClassifier:
            # The base is left out: all logits share it, so it does not change the clusters.
            return planned_model(plan, custom, None, members=(n,), generator=drawing)

        shares = kmeans_starts(
            settings,
            parts.data,
            parts.log_prior,
            model,
            rows=parts.rows,
            fresh=fresh,
            generator=generator,
        )
        if settings.prior == "learned":
            log_prior[-n:] = shares
    if parts.axes is not None:
        assert isinstance(model.encoder, OnAxes)  # planned
        model.encoder.place(*parts.axes)
    if isinstance(model, LinearClassifier) and previous is None:
        assert isinstance(parts.base, NormalizedGaussian)  # planned
        model.stand_on(copy.deepcopy(parts.base).cpu())
    model = model.to(device)
    if previous is not None:
        load_weights(model, previous.model)
    sampler = _sampler(plan, parts, previous, members, generator)
    buffer = ReplayBuffer(
        settings.sampler.buffer_size,
        sampler.start
        if isinstance(sampler, VeraSource) and previous is None
        else _ChainStart(parts.algorithm.box, parts.base, previous),
        reinit=settings.sampler.reinit,
        members=members,
        generator=Generator(device).manual_seed(settings.seed),
    )
    # All chains are drawn as for one process, and each process keeps its share.
    buffer.positions = share_of(buffer.positions, -2)
    return TrainingState(
        model=model,
        average=copy.deepcopy(model).requires_grad_(False),
        optimizer=Adam(model.parameters(), lr=parts.algorithm.learning_rate, fused=True),
        sampler=sampler,
        buffer=buffer,
        log_prior=log_prior.to(device),
        generator=Generator(device).manual_seed(own_seed(settings.seed + 1)),
        horizon=settings.max_iter,
    )


def planned_model(
    plan: Plan,
    custom: Custom,
    base: GaussianBase | MixtureBase | None,
    *,
    members: tuple[int, ...] = (),
    generator: Generator,
) -> EnergyClassifier:
    """The network in training: with the head of the method, in the precision of the plan."""
    settings, method = plan.settings, plan.method
    half = settings.precision == "bf16-mixed"
    return build_model(
        settings.encoder,
        plan.data.input_shape,
        method.projection or settings.n_clusters,
        base=base,
        module=custom.encoder,
        cosines=method.cosines,
        residual=settings.sampler.kind == "base",
        encoder_dtype=torch.bfloat16 if half else None,
        members=members,
        generator=generator,
    )


@dataclass(frozen=True)
class _ChainStart:
    """Draws new chains from the base, folded into the box, or uniformly from the box.

    A training that continues from a model draws from the last chains of that model.
    """

    box: Box
    base: GaussianBase | MixtureBase | None
    previous: TrainedModel | None

    def __call__(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        if self.previous is not None:
            chains = self.previous.chains
            index = torch.randint(len(chains), shape, generator=generator, device=generator.device)
            return chains.to(self.box.low.device)[index]
        if self.base is None:
            return self.box.uniform(shape, generator)
        return self.box.fold(self.base.sample(shape, generator))[0]


def _sampler(
    plan: Plan,
    parts: Ingredients,
    previous: TrainedModel | None,
    members: tuple[int, ...],
    generator: Generator,
) -> Move:
    settings, box = plan.settings, parts.algorithm.box
    is_vera, by_contrast = settings.sampler.kind == "vera", settings.sampler.kind == "base"
    moves = build_moves(
        settings.sampler,
        box,
        parts.anchors,
        parts.bandwidth,
        parts.base,
        members=() if is_vera else members,
    )
    if previous is not None:
        step_size = "moves.0.log_step_size"
        moves.load_state_dict({step_size: previous.sampler.state_dict()[step_size]}, strict=False)
    if by_contrast:
        assert parts.base is not None  # planned
        drawing = Generator(parts.data.device).manual_seed(settings.seed)
        draws = parts.base.sample((parts.n_stock,), drawing)
        return BaseDraws(draws, moves, settings.sampler.n_draws)
    if not is_vera:
        return moves
    return build_vera(
        settings.sampler,
        moves,
        box,
        plan.data.input_shape,
        parts.base,
        hidden=settings.encoder.hidden,
        smoothing=settings.data_noise,
        generator=generator,
    )


def _views(
    plan: Plan,
    data: Points,
    order: Tensor,
    scaling: Scaling,
    custom: Custom,
    *,
    pairs: Tensor | None,
) -> list[View]:
    """The views of the settings, then the user's functions and pairs.

    Pairs of neighbours (m, 2) take the place of neighbours that are searched for each batch.
    """
    shape, n_anchors = plan.data, plan.settings.sampler.n_anchors
    some = data[order[: max(affordable(REFERENCES, data.n_features), n_anchors)]]
    views = build_views(
        plan.settings.views if pairs is None else replace(plan.settings.views, neighbours=0),
        some,
        shape.image_shape,
        scaling,
        n_anchors=n_anchors,
    )
    if pairs is not None:
        views.append(Positives(data, pairs))
    views += [Own(function, scaling, shape.input_shape) for function in custom.views]
    if custom.positives is not None:
        views.append(Positives(data, torch.from_numpy(custom.positives).to(data.device)))
    return views


def _mutual_neighbours(
    data: Points, rows: Tensor, axes: PrincipalAxes | None, k: int, deadline: Deadline
) -> Tensor:
    """Places of points that are among the k nearest of each other along the axes, (m, 2).

    Args:
        data: all points.
        rows: places of the points among which neighbours are searched.
        axes: the axes; None is all features.
        k: the number of neighbours.
        deadline: when it is near, neighbours are searched among fewer points.
    """
    seen = _within(data[rows], True)
    along = seen if axes is None else (seen - axes.centre) @ axes.axes
    for m in growing(len(rows), _LEAST_NEIGHBOURED, deadline):
        pairs = mutual(nearest_by_products(along[:m], k))
    return rows[_of_all(torch.from_numpy(pairs), deadline).long().to(rows.device)]


def _within(x: Tensor, exact: bool) -> Tensor:
    """The points as a linear network sees them, with far values cut off."""
    return x.clamp(-FAR, FAR) if exact else x


def _base(
    plan: Plan,
    data: Tensor,
    previous: TrainedModel | None,
    source: Tensor | None,
    deadline: Deadline,
) -> tuple[GaussianBase | MixtureBase | None, SpectralMatrix | None]:
    """The base of the data with noise, and the shape of the noise.

    The noise in a table follows the covariance of the data: isotropic noise would be large along
    directions in which they hardly vary.

    Args:
        plan: the plan of the training.
        data: some points, (n, d), scaled.
        previous: a trained model to continue from.
        source: the places of these points among all, if some are there several times, (n,).
        deadline: of the choice of a mixture.
    """
    noise = plan.settings.data_noise
    if plan.settings.sampler.kind == "exact" and previous is None:
        return NormalizedGaussian.fit(_within(data, True), 0.0).to(data.device), None
    if plan.settings.sampler.kind == "base" and previous is None:
        generator = Generator().manual_seed(plan.settings.seed)
        known = None if source is None else source.cpu()
        mixture = MixtureBase.fit(data.cpu(), generator, known, deadline)
        return _of_all(mixture, deadline).to(data.device), None
    if previous is not None:
        base = copy.deepcopy(previous.model.base)
        shape = previous.smoothing.root
        kept = base.to(data.device) if isinstance(base, (GaussianBase, MixtureBase)) else None
        return kept, None if shape is None else copy.deepcopy(shape).to(data.device)
    if not plan.settings.encoder.base:
        return None, None
    if plan.data.image_shape is not None:
        return GaussianBase.fit(data, noise).to(data.device), None
    gaussian = GaussianBase.fit(data, 0.0).to(data.device)
    return gaussian.widened(math.sqrt(1 + noise**2)), gaussian.root if noise > 0 else None


def _outliers(
    plan: Plan, data: Points, scaling: Scaling, deadline: Deadline
) -> tuple[OutlierEnergy, Tensor] | None:
    if plan.data.image_shape is not None:
        return None
    generator = Generator().manual_seed(plan.settings.seed)
    energy, places = OutlierEnergy.fit(data[:], generator, deadline, origin=scaling.origin)
    return _of_all((energy.cpu(), places), deadline)


def _of_all(found: T, deadline: Deadline) -> T:
    """What all processes use: with a deadline, each may have got a little further than others."""
    return from_first(found) if deadline.is_set else found


def stock_size(n_features: int) -> int:
    """The most draws of the base from which those of a batch are taken."""
    return min(_STOCK, max(_LEAST_STOCK, _STOCKED // n_features))


def _n_stock(base: nn.Module | None, n_features: int, deadline: Deadline) -> int:
    """Draws of the base from which those of a batch are taken, as many as there is time for."""
    most = stock_size(n_features)
    if not deadline.is_set:
        return most
    assert isinstance(base, (GaussianBase, MixtureBase))  # planned
    begun = time.perf_counter()
    base.sample((_DRAWN,), Generator(base.mean.device).manual_seed(0))
    took = time.perf_counter() - begun
    n = max(min(most, _LEAST_STOCK), min(most, int(_DRAWN * deadline.left / took)))
    return from_first(n)


def _visible(dataset: Dataset) -> VisibleValues | None:
    if dataset.image_shape is not None:
        return None
    if isinstance(dataset, StreamedDataset):
        return VisibleValues.fit(dataset.x, dataset.shards.low, dataset.shards.high)
    return VisibleValues.fit(dataset.x)


def _renaming(custom: Custom, data: Points, weights: Weights) -> Renaming | None:
    """The search for new numbers, or None without a rule.

    Labels fix the number of each cluster from the start, but wrong numbers may satisfy a rule, too.
    """
    if custom.groups is None or weights.evidence == 0:
        return None
    n = max(1, _NAMED // custom.groups.rule.n_symbols)
    return Renaming(rule_evidence(custom.groups, data, n), weights)


def _batches(dataset: Dataset, data: Points, scaling: Scaling, seed: int) -> Points | Stream:
    if isinstance(dataset, StreamedDataset):
        return Stream(
            dataset.shards,
            scaling,
            data.device,
            seed=seed,
            rank=rank(),
            world_size=n_processes(),
        )
    return data


def _scaling(dataset: Dataset, *, robust: bool) -> Scaling:
    if robust:
        return Scaling.robust(dataset.x)
    if dataset.image_shape is None:
        if isinstance(dataset, StreamedDataset):
            return Scaling.standardise(dataset.x, dataset.shards.high - dataset.shards.low)
        return Scaling.standardise(dataset.x)
    low, high = dataset.value_range or value_range_of(dataset.x)
    return Scaling.from_range(low, high, dataset.x.shape[1])


def _streamed_corners(dataset: Dataset, scaling: Scaling, device: torch.device) -> Tensor | None:
    """The least and greatest values of a stream, (2, d), scaled; NaN where they are unknown."""
    if not isinstance(dataset, StreamedDataset):
        return None
    return scaling(np.stack([dataset.shards.low, dataset.shards.high])).to(device)


def _box(data: Points, noise: float, corners: Tensor | None) -> Box:
    """A box so wide that the data with noise reach no wall, even if a feature is constant."""
    low, high = data.box(0.0)
    if corners is not None:
        low, high = torch.fmin(low, corners[0]), torch.fmax(high, corners[1])
    box = Box.around(torch.stack([low, high]), _MARGIN)
    pad = 4 * noise + 0.1
    return Box(box.low - pad, box.high + pad)


def _union(box: Box, previous: Box) -> Box:
    other = previous.to(box.low)
    return Box(torch.minimum(box.low, other.low), torch.maximum(box.high, other.high))


def _log_prior(plan: Plan, previous: TrainedModel | None, partition: Partition | None) -> Tensor:
    """Log π at the start, (c,)."""
    prior = plan.settings.prior
    if partition is not None and prior == "learned" and plan.settings.restarts.n == 1:
        return partition.log_shares
    if previous is not None and prior == "learned":
        return previous.log_prior
    n = plan.method.projection or plan.settings.n_clusters
    shares = [1.0] * n if prior is None or isinstance(prior, str) else list(prior)
    weights = torch.tensor(shares, dtype=torch.float64)
    return (weights / weights.sum()).log().float()
