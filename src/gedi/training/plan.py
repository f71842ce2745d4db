"""The plan of a training, in which every default is decided before anything is built.

    plan = gedi.plan(dataset, settings)
    print(plan)

The best values of the settings that the user leaves open depend on the data (the number of points
and of features, images or not), on the method and on the evidence for some points. `plan` decides
all of them, and no later code decides them again. A plan is immutable and has no open setting.
"""

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import TypeVar

import torch
from torch import Generator

from gedi.data.dataset import Dataset
from gedi.data.points import is_mapped
from gedi.data.shards import StreamedDataset
from gedi.deadline import Deadline
from gedi.errors import DataError, SettingsError
from gedi.methods import BUILT_IN, Method
from gedi.model.base import GaussianBase
from gedi.model.build import build_model
from gedi.model.classifier import EnergyClassifier
from gedi.model.kinds import is_convolutional, is_plugged, plugged_module
from gedi.model.linear import LinearClassifier
from gedi.model.mixture import MixtureBase
from gedi.model.scaling import Scaling
from gedi.model.sizes import NetworkSize, network_size
from gedi.objective import balance_threshold
from gedi.sampling import likeliest_bandwidth
from gedi.settings import (
    RestartSettings,
    SamplerKind,
    Settings,
    VeraSettings,
    ViewSettings,
    WeightSettings,
    check,
    method_name,
)
from gedi.settings.complete import (
    CompleteSettings,
    EncoderChoice,
    ViewChoice,
    complete,
)
from gedi.settings.presets import COLOURS, NEUTRAL, preset
from gedi.training.consensus import FEWEST
from gedi.training.custom import Custom
from gedi.training.processes import load_libraries
from gedi.training.refusals import (
    check_evidence,
    check_method,
    check_pool,
    check_processes,
    check_restarts,
    check_vera,
    check_views,
    refuse_colour_views,
    refuse_image_views,
    refuse_places,
    refuse_to_find_number,
)
from gedi.training.starts import FoundNumber, find_number

__all__ = ["DataShape", "Plan", "default_prior_weight", "grown_settings", "plan", "plan_views"]

T = TypeVar("T")

_KERNELS = 1000  # points from which the width of kernels is estimated
_BY_HEART = 1000  # points that a network memorises
_LEAST_NOISE = 0.01
_CONVOLVED = 16  # pixels per side from which the default network is convolutional
_SMALL = 50_000  # parameters below which several networks cost little more than one
_STORED = 10_000_000  # parameters below which a network is built with storage to be measured
_NOISE, _ADVERSARIAL, _NEIGHBOURS = 0.5, 0.18, 10  # the first two in units of the local scale
# At twice this strength, fours and nines of MNIST share clusters, since the worst change of one is
# the other. Neighbours in pixels mean little: with them, clusters of images stay blurred.
_ADVERSARIAL_LARGE, _NEIGHBOURS_LARGE = 0.15, 0
_FEW_FEATURES = 100  # the most features with which the training is held to the pool's partition
_AXES, _POINTS_EACH = 100, 10  # axes that a network sees, with fewer points than this a feature
_SHORT, _LONG = 200, 2000  # iterations from a pool of partitions, and from random weights
_PATIENT, _VERY_PATIENT = 100, 1000  # iterations without progress, of the two
_SEARCH = 0.5  # share of max_time in which the number of clusters is found
_ITERATIONS = {"base": _SHORT, "exact": 300}  # without chains
_HEADS = 16  # networks of a head alone, side by side
_NEIGHBOURS_EXACT = 20  # of which those are views that are mutual


