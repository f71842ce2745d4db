"""Settings that are chosen from the data, when the user leaves them open."""

import math
from dataclasses import replace
from typing import TypeVar

from torch import Generator, nn

from gedi.data.dataset import Dataset
from gedi.errors import DataError, SettingsError
from gedi.methods import Method
from gedi.model.base import GaussianBase
from gedi.model.kinds import is_convolutional, is_plugged, plugged_module
from gedi.model.scaling import Scaling
from gedi.objective import balance_threshold
from gedi.sampling import likeliest_bandwidth
from gedi.settings import (
    EncoderSettings,
    RestartSettings,
    Settings,
    VeraSettings,
    ViewSettings,
    WeightSettings,
    check,
)
from gedi.settings.presets import NEUTRAL, changes_images, preset
from gedi.training.custom import Custom

__all__ = ["default_prior_weight", "of_one_process", "resolve", "resolve_views"]

T = TypeVar("T")

_KERNELS = 1000  # points that the width of kernels is read off
_BY_HEART = 1000  # points that a network learns by heart
_LEAST_NOISE = 0.01
_CONVOLVED = 16  # pixels a side, from where on networks are convolutional
_SMALL = 50_000  # parameters; below, several networks side by side cost little more than one
_ADVERSARIAL, _NEIGHBOURS = 0.18, 10  # the first in units of the local scale
# At twice this, fours and nines of MNIST share their clusters, as one's worst change is the other.
# And to be among the nearest in pixels means little: with neighbours clusters stay blurred.
_ADVERSARIAL_LARGE, _NEIGHBOURS_LARGE = 0.15, 0
_COLOURS = ("jitter", "grey")  # views of images of three channels


def default_prior_weight(n_clusters: int) -> float:
    """w_prior for w_inv = 1: 1 for two clusters, 1.3 for three, 4 for ten, 13 for a hundred.

    1 + 7.7 (t - 1), where t is the balance threshold: well above it for many clusters, where a
    batch otherwise still slides into one of them, and not so far that balance drowns all else.
    """
    return 1 + 7.7 * (balance_threshold(n_clusters) - 1)


def resolve(settings: Settings, dataset: Dataset, custom: Custom = Custom()) -> Settings:
    """Fill in every setting that the data decides, or what the user brings.

    Raises:
        SettingsError: for settings that contradict each other or the data.
        DataError: for fewer points than clusters.
    """
    check(settings)
    method = custom.chosen_method(settings)
    n, d = dataset.x.shape
    n_clusters = settings.n_clusters or dataset.n_classes
    if n_clusters is None:
        raise SettingsError(
            "setting n_clusters: expected how many clusters to look for, such as --n-clusters 5; "
            "docs/estimators.md compares several numbers without labels"
        )
    if n < n_clusters:
        raise DataError(f"{dataset.name}: {n} points cannot form {n_clusters} clusters")
    hidden = settings.encoder.hidden or ([100, 100] if d <= 32 else [512, 512])
    batch_size = settings.batch_size or (400 if d <= 2 else 256)
    buffer_size = settings.sampler.buffer_size or batch_size
    if buffer_size < batch_size:
        raise SettingsError(
            f"setting sampler.buffer_size: expected at least the batch size {batch_size}, "
            f"got {buffer_size}"
        )
    kind = settings.encoder.kind or _kind(settings, dataset, custom)
    convolved = is_convolutional(kind)
    if convolved and dataset.image_shape is None:
        raise SettingsError(f"setting encoder.kind: {kind} is for images, but these are vectors")
    if kind != "mlp" and settings.encoder.hidden is not None:
        raise SettingsError(
            f"setting encoder.hidden: {kind} has widths of its own: leave it out, or take kind mlp"
        )
    base = _or(settings.encoder.base, d > 2 and "gen" in method.gives)
    encoder = _own_encoder(kind, dataset, custom)
    small = not convolved and _size(d, hidden, encoder) < _SMALL
    weights = _weights(settings.weights, method, d, n_clusters, convolved=convolved)
    if convolved and weights.gen != 0:
        # About how much the energies of points differ from each other, as d squares add up to them.
        weights = replace(weights, max_contrast=_or(weights.max_contrast, math.sqrt(d)))
    _check_method(settings, weights, method, custom)
    if custom.like is not None and (custom.names_clusters or isinstance(settings.prior, list)):
        raise SettingsError(
            "like: clusters have names already, by known classes, a rule, or a prior of their own; "
            "leave out one of the two"
        )
    if weights.evidence != 1 and not custom.names_clusters:
        raise SettingsError(
            "setting weights.evidence: expected known classes or groups under a rule, whose weight "
            "it is; got neither"
        )
    evidence = weights.evidence if custom.names_clusters else 0.0
    if weights.gen == weights.inv == weights.prior == evidence == 0:
        raise SettingsError("settings weights: all are zero, so there is nothing to train")
    # Where it is given, the covariance of the data is not computed here.
    noise = settings.data_noise
    resolved = replace(
        settings,
        method=method.name,
        n_clusters=n_clusters,
        batch_size=batch_size,
        data_noise=_noise(dataset, convolved=convolved) if noise is None else noise,
        weights=weights,
        learning_rate=settings.learning_rate or _learning_rate(kind, small=small),
        gen_slowdown=settings.gen_slowdown or _gen_slowdown(weights, convolved=convolved),
        encoder=EncoderSettings(
            kind,
            hidden if kind == "mlp" else None,
            base,
        ),
        sampler=replace(
            settings.sampler,
            buffer_size=buffer_size,
            n_steps=settings.sampler.n_steps or (10 if convolved else 4),
            every=settings.sampler.every or (5 if convolved else 1),
            vera=_vera(settings.sampler.vera, dataset),
        ),
        views=resolve_views(settings.views, dataset.image_shape, two_views=method.two_views),
        restarts=_restarts(
            settings.restarts if "prior" in method.gives else replace(settings.restarts, n=1),
            weights,
            settings.max_iter,
            custom,
            kind,
            small=small,
            image=dataset.image_shape is not None,
            base=base,
            vera=settings.sampler.kind == "vera",
        ),
    )
    check(resolved)
    if not custom.has_views:
        _check_views(resolved, dataset)
    _check_restarts(resolved)
    if resolved.sampler.kind == "vera":
        _check_vera(resolved, dataset)
    return resolved