@dataclass(frozen=True)
class DataShape:
    """The facts about the data that a plan depends on.

    Attributes:
        name: the name of the data set.
        n_rows: the number of points in the training.
        n_points: the number of points in memory: all of them, or the sample of a stream.
        input_shape: the shape of one point, (d,) or (C, H, W).
        itemsize: the bytes of a number, 1 for images of bytes.
        in_file: whether the points stay in the file from which they are mapped.
        buffered: the bytes that a stream holds in addition to its sample.
        is_stream: whether the rows are read during the training.
    """

    name: str
    n_rows: int
    n_points: int
    input_shape: tuple[int, ...]
    itemsize: int
    in_file: bool
    buffered: int
    is_stream: bool

    @classmethod
    def of(cls, dataset: Dataset) -> "DataShape":
        """The shape of a data set."""
        n, d = dataset.x.shape
        stream = isinstance(dataset, StreamedDataset)
        return cls(
            name=dataset.name,
            n_rows=dataset.n_rows,
            n_points=n,
            input_shape=dataset.image_shape or (d,),
            itemsize=dataset.x.itemsize,
            in_file=is_mapped(dataset.x),
            buffered=dataset.shards.held_bytes if isinstance(dataset, StreamedDataset) else 0,
            is_stream=stream,
        )

    @property
    def n_features(self) -> int:
        """The number of features, d."""
        return math.prod(self.input_shape)

    @property
    def image_shape(self) -> tuple[int, int, int] | None:
        """(C, H, W) if the points are images, otherwise None."""
        if len(self.input_shape) != 3:
            return None
        channels, height, width = self.input_shape
        return channels, height, width


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before a training begins.

    Attributes:
        settings: the user's settings, completed with the chosen defaults.
        method: computes the terms from a batch.
        data: the shape of the data.
        network: the size of one network.
        known_share: the number of inputs with evidence in an iteration, as a share of the batch
            size.
        on_cuda: whether the training runs on CUDA devices.
        cuda_graph: whether iterations are launched as CUDA graphs.
        devices: the number of processes on each machine.
        nodes: the number of machines.
        found: how the number of clusters was found; None if it was known.
    """

    settings: CompleteSettings
    method: Method
    data: DataShape
    network: NetworkSize
    known_share: float
    on_cuda: bool
    cuda_graph: bool
    devices: int
    nodes: int
    found: FoundNumber | None = None

    @property
    def n_processes(self) -> int:
        """The number of processes that train together."""
        return self.devices * self.nodes

    @property
    def seeks_consensus(self) -> bool:
        """Whether one network goes on from the consensus of all restarts, not from the best.

        This needs networks of a head alone, which can be averaged, and clusters without a meaning
        of their own.
        """
        settings = self.settings
        named = self.known_share > 0 or isinstance(settings.prior, list)
        enough = settings.restarts.n >= FEWEST and settings.views.neighbours > 0
        return settings.sampler.kind == "exact" and enough and not named

    @property
    def multiplications(self) -> int:
        """The approximate number of multiplications in an iteration; it decides the threads."""
        return self.network.parameters * self.settings.batch_size * self.settings.restarts.n

    def __str__(self) -> str:
        settings, data = self.settings, self.data
        is_image = data.image_shape is not None
        shape = " x ".join(map(str, data.input_shape))
        points = f"{data.n_rows:,} images of {shape}" if is_image else f"{data.n_rows:,} x {shape}"
        weights = settings.weights
        terms = {"GEN": weights.gen, "INV": weights.inv, "PRIOR": weights.prior}
        lines = [
            f"{data.name}: {points}, {settings.n_clusters} clusters by {method_name(settings)}, "
            + ", ".join(f"{name} x {weight:.3g}" for name, weight in terms.items() if weight),
            f"{self._networks}; batches of {settings.batch_size}, "
            f"{settings.max_iter} iterations at most",
        ]
        if self.found is not None:
            lines.append(str(self.found.number))
        if settings.data_noise:
            unit = "the pixels' half range" if is_image else "the data's spread"
            lines.append(
                f"GEN sees the points with noise of {settings.data_noise:.2g} of {unit}, because "
                f"there are {data.n_rows:,}"
            )
        return "\n".join(lines)

    @property
    def _networks(self) -> str:
        """How many networks there are, how they start, and which of them goes on."""
        restarts, encoder = self.settings.restarts, self.settings.encoder
        widths = "".join(f"-{width}" for width in encoder.hidden)
        network = f"{encoder.kind}{widths} with {self.network.parameters:,} parameters"
        if restarts.n == 1:
            start = " that starts from the best partition of a pool" if restarts.pool else ""
            return f"one network{start}: {network}"
        starts = f", {restarts.kmeans} of them from k-means," if restarts.kmeans else ""
        rest = "the one with the smallest collapse gap"
        if self.settings.sampler.kind == "exact":
            starts = ", one of them from the best partition of a pool," if restarts.pool else ""
            rest = "the one with clusters that neighbours share most"
        if self.seeks_consensus:
            rest = "one that starts from their consensus"
        until = f"until iteration {restarts.iterations}, then {rest}"
        return f"{restarts.n} networks{starts} {until}: {network}"


def default_prior_weight(n_clusters: int) -> float:
    """The default w_prior for w_inv = 1: 1 + 7.7 (t - 1), where t is the balance threshold.

    This is 1 for two clusters, 1.3 for three, 4 for ten, and 13 for a hundred. With many clusters
    it is well above the threshold, where a batch could still collapse into one of them, but not so
    large that balance outweighs the other terms.

    Args:
        n_clusters: the number of clusters.
    """
    return 1 + 7.7 * (balance_threshold(n_clusters) - 1)


def plan(
    dataset: Dataset,
    settings: Settings,
    custom: Custom = Custom(),
    *,
    devices: int = 1,
    nodes: int = 1,
    begun: float | None = None,
) -> Plan:
    """Decide everything that the settings leave open.

    Args:
        dataset: the points; their labels are not used.
        settings: the settings that the user chose.
        custom: the user's objects and arrays that settings cannot hold.
        devices: the number of processes on each machine.
        nodes: the number of machines.
        begun: the `time.perf_counter()` from which `max_time` counts; None means now.

    Raises:
        SettingsError: if settings contradict each other, the data or the machine.
        DataError: if there are fewer points than clusters.
        PluginError: if the encoder or the method belongs to a plug-in that is not installed.
    """
    check(settings)
    shape = DataShape.of(dataset)
    method = custom.chosen_method(settings)
    kind = _sampler_kind(settings, method, shape, custom)
    encoder = _encoder(settings, method, shape, custom, sampler=kind)
    deadline = Deadline.after(settings.max_time, begun)
    n_clusters, found = _number(
        dataset, settings, custom, encoder.components, deadline, n_processes=devices * nodes
    )
    if shape.n_points < n_clusters:
        raise DataError(f"{shape.name}: {shape.n_points} points cannot form {n_clusters} clusters")
    if shape.is_stream:
        refuse_places(custom)
    network = _network(encoder, method, n_clusters, shape, custom, by_contrast=kind == "base")
    settings = replace(
        settings,
        sampler=replace(settings.sampler, kind=kind),
        max_iter=settings.max_iter or _ITERATIONS.get(kind, _LONG),
        patience=settings.patience or (_PATIENT if kind in _ITERATIONS else _VERY_PATIENT),
    )
    decided = _decided(
        settings,
        method,
        shape,
        custom,
        n_clusters=n_clusters,
        encoder=encoder,
        n_parameters=network.parameters,
    )
    check(decided)
    if not custom.has_views:
        check_views(decided, shape.image_shape)
    check_restarts(decided)
    check_pool(decided, custom)
    if decided.sampler.kind == "vera":
        check_vera(decided, shape.image_shape)
    check_processes(decided, devices * nodes)
    if decided.data_noise is None and decided.sampler.kind in _ITERATIONS:
        # Held-out points keep its density smooth.
        decided = replace(decided, data_noise=0.0)
    if decided.data_noise is None:
        noise = _noise(dataset, convolved=is_convolutional(encoder.kind))
        decided = replace(decided, data_noise=noise)
    on_cuda = _on_cuda(decided)
    finished = complete(decided)
    return Plan(
        settings=finished,
        method=method,
        data=shape,
        network=network,
        known_share=custom.known_share,
        on_cuda=on_cuda,
        cuda_graph=_cuda_graph(finished, custom, on_cuda, devices * nodes),
        devices=devices,
        nodes=nodes,
        found=found,
    )


def _number(
    dataset: Dataset,
    settings: Settings,
    custom: Custom,
    n_axes: int,
    deadline: Deadline,
    *,
    n_processes: int,
) -> tuple[int, FoundNumber | None]:
    """The number of clusters, and how it was found unless it is known."""
    known = _known_number(dataset, settings, custom)
    if known is not None:
        return known, None
    refuse_to_find_number(dataset, custom)
    if deadline.is_set:
        load_libraries(settings.device, n_processes)
    search = deadline.share(_SEARCH)
    found = find_number(dataset.x, settings.seed, n_axes=n_axes, deadline=search)
    return found.number.n_clusters, found


def _known_number(dataset: Dataset, settings: Settings, custom: Custom) -> int | None:
    if isinstance(settings.n_clusters, int):
        return settings.n_clusters
    if custom.previous is not None:
        return custom.previous.n_clusters
    if isinstance(settings.prior, list):
        return len(settings.prior)
    return dataset.n_classes if settings.n_clusters is None else None


def _decided(
    settings: Settings,
    method: Method,
    shape: DataShape,
    custom: Custom,
    *,
    n_clusters: int,
    encoder: EncoderChoice,
    n_parameters: int,
) -> Settings:
    """The settings with all defaults that do not depend on the values of the points."""
    d, kind = shape.n_features, encoder.kind
    convolved = is_convolutional(kind)
    small = not convolved and n_parameters < _SMALL
    usual_size = 512 if settings.sampler.kind == "exact" else 400 if d <= 2 else 256
    batch_size = settings.batch_size or usual_size
    buffer_size = settings.sampler.buffer_size or batch_size
    if buffer_size < batch_size:
        raise SettingsError(
            f"setting sampler.buffer_size: expected at least the batch size {batch_size}, "
            f"got {buffer_size}"
        )
    exact = settings.sampler.kind == "exact"
    weights = _weights(
        settings.weights,
        method,
        d,
        n_clusters,
        convolved=convolved,
        chains=settings.sampler.kind not in _ITERATIONS,
    )
    check_method(settings, weights, method, custom)
    check_evidence(settings, weights, custom)
    restarts = _restarts(
        settings.restarts if "prior" in method.gives else replace(settings.restarts, n=1),
        weights,
        settings.max_iter or _LONG,
        custom,
        kind,
        small=small,
        image=shape.image_shape is not None,
        base=encoder.base,
        sampler=settings.sampler.kind,
    )
    return replace(
        settings,
        method=method.name,
        n_clusters=n_clusters,
        prior=settings.prior or ("learned" if restarts.pool or exact else "uniform"),
        batch_size=batch_size,
        weights=weights,
        learning_rate=settings.learning_rate or _learning_rate(kind, small=small and not exact),
        gen_slowdown=settings.gen_slowdown or _gen_slowdown(weights, convolved=convolved),
        encoder=encoder,
        sampler=replace(
            settings.sampler,
            buffer_size=buffer_size,
            n_steps=settings.sampler.n_steps or (10 if convolved else 4),
            every=settings.sampler.every or (5 if convolved else 1),
            vera=_vera(settings.sampler.vera, shape),
        ),
        views=plan_views(
            settings.views, shape.image_shape, two_views=method.two_views, exact=exact
        ),
        restarts=restarts,
    )


def _encoder(
    settings: Settings, method: Method, shape: DataShape, custom: Custom, *, sampler: SamplerKind
) -> EncoderChoice:
    """The kind of network and its widths."""
    chosen, d = settings.encoder, shape.n_features
    by_contrast, exact = sampler == "base", sampler == "exact"
    kind = chosen.kind or ("linear" if exact else _kind(settings, shape, custom))
    if exact != (kind == "linear"):
        raise SettingsError(
            "settings encoder.kind and sampler.kind: linear and exact expect each other, as log Z "
            f"of other networks is unknown; got {kind} and {sampler}"
        )
    if is_convolutional(kind) and shape.image_shape is None:
        raise SettingsError(f"setting encoder.kind: {kind} is for images, but these are vectors")
    if kind != "mlp" and chosen.hidden:
        raise SettingsError(
            f"setting encoder.hidden: {kind} has widths of its own: leave it out, or take kind mlp"
        )
    usual = [100, 100] if d <= 32 else [256, 256] if by_contrast else [512, 512]
    sees_axes = exact or (by_contrast and kind == "mlp")
    if chosen.components and not sees_axes:
        raise SettingsError(
            "setting encoder.components: is for sampler.kind base, with an mlp, or exact: leave it "
            "out"
        )
    few = sees_axes and d > _FEW_FEATURES and shape.n_points < _POINTS_EACH * d
    axes = _or(chosen.components, min(_AXES, shape.n_points // 2) if few or exact else 0)
    if exact:
        axes = max(1, axes)
    return EncoderChoice(
        kind=kind,
        hidden=list(chosen.hidden or usual) if kind == "mlp" else [],
        base=by_contrast or exact or _or(chosen.base, d > 2 and "gen" in method.gives),
        components=min(axes, d, shape.n_points - 1),
    )


def _sampler_kind(
    settings: Settings, method: Method, shape: DataShape, custom: Custom
) -> SamplerKind:
    """The source of negatives: none where log Z is exact, draws of the base, or else chains.

    An affine head is enough for many features, which are most often those of a network. A training
    that goes on from a model keeps the kind of its base. Encoders of the user, and trainings with
    known classes or groups, do not start from a pool of partitions, and without that start chains
    find better clusters.
    """
    kind = settings.sampler.kind
    hindrances = _base_hindrances(settings, method, shape)
    more = hindrances + _exact_hindrances(custom, shape)
    wrong = {"base": hindrances, "exact": more}.get(kind or "")
    if wrong:
        raise SettingsError(f"setting sampler.kind: {kind} expects {wrong[0]}")
    if kind is not None:
        return kind
    if settings.encoder.kind == "linear" and not more:
        return "exact"
    if custom.previous is not None:
        if isinstance(custom.previous.model, LinearClassifier) and not more:
            return "exact"
        suits = isinstance(custom.previous.model.base, MixtureBase)
    else:
        own = custom.encoder is not None or is_plugged(settings.encoder.kind)
        suits = not own and not custom.names_clusters
        usual = settings.encoder.kind is None and settings.encoder.hidden is None
        several = settings.n_clusters != 1
        if suits and usual and several and shape.n_features > _FEW_FEATURES and not more:
            return "exact"
    return "base" if suits and not hindrances else "langevin"


def _exact_hindrances(custom: Custom, shape: DataShape) -> list[str]:
    """What an exact log Z expects besides what draws of the base do; empty if it can be used."""
    hindrances = {
        "a network of its own, but there is one of yours": custom.encoder is not None,
        "rows in memory, but these are streamed": shape.is_stream,
    }
    return [expected for expected, holds in hindrances.items() if holds]


def _base_hindrances(settings: Settings, method: Method, shape: DataShape) -> list[str]:
    """What draws of the base expect but do not find; empty if they can be used."""
    hindrances = {
        "vectors, but these are images": shape.image_shape is not None,
        "a built-in method with GEN": method.name not in BUILT_IN or "gen" not in method.gives,
        "encoder.base true or null": settings.encoder.base is False,
        "a positive weights.gen": settings.weights.gen == 0,
    }
    return [expected for expected, holds in hindrances.items() if holds]


def _network(
    encoder: EncoderChoice,
    method: Method,
    n_clusters: int,
    shape: DataShape,
    custom: Custom,
    *,
    by_contrast: bool,
) -> NetworkSize:
    """The size of one network.

    Large built-in networks are built without storage. The first operation without storage imports
    torch's compiler, which takes seconds, so small ones are built as usual; and so is a module of
    the user or of a plug-in, which may need storage.
    """
    module = custom.encoder
    if module is None and is_plugged(encoder.kind):
        module = plugged_module(encoder.kind, shape.input_shape, Generator())

    def built(device: str) -> EnergyClassifier:
        with torch.device(device):
            return build_model(
                encoder,
                shape.input_shape,
                method.projection or n_clusters,
                module=module,
                cosines=method.cosines,
                residual=by_contrast,
                generator=Generator(),
            )

    model = built("meta" if module is None else "cpu")
    if module is None and sum(each.numel() for each in model.parameters()) < _STORED:
        model = built("cpu")
    return network_size(model, shape.input_shape)


def _on_cuda(settings: Settings) -> bool:
    """Whether the training runs on CUDA devices.

    Raises:
        SettingsError: if they are set and there are none.
    """
    is_there = torch.cuda.is_available()
    if settings.device == "cuda" and not is_there:
        raise SettingsError("setting device: expected a CUDA device, but none was found")
    return settings.device != "cpu" and is_there


def _cuda_graph(
    settings: CompleteSettings, custom: Custom, on_cuda: bool, n_processes: int
) -> bool:
    """Whether iterations become CUDA graphs: by default if all of their code is built in.

    Raises:
        SettingsError: if they are set but not possible.
    """
    hindrances = {
        "the device is not cuda": not on_cuda,
        f"there are {n_processes} processes": n_processes > 1,
        "sampler.kind is vera": settings.sampler.kind == "vera",
        "sampler.kind is base or exact": settings.sampler.kind in _ITERATIONS,
        "something is known of some inputs": custom.names_clusters,
        "the training continues from a trained model": custom.previous is not None,
    }
    found = [reason for reason, holds in hindrances.items() if holds]
    if settings.cuda_graph and found:
        raise SettingsError(f"setting cuda_graph: expected null or false where {found[0]}")
    if settings.cuda_graph is None:
        own = custom.encoder is not None or is_plugged(settings.encoder.kind)
        return not found and not own and settings.method in BUILT_IN
    return settings.cuda_graph


def grown_settings(
    settings: CompleteSettings, n_clusters: int, *, seed: int | None, max_time: float | None
) -> Settings:
    """The settings of a training on grown data.

    It trains one network, which starts from clusters that are known. The weight of the prior
    depends on their number, unless it was chosen.

    Args:
        settings: of the training before it.
        n_clusters: the number of clusters, old and new.
        seed: None for that of the training before it.
        max_time: in seconds; None for that of the training before it.
    """
    usual = settings.weights.prior == default_prior_weight(settings.n_clusters)
    prior = None if usual else settings.weights.prior
    return replace(
        Settings(**{field.name: getattr(settings, field.name) for field in fields(Settings)}),
        n_clusters=n_clusters,
        seed=settings.seed if seed is None else seed,
        max_time=settings.max_time if max_time is None else max_time,
        restarts=RestartSettings(pool=True, n=1),
        weights=WeightSettings(**asdict(settings.weights) | {"prior": prior}),
    )


def plan_views(
    views: ViewSettings,
    image_shape: tuple[int, int, int] | None,
    *,
    two_views: bool = False,
    exact: bool = False,
) -> ViewChoice:
    """Decide the strengths of the views; those of images stay open for tables.

    Methods that compare two views of each image use the preset alone, without adversarial views
    and without neighbours.

    Args:
        views: the settings of the user.
        image_shape: (C, H, W); None for tables.
        two_views: whether the method compares two views.
        exact: whether log Z is exact; views are then mutual neighbours.

    Raises:
        SettingsError: if the data cannot have one of the views.
    """
    if image_shape is None:
        refuse_image_views(views)
        strengths: dict[str, float] = {}
        kind = None
    else:
        kind = views.preset or ("natural" if image_shape[0] == 3 else "digits")
        strengths = preset(kind)
        if image_shape[0] != 3:
            refuse_colour_views(views, image_shape[0])
            strengths |= {name: NEUTRAL[name] for name in COLOURS}
    alone = two_views and image_shape is not None
    large = image_shape is not None and min(image_shape[1:]) >= _CONVOLVED
    given = {name: getattr(views, name) for name in strengths}
    chosen = {each.name: getattr(views, each.name) for each in fields(ViewSettings)}
    decided = dict(
        noise=_or(views.noise, 0.0 if exact else _NOISE),
        adversarial=_or(
            views.adversarial,
            0.0 if alone or exact else _ADVERSARIAL_LARGE if large else _ADVERSARIAL,
        ),
        neighbours=_or(
            views.neighbours,
            0
            if alone
            else _NEIGHBOURS_EXACT
            if exact
            else _NEIGHBOURS_LARGE
            if large
            else _NEIGHBOURS,
        ),
        preset=kind,
        **{name: _or(given[name], strength) for name, strength in strengths.items()},
    )
    return ViewChoice(**(chosen | decided))


def _weights(
    chosen: WeightSettings,
    method: Method,
    d: int,
    n_clusters: int,
    *,
    convolved: bool,
    chains: bool,
) -> WeightSettings:
    """The weights; they are zero for terms that the method does not give, unless set."""
    # What is compared with a density that is known is bounded for any number of features.
    usual = _gen_weight(d, convolved=convolved) if chains else 1.0
    gen = usual if "gen" in method.gives else 0.0
    prior = default_prior_weight(n_clusters) if "prior" in method.gives else 0.0
    weights = replace(
        chosen,
        gen=_or(chosen.gen, gen),
        prior=_or(chosen.prior, prior),
        start=_or(chosen.start, 1.0 if d <= _FEW_FEATURES else 0.0),
    )
    if convolved and weights.gen != 0:
        # The energies of points, sums of d squares, differ from each other by about this much.
        weights = replace(weights, max_contrast=_or(weights.max_contrast, math.sqrt(d)))
    # A weight at its default was not set by the user.
    unasked = "inv" not in method.gives and chosen.inv == WeightSettings().inv
    return replace(weights, inv=0.0) if unasked else weights


def _vera(chosen: VeraSettings, shape: DataShape) -> VeraSettings:
    is_image = shape.image_shape is not None
    return replace(
        chosen,
        latents=chosen.latents or min(64, max(2, shape.n_features)),
        n_importance=chosen.n_importance or (5 if is_image else 20),
    )


def _gen_weight(n_features: int, *, convolved: bool) -> float:
    """The default w_gen: it falls with the number of features, since the energies grow with it.

    It is ten times larger for convolutional networks, which would otherwise not learn a density
    together with the other terms: on MNIST, with a tenth of it, samples were as far from images as
    those of the Gaussian base.
    """
    return min(1.0, (40 if convolved else 4) / n_features)


def _learning_rate(kind: str, *, small: bool) -> float:
    return 4e-3 if small else {"mlp": 2e-3, "conv": 3e-3, "linear": 2e-2}.get(kind, 1e-3)


def _gen_slowdown(weights: WeightSettings, *, convolved: bool) -> float:
    """The factor of the learning rate under GEN: a quarter where GEN would outrun its chains.

    This happens where GEN is alone, since Adam then spends its whole step on it: at a factor of a
    half, two of three seeds on digits drifted away from the data. It also happens in convolutional
    networks, where the other terms converge early: on MNIST at the full rate, energies reached
    millions of nats.
    """
    alone = weights.inv == 0 and weights.prior == 0
    return 0.25 if weights.gen != 0 and (alone or convolved) else 1.0


def _restarts(
    chosen: RestartSettings,
    weights: WeightSettings,
    max_iter: int,
    custom: Custom,
    kind: str,
    *,
    small: bool,
    image: bool,
    base: bool,
    sampler: SamplerKind | None,
) -> RestartSettings:
    if custom.previous is not None:  # the previous model continues with all terms at once
        gen = weights.gen != 0
        return RestartSettings(
            False, 1, kmeans=0, iterations=1, gen=gen, warmup=0, ramp=0, score_matching=0
        )
    clustering = weights.inv > 0 or weights.prior != 0
    if sampler == "exact":
        pool = clustering and not custom.names_clusters
        return _exact_restarts(chosen, max_iter, n=_HEADS if clustering else 1, pool=pool)
    vera, by_contrast = sampler == "vera", sampler == "base"
    # No k-means for images, whose distances mean little, for given encoders, which should not
    # unlearn, and for known classes, whose numbers are fixed.
    codes = clustering and not (image or custom.encoder is not None or custom.names_clusters)
    # No score matching with a base, where chains start at the data; with VERA, whose sampler
    # follows one network; or with evidence, which should shape the clusters before the energy does.
    passed = base or vera or by_contrast or custom.names_clusters
    matches = small and not (passed or chosen.gen is False or chosen.score_matching == 0)
    matched = matches and weights.gen != 0
    # One network that starts from the best partition of a pool needs no others.
    several = clustering and not (by_contrast and codes)
    n = chosen.n or (_starts(codes, kind, small=small, matched=matched) if several else 1)
    pool = _or(chosen.pool, by_contrast and codes and n == 1)
    # Without clustering terms there is no gap by which to choose.
    together = _or(chosen.gen, by_contrast or (small and not (vera and n > 1)))
    gen = weights.gen != 0 and (together or not clustering)
    kmeans = 1 if matched else math.ceil(n / 3)
    usual = (300 if matched else 600) if small else 250 if is_convolutional(kind) else 450
    iterations = chosen.iterations or min(usual, max(1, max_iter // 3))
    return replace(
        chosen,
        pool=pool,
        n=n,
        kmeans=_or(chosen.kmeans, kmeans if codes and n > 1 else 0),
        iterations=iterations,
        gen=gen,
        warmup=_or(chosen.warmup, iterations // 2),
        ramp=_or(chosen.ramp, iterations // 3),
        score_matching=_or(chosen.score_matching, 2 * iterations // 3 if matched else 0),
    )


def _exact_restarts(
    chosen: RestartSettings, max_iter: int, *, n: int, pool: bool
) -> RestartSettings:
    """Many small networks: the last from a pool of partitions, the others from random weights."""
    return replace(
        chosen,
        pool=_or(chosen.pool, pool),
        n=chosen.n or n,
        kmeans=_or(chosen.kmeans, 0),
        iterations=chosen.iterations or max(1, max_iter // 2),
        gen=_or(chosen.gen, True),
        warmup=_or(chosen.warmup, 0),
        ramp=_or(chosen.ramp, 0),
        score_matching=_or(chosen.score_matching, 0),
    )


def _starts(codes: bool, kind: str, *, small: bool, matched: bool) -> int:
    """The number of networks trained side by side.

    Large networks on tables take as much memory as the data. Networks that start with score
    matching need only one that starts from k-means.
    """
    if kind != "mlp":  # other networks are not faster side by side
        return 3
    if codes:
        return (5 if matched else 6) if small else 4
    return 4 if small else 8


def _noise(dataset: Dataset, *, convolved: bool) -> float:
    """The default noise of the data.

    For images it is a tenth of half their range, or three tenths for convolutional networks. Their
    energies of sharp images are so steep that the steps of the chains shrink to nothing and the
    energies diverge: on MNIST within 1,500 iterations at 0.1.

    For tables it is the width at which points are likeliest under kernels around all others, in
    whitened coordinates, which limits what a network can memorise of few points. It falls as the
    number of points exceeds what a network memorises, and is 0 in one or two dimensions.
    """
    if dataset.image_shape is not None:
        return 0.3 if convolved else 0.1
    n, d = dataset.x.shape
    if d <= 2:
        return 0.0
    some = dataset.x[:: math.ceil(n / _KERNELS)]
    z = Scaling.standardise(some)(some)
    base = GaussianBase.fit(z, 0.0)
    width = likeliest_bandwidth(base.whiten(z))
    noise = width * _BY_HEART / (_BY_HEART + dataset.n_rows)
    return noise if noise >= _LEAST_NOISE else 0.0


def _kind(settings: Settings, shape: DataShape, custom: Custom) -> str:
    """The default kind: convolutional for images of 16 or more pixels per side, else an MLP.

    Given widths or a given module make it an MLP, too.
    """
    given = settings.encoder.hidden is not None or custom.encoder is not None
    small = shape.image_shape is None or min(shape.image_shape[1:]) < _CONVOLVED
    return "mlp" if small or given else "conv"


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