def of_one_process(settings: Settings, n_processes: int) -> Settings:
    """What one of several processes has of a training: its share of points and chains.

    Args:
        settings: resolved.
        n_processes: how many there are.

    Raises:
        SettingsError: if points and chains cannot be shared out equally, or what is asked for is
            for one process.
    """
    batch_size, buffer_size = settings.batch_size or 0, settings.sampler.buffer_size or 0
    for name, size in (("batch_size", batch_size), ("sampler.buffer_size", buffer_size)):
        if size % n_processes:
            raise SettingsError(
                f"setting {name}: expected a multiple of the {n_processes} processes, who share it "
                f"equally, got {size}"
            )
    if settings.compile and n_processes > 1:
        raise SettingsError(
            f"setting compile: expected false, as it is for one process; there are {n_processes}"
        )
    return replace(
        settings,
        batch_size=batch_size // n_processes,
        sampler=replace(settings.sampler, buffer_size=buffer_size // n_processes),
    )


def resolve_views(
    views: ViewSettings,
    image_shape: tuple[int, int, int] | None,
    *,
    two_views: bool = False,
) -> ViewSettings:
    """Fill in the strengths of the views; those of images stay open where there are none.

    Methods that compare two views of each image see them through the preset alone: what is near by
    the network's own measure, or by that of pixels, is no part of them.

    Args:
        views: the user's.
        image_shape: (C, H, W); None for tables.
        two_views: whether the method compares two views.

    Raises:
        SettingsError: for views that the data cannot have.
    """
    if image_shape is None:
        _check_no_image_views(views)
        strengths: dict[str, float] = {}
        kind = None
    else:
        kind = views.preset or ("natural" if image_shape[0] == 3 else "digits")
        strengths = preset(kind)
        if image_shape[0] != 3:
            _check_no_colour(views, image_shape[0])
            strengths |= {name: NEUTRAL[name] for name in _COLOURS}
    alone = two_views and image_shape is not None
    large = image_shape is not None and min(image_shape[1:]) >= _CONVOLVED
    given = {name: getattr(views, name) for name in strengths}
    return replace(
        views,
        adversarial=_or(
            views.adversarial,
            0.0 if alone else _ADVERSARIAL_LARGE if large else _ADVERSARIAL,
        ),
        neighbours=_or(
            views.neighbours, 0 if alone else _NEIGHBOURS_LARGE if large else _NEIGHBOURS
        ),
        preset=kind,
        **{name: _or(given[name], strength) for name, strength in strengths.items()},
    )


def _check_no_image_views(views: ViewSettings) -> None:
    for name, nothing in (("preset", None), *NEUTRAL.items()):
        if getattr(views, name) not in (None, nothing):
            raise SettingsError(f"setting views.{name}: is for images, but these are vectors")


def _check_no_colour(views: ViewSettings, n_channels: int) -> None:
    for name in _COLOURS:
        if getattr(views, name) not in (None, NEUTRAL[name]):
            raise SettingsError(
                f"setting views.{name}: is for images of three channels, but these have "
                f"{n_channels}: leave it out"
            )


def _check_views(settings: Settings, dataset: Dataset) -> None:
    """Some kind of view that suits the data must be left, where views count."""
    views, image_shape = settings.views, dataset.image_shape
    if image_shape is None:
        steps, crop = ["noise", "dropout"], ""
        seen = max(views.noise, views.dropout) > 0
    else:
        unfit = {"crop", "aspect", *(_COLOURS if image_shape[0] != 3 else ())}
        steps, crop = [name for name in NEUTRAL if name not in unfit], ", or crop below 1,"
        seen = changes_images({name: getattr(views, name) for name in NEUTRAL})
    seen = seen or bool(views.own)
    if settings.weights.inv > 0 and not (seen or views.adversarial or views.neighbours):
        raise SettingsError(
            f"settings views: expected one of {', '.join(steps)}, adversarial, neighbours above "
            f"zero{crop} for this kind of data, as weights.inv is not zero"
        )


def _check_restarts(settings: Settings) -> None:
    """K-means starts some of them at most, and warm-ups must be over when the best is chosen."""
    chosen, weights = settings.restarts, settings.weights
    clustering = weights.inv != 0 or weights.prior != 0
    if (chosen.kmeans or 0) > (chosen.n or 1):
        raise SettingsError(
            f"setting restarts.kmeans: expected at most restarts.n, {chosen.n}, got {chosen.kmeans}"
        )
    warmup, ramp, iterations = chosen.warmup or 0, chosen.ramp or 0, chosen.iterations or 0
    if not (chosen.gen and clustering and warmup > 0 and (chosen.n or 1) > 1):
        return
    if warmup + ramp > iterations:
        raise SettingsError(
            "settings restarts.warmup and restarts.ramp: expected a sum of at most "
            f"restarts.iterations, {iterations}, got {warmup + ramp}"
        )


def _weights(
    chosen: WeightSettings, method: Method, d: int, n_clusters: int, *, convolved: bool
) -> WeightSettings:
    """Weights of zero for what the method does not give, unless they are asked for."""
    gen = _gen_weight(d, convolved=convolved) if "gen" in method.gives else 0.0
    prior = default_prior_weight(n_clusters) if "prior" in method.gives else 0.0
    weights = replace(chosen, gen=_or(chosen.gen, gen), prior=_or(chosen.prior, prior))
    # One that nobody has changed is nobody's wish.
    unasked = "inv" not in method.gives and chosen.inv == WeightSettings().inv
    return replace(weights, inv=0.0) if unasked else weights


def _check_method(
    settings: Settings, weights: WeightSettings, method: Method, custom: Custom
) -> None:
    """Refuse what a method makes no use of, as it does not give the term that would."""
    uses = {
        "gen": {"weights.gen 0": weights.gen == 0, "encoder.base false": not settings.encoder.base},
        "inv": {"weights.inv 0": weights.inv == 0},
        "prior": {
            "weights.prior 0": weights.prior == 0,
            "prior null": settings.prior is None,
            # The gap, by which the best is chosen, would mean nothing.
            "restarts.n 1": (settings.restarts.n or 1) == 1,
        },
        "evidence": {"no labels and no rules": not custom.names_clusters},
    }
    wrong = [
        expected
        for term, found in uses.items()
        for expected, holds in found.items()
        if term not in method.gives and not holds
    ]
    if wrong:
        raise SettingsError(
            f"setting method: {method.name} gives {', '.join(method.gives)} alone: expected "
            f"{', '.join(wrong)}"
        )


def _check_vera(settings: Settings, dataset: Dataset) -> None:
    """One sampler learns one energy, and makes images by doubling their sides twice."""
    restarts, shape = settings.restarts, dataset.image_shape
    if restarts.gen and (restarts.n or 1) > 1:
        raise SettingsError(
            "setting restarts.gen: expected false with sampler.kind vera and several restarts, or "
            "restarts.n 1, as its sampler follows one network; got "
            f"true with {restarts.n} restarts"
        )
    if settings.weights.gen == 0:
        raise SettingsError(
            "setting sampler.kind: vera makes the negatives of GEN, which weights.gen 0 leaves out"
        )
    if shape is not None and (shape[1] % 4 or shape[2] % 4):
        raise SettingsError(
            "setting sampler.kind: vera makes images whose sides are multiples of 4 pixels, got "
            f"{shape[1]} x {shape[2]}; take langevin, or bring them to another size (--image-size)"
        )


def _vera(chosen: VeraSettings, dataset: Dataset) -> VeraSettings:
    is_image = dataset.image_shape is not None
    return replace(
        chosen,
        latents=chosen.latents or min(64, max(2, dataset.x.shape[1])),
        n_importance=chosen.n_importance or (5 if is_image else 20),
    )


def _gen_weight(n_features: int, *, convolved: bool) -> float:
    """As the energies grow with the features; ten times that for convolutional networks.

    Those do not learn a density beside the other terms otherwise: on MNIST a tenth of it left the
    distance of samples to images where the Gaussian under the energy has it.
    """
    return min(1.0, (40 if convolved else 4) / n_features)


def _learning_rate(kind: str, *, small: bool) -> float:
    return 4e-3 if small else {"mlp": 2e-3, "conv": 3e-3}.get(kind, 1e-3)


def _gen_slowdown(weights: WeightSettings, *, convolved: bool) -> float:
    """A quarter where GEN would otherwise run away from its chains.

    That is where it is alone, as Adam then spends all of its step on it: at half, two of three
    seeds on digits drifted away from the data. And it is in convolutional networks, where the
    other terms are soon content: on MNIST at full rate energies reached millions of nats.
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
    vera: bool,
) -> RestartSettings:
    if custom.previous is not None:  # what was found already goes on, all terms at once
        gen = weights.gen != 0
        return RestartSettings(
            1, kmeans=0, iterations=1, gen=gen, warmup=0, ramp=0, score_matching=0
        )
    clustering = weights.inv > 0 or weights.prior != 0
    # Distances of images mean little, an encoder is not to unlearn, and given classes have places.
    codes = clustering and not (image or custom.encoder is not None or custom.names_clusters)
    # Where there is a base, chains start at the data; VERA's sampler follows one network; what is
    # known of some points names the clusters, and the energy is not to settle before.
    passed = base or vera or custom.names_clusters
    matches = small and not (passed or chosen.gen is False or chosen.score_matching == 0)
    matched = matches and weights.gen != 0
    n = chosen.n or (_starts(codes, kind, small=small, matched=matched) if clustering else 1)
    # Without clustering terms there is no gap to choose by.
    together = _or(chosen.gen, small and not (vera and n > 1))
    gen = weights.gen != 0 and (together or not clustering)
    kmeans = 1 if matched else math.ceil(n / 3)
    usual = (300 if matched else 600) if small else 250 if is_convolutional(kind) else 450
    iterations = chosen.iterations or min(usual, max(1, max_iter // 3))
    return replace(
        chosen,
        n=n,
        kmeans=_or(chosen.kmeans, kmeans if codes and n > 1 else 0),
        iterations=iterations,
        gen=gen,
        warmup=_or(chosen.warmup, iterations // 2),
        ramp=_or(chosen.ramp, iterations // 3),
        score_matching=_or(chosen.score_matching, 2 * iterations // 3 if matched else 0),
    )


def _starts(codes: bool, kind: str, *, small: bool, matched: bool) -> int:
    """Networks side by side: large ones on tables take as much memory as the data.

    Of those that know the data from the start, one from k-means is enough.
    """
    if kind != "mlp":  # these gain nothing by being side by side
        return 3
    if codes:
        return (5 if matched else 6) if small else 4
    return 4 if small else 8


def _noise(dataset: Dataset, *, convolved: bool) -> float:
    """Of images a tenth of half their range, or three where networks are convolutional.

    Convolutional energies of sharp images are so steep that the steps of the chains shrink to
    nothing, and the energies run away: on MNIST within 1,500 iterations at 0.1.

    Of tables as wide as kernels around the points.

    That is the width at which points are likeliest under kernels around all others, in whitened
    coordinates: what a network that learns few points by heart should learn at most. It fades as
    points outnumber what is learned by heart, and in one or two dimensions.
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


def _kind(settings: Settings, dataset: Dataset, custom: Custom) -> str:
    """Convolutions pay where images have some size; widths or a module given say otherwise."""
    given = settings.encoder.hidden is not None or custom.encoder is not None
    small = dataset.image_shape is None or min(dataset.image_shape[1:]) < _CONVOLVED
    return "mlp" if small or given else "conv"


def _own_encoder(kind: str, dataset: Dataset, custom: Custom) -> nn.Module | None:
    """An encoder that is not ours: the user's, or one like those that a plug-in will make."""
    if custom.encoder is not None or not is_plugged(kind):
        return custom.encoder
    return plugged_module(kind, dataset.image_shape or dataset.x.shape[1:], Generator())


def _size(n_features: int, hidden: list[int], encoder: nn.Module | None) -> int:
    if encoder is not None:
        return sum(parameter.numel() for parameter in encoder.parameters())
    return sum(a * b for a, b in zip([n_features, *hidden[:-1]], hidden, strict=True))


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
