"""All settings of a training, typed, with their defaults; no torch here, so help comes at once.

The command line and YAML files use these names. `None` means: chosen from the data, as the text
beside it says.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from numbers import Integral, Real
from reprlib import Repr
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from gedi.errors import SettingsError
from gedi.settings.presets import PresetKind

__all__ = [
    "EncoderKind",
    "EncoderSettings",
    "MethodKind",
    "Range",
    "RestartSettings",
    "SamplerKind",
    "SamplerSettings",
    "Settings",
    "VeraSettings",
    "ViewSettings",
    "WeightSettings",
    "check",
    "from_dict",
    "learns_density",
    "method_name",
]


EncoderKind = Literal["mlp", "conv", "resnet8", "resnet18"]
MethodKind = Literal["gedi", "barlow-twins", "swav"]
SamplerKind = Literal["langevin", "vera"]


@dataclass(frozen=True)
class WeightSettings:
    """Weights of the bound w_gen GEN + w_inv INV + w_prior PRIOR + w_evidence EVIDENCE.

    `--weights.inv 0 --weights.prior 0` is JEM without labels, `--weights.gen 0` is GEDI no gen.

    Args:
        gen: w_gen, log-likelihood. Null: min(1, 4 / d) for d features, 40 / d for convolutional
            networks.
        inv: w_inv, agreement between views.
        prior: w_prior, balance of the clusters. Null: rises with the number of clusters c, from 1.
        evidence: w_evidence, of known classes or of a rule over groups; 1 where nothing is known.
        max_contrast: nats between the mean energies of chains and data at which GEN ceases to
            pull, and beyond which it pulls back. Null: sqrt(d) for convolutional networks, which
            run away otherwise, else nowhere.
    """

    gen: float | None = None
    inv: float = 1.0
    prior: float | None = None
    evidence: float = 1.0
    max_contrast: float | None = None


@dataclass(frozen=True)
class EncoderSettings:
    """The network.

    Args:
        kind: mlp; or for images conv (small), resnet8, resnet18; or one of a plug-in. Null: conv
            for images of 16 pixels and more a side unless `hidden` is given, else mlp.
        hidden: widths of an mlp's layers. Null: [100, 100] for up to 32 features, else [512, 512].
        base: start the energy from the Gaussian of the data instead of from nothing. Null: above
            two dimensions, where chains need to be led to the data.
    """

    kind: EncoderKind | str | None = None
    hidden: list[int] | None = None
    base: bool | None = None


@dataclass(frozen=True)
class VeraSettings:
    """The amortised sampler, where sampler.kind is vera.

    Args:
        latents: how many Gaussian numbers a sample is made from. Null: one for each feature, at
            least 2 and at most 64.
        learning_rate: of its Adam.
        entropy_weight: weight of its entropy against the energy; below 1 its samples are sharper
            than the density.
        n_importance: latents with which the score of a sample is estimated. Null: 20, 5 for images.
    """

    latents: int | None = None
    learning_rate: float = 1e-3
    entropy_weight: float = 1.0
    n_importance: int | None = None


@dataclass(frozen=True)
class SamplerSettings:
    """Where GEN's negatives come from, and how the chains move.

    Args:
        kind: langevin: from the chains; or vera: from a network that learns to sample, in which
            case few chains move in training, and GEN waits until one restart is chosen.
        step_size: Langevin step ε, in whitened coordinates; adapted when target_acceptance is set.
        n_steps: Langevin steps when the chains move. Null: 10 for convolutional networks, else 4.
        every: iterations from one move of the chains to the next. GEN takes part when they move,
            with so many times its weight, and VERA takes a step. Null: 5 for convolutional
            networks, else 1.
        metropolis: accept or refuse each step, so that the samples' law is exact.
        target_acceptance: share of accepted steps to adapt ε to. Null: ε stays.
        noise: σ of a step. Null: sqrt(2 ε), temperature 1. JEM's habit is smaller (with metropolis
            false).
        max_gradient: longest drift of a step. Null: not shortened.
        precondition: let steps follow the covariance of the data.
        boundary: at the walls of the box: reject, reflect (without precondition) or clamp (without
            metropolis).
        jumps: jumps between data points when the chains move, tested by Metropolis.
        n_anchors: data points that jumps, and local scales of the views, refer to.
        buffer_size: chains kept. Null: as many as the batch has points.
        buffer_dtype: in which they rest; float16 takes half the memory, and rounds them by at most
            1/2048 of their values.
        reinit: probability that a chain is started anew.
        vera: the amortised sampler.
    """

    kind: SamplerKind = "langevin"
    step_size: float = 0.02
    n_steps: int | None = None
    every: int | None = None
    metropolis: bool = True
    target_acceptance: float | None = 0.6
    noise: float | None = None
    max_gradient: float | None = None
    precondition: bool = True
    boundary: Literal["reject", "reflect", "clamp"] = "reject"
    jumps: int = 1
    n_anchors: int = 256
    buffer_size: int | None = None
    buffer_dtype: Literal["float32", "float16"] = "float32"
    reinit: float = 0.01
    vera: VeraSettings = field(default_factory=VeraSettings)


@dataclass(frozen=True)
class ViewSettings:
    """The views T(x'|x): equal shares of the batch for each kind whose strength is not zero.

    Of images, one kind is all of the preset's changes one after the other, in the order below.

    Args:
        noise: tables: length of Gaussian noise, in units of the local scale.
        dropout: tables: share of features that take the value of another point.
        adversarial: length of the worst-case change, in units of the local scale. Null: 0.18, for
            images of 16 pixels and more a side 0.15; 0 for images under barlow-twins and swav,
            which compare two views of one kind.
        neighbours: so many nearest data points are views of each other; 0 for none. Null: 10, but 0
            for images of 16 pixels and more a side, and all those under barlow-twins and swav.
        preset: images: digits (written signs) or natural (photographs); decides what is null
            below. Null: natural for images of three channels, else digits.
        rotate: images: largest rotation in degrees. Null: by the preset.
        shift: images: largest shift, as a share of the image. Null: by the preset.
        zoom: images: largest change of width, and of height, as a share. Null: by the preset.
        shear: images: largest shear in degrees. Null: by the preset.
        crop: images: least share of the area that is kept and enlarged; 1 keeps all. Null: by the
            preset.
        aspect: images: largest ratio of the sides of what is kept. Null: by the preset.
        flip: images: probability of mirroring left to right. Null: by the preset.
        jitter: images of three channels: strength of the change of colour. Null: by the preset.
        grey: images of three channels: probability of losing the colour. Null: by the preset.
        blur: images: largest standard deviation of the blur, in pixels. Null: by the preset.
        pixel_noise: images: standard deviation of the noise on pixels scaled to [-1, 1]. Null: by
            the preset.
        own: names of views of plug-ins, beside the others.
    """

    noise: float = 0.5
    dropout: float = 0.0
    adversarial: float | None = None
    neighbours: int | None = None
    preset: PresetKind | None = None
    rotate: float | None = None
    shift: float | None = None
    zoom: float | None = None
    shear: float | None = None
    crop: float | None = None
    aspect: float | None = None
    flip: float | None = None
    jitter: float | None = None
    grey: float | None = None
    blur: float | None = None
    pixel_noise: float | None = None
    own: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RestartSettings:
    """Trainings side by side, the best of which goes on.

    Args:
        n: how many. Null: 6 with k-means, 5 after score matching, 4 if the networks are large;
            else 4 for small networks, 8 for large ones, and 3 for convolutional ones.
        kmeans: so many of them start from k-means. Null: a third, rounded up, and one after score
            matching; none for images, whose distances mean little, and where an encoder or
            classes are given.
        iterations: when the best is chosen, by the collapse gap. Null: 600 for small networks,
            300 after score matching, else 450 (convolutional ones: 250), and at most a third of
            max_iter.
        gen: whether GEN takes part before the choice. Null: for small networks, whose chains are
            cheap; for large ones GEN joins the chosen one.
        warmup: with GEN, every second one starts with so many iterations of GEN alone. Null: half
            of `iterations`.
        ramp: iterations over which terms that start late come in. Null: a third of `iterations`.
        score_matching: steps of denoising score matching in GEN's place before the first
            iteration, from which energies know the data. Null: two thirds of `iterations` for
            small networks without base, up to two dimensions, unless clusters have names; else 0.
    """

    n: int | None = None
    kmeans: int | None = None
    iterations: int | None = None
    gen: bool | None = None
    warmup: int | None = None
    ramp: int | None = None
    score_matching: int | None = None


@dataclass(frozen=True)
class Settings:
    """Settings of a training.

    Args:
        method: gedi (JEM and GEDI no gen by its weights), or for comparison barlow-twins or swav,
            whose loss takes the place of INV, alone; they have no density. Or one of a plug-in.
        n_clusters: number of clusters c. Null: known for sets with a name, such as moons and mnist.
        prior: shares of the clusters that PRIOR aims at, c positive numbers; or `learned`: they
            start equal, or as k-means says, and follow the clusters found. Null: equal.
        max_iter: iterations at most.
        max_time: seconds at most. Null: no limit.
        tol: gain in bound and gap (nats) that counts as progress.
        patience: iterations without progress after which the learning rate falls and the training
            ends.
        batch_size: points, and chains, an iteration. Null: 400 in two dimensions, else 256.
        learning_rate: of Adam. Null: 4e-3 for small networks, 3e-3 for conv, 2e-3 for large mlps,
            1e-3 for the others.
        gen_slowdown: factor of the learning rate while GEN takes part. Null: a quarter for JEM and
            for convolutional networks, else 1.
        decay: share of the training, at its end, over which the learning rate falls to zero.
        data_noise: size of the noise that smooths the data for GEN: of images in scaled units, of
            tables relative to the covariance of the data. Null: 0.1 for images, 0.3 with
            convolutional networks; for tables the width of likeliest kernels, less the more points
            there are; 0 up to two dimensions.
        seed: seed of all random numbers; change it to see how much depends on chance.
        device: where to train: cpu, cuda, or auto, which takes cuda if there is a GPU.
        precision: 32-true; or bf16-mixed, in which the encoder computes in bfloat16 while it is
            trained, and energies, steps and weights stay in float32: for GPUs.
        compile: compile the network and the gradients of the chains (torch.compile). It takes
            minutes at the start, so it is for long trainings on a GPU.
        cuda_graph: launch chains, gradients and optimizer of an iteration as one CUDA graph. Null:
            on a GPU, with one process, unless the encoder is your own, labels or rules are given,
            or the sampler is vera.
        rename: let clusters change numbers, at evaluations, where a rule over groups finds that
            likelier.
        evaluate_every: iterations between evaluations, which measure progress.
        weights: of the bound's terms.
        encoder: the network.
        sampler: the chains, and what else makes negatives.
        views: small changes that should not change the cluster.
        restarts: trainings side by side.
    """

    method: MethodKind | str = "gedi"
    n_clusters: int | None = None
    prior: list[float] | Literal["learned"] | None = None
    max_iter: int = 2000
    max_time: float | None = None
    tol: float = 1e-3
    patience: int = 1000
    batch_size: int | None = None
    learning_rate: float | None = None
    gen_slowdown: float | None = None
    decay: float = 0.5
    data_noise: float | None = None
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    compile: bool = False
    cuda_graph: bool | None = None
    rename: bool = True
    evaluate_every: int = 50
    weights: WeightSettings = field(default_factory=WeightSettings)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    views: ViewSettings = field(default_factory=ViewSettings)
    restarts: RestartSettings = field(default_factory=RestartSettings)


def method_name(settings: Settings) -> str:
    """The method, in the words of the paper; of a plug-in by its own name."""
    weights, known = settings.weights, {"barlow-twins": "Barlow Twins", "swav": "SwAV"}
    if settings.method != "gedi":
        return known.get(settings.method, settings.method)
    if weights.inv == 0 and weights.prior == 0:
        return "JEM"
    return "GEDI no gen" if weights.gen == 0 else "GEDI"


def learns_density(settings: Settings) -> bool:
    """Whether such a training, resolved, gives a density to sample from and to score by."""
    return settings.weights.gen != 0


class Range(NamedTuple):
    """What a number may be.

    Attributes:
        low: the smallest value.
        high: the largest value.
        words: the same for messages, after "expected".
    """

    low: float
    high: float
    words: str

    def check(self, name: str, value: Any) -> None:
        """Refuse a value that is no number, or outside the range.

        Raises:
            SettingsError: naming what it is, what is expected and what came.
        """
        if not _is_number(value) or not self.low <= value <= self.high:
            raise SettingsError(f"{name}: expected {self.words}, got {_shown(value)}")


def check(settings: Settings, called: Mapping[str, str] | None = None) -> None:
    """Refuse values that no training could use.

    Args:
        settings: resolved or not.
        called: names by which users know settings, where these are others.

    Raises:
        SettingsError: naming the setting, what is expected and what came.
    """
    called = called or {}
    _check_types(settings, called)
    for name, value in _flat(asdict(settings)).items():
        if value is not None and name in _RANGES:
            _RANGES[name].check(_label(name, called), value)
    if settings.prior is not None and settings.prior != "learned":
        if not all(0 < share < _INF for share in settings.prior):
            raise SettingsError(
                f"setting prior: expected positive shares, got {_shown(settings.prior)}"
            )
        if settings.n_clusters is not None and len(settings.prior) != settings.n_clusters:
            raise SettingsError(
                f"setting prior: expected {settings.n_clusters} shares, one for each cluster, "
                f"got {len(settings.prior)}"
            )
    hidden = settings.encoder.hidden
    own_widths = settings.encoder.kind not in (None, "mlp") and not hidden
    if hidden is not None and min(hidden, default=0) < 1 and not own_widths:
        name = _label("encoder.hidden", called)
        raise SettingsError(f"{name}: expected positive widths, got {_shown(hidden)}")
    weights = settings.weights
    if settings.n_clusters == 1 and (weights.inv != 0 or weights.prior != 0):
        raise SettingsError(
            "setting n_clusters: expected at least 2 clusters, got 1; for a density alone set "
            "weights.inv and weights.prior to 0"
        )
    _check_sampler(settings.sampler)


def _label(name: str, called: Mapping[str, str]) -> str:
    """What a setting is called in a message."""
    return called.get(name, f"setting {name}")


def _check_types(group: Any, called: Mapping[str, str], path: str = "") -> None:
    """Refuse values of the wrong type, in this group of settings and in those below."""
    hints = get_type_hints(type(group))
    for known in fields(group):
        name, value, hint = path + known.name, getattr(group, known.name), hints[known.name]
        if is_dataclass(value):
            _check_types(value, called, f"{name}.")
            continue
        kinds = (hint,) if get_origin(hint) in (Literal, list) else get_args(hint) or (hint,)
        named = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
        if (isinstance(value, str) and value in named) or (value is None and type(None) in kinds):
            continue
        if str in kinds and isinstance(value, str):
            continue  # perhaps of a plug-in, which is told where it is looked up
        if kinds[0] not in _TYPES:
            raise SettingsError(
                f"{_label(name, called)}: expected one of {', '.join(named)}; got {_shown(value)}"
            )
        fits, words = _TYPES[kinds[0]]
        words = " or ".join([words, *named])
        if not fits(value):
            raise SettingsError(f"{_label(name, called)}: expected {words}, got {_shown(value)}")


def _shown(value: object) -> str:
    """The beginning of a value; a file may hold one as long as it likes."""
    try:
        return _BRIEF.repr(value)
    except ValueError:  # Python writes no number of thousands of digits
        return f"a {type(value).__name__} of too many digits"


_BRIEF = Repr()
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxother = 3, 80, 80


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


# By type: what fits, and what is expected in words.
_TYPES: dict[Any, tuple[Callable[[Any], bool], str]] = {
    bool: (lambda value: isinstance(value, bool), "true or false"),
    int: (_is_whole, "a whole number"),
    float: (_is_number, "a number"),
    list[int]: (
        lambda value: isinstance(value, (list, tuple)) and all(map(_is_whole, value)),
        "a list of whole numbers",
    ),
    list[float]: (
        lambda value: isinstance(value, (list, tuple)) and all(map(_is_number, value)),
        "a list of numbers",
    ),
    list[str]: (
        lambda value: (
            isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)
        ),
        "a list of names",
    ),
}


def _check_sampler(sampler: SamplerSettings) -> None:
    exact = sampler.metropolis
    if exact and sampler.noise is not None:
        raise SettingsError(
            "setting sampler.noise: expected null with sampler.metropolis true, as the test is for "
            f"temperature 1; got {sampler.noise}"
        )
    wrong = {
        "reject": not exact,
        "reflect": sampler.precondition,
        "clamp": exact,
    }[sampler.boundary]
    if wrong:
        raise SettingsError(
            "setting sampler.boundary: reject needs metropolis true, reflect needs precondition "
            f"false, clamp needs metropolis false; got {sampler.boundary} with "
            f"metropolis {exact} and precondition {sampler.precondition}"
        )


_INF = float("inf")
_AT_LEAST_ONE = Range(1, _INF, "at least 1")
_AT_LEAST_ZERO = Range(0, _INF, "0 or more")
_SHARE = Range(0, 1, "a number from 0 to 1")
_POSITIVE = Range(1e-30, _INF, "a positive number")

_RANGES: dict[str, Range] = {
    "n_clusters": Range(1, _INF, "at least 1 cluster"),
    "max_iter": _AT_LEAST_ONE,
    "max_time": _POSITIVE,
    "tol": _AT_LEAST_ZERO,
    "patience": _AT_LEAST_ONE,
    "batch_size": Range(2, _INF, "at least 2"),
    "learning_rate": _POSITIVE,
    "gen_slowdown": Range(1e-30, 1, "a positive number, at most 1"),
    "decay": _SHARE,
    "data_noise": _AT_LEAST_ZERO,
    "seed": Range(0, 2**62, "0 or more"),
    "evaluate_every": _AT_LEAST_ONE,
    "weights.gen": _AT_LEAST_ZERO,
    "weights.inv": _AT_LEAST_ZERO,
    "weights.prior": _AT_LEAST_ZERO,
    "weights.evidence": _AT_LEAST_ZERO,
    "weights.max_contrast": _POSITIVE,
    "sampler.step_size": _POSITIVE,
    "sampler.n_steps": _AT_LEAST_ONE,
    "sampler.every": _AT_LEAST_ONE,
    "sampler.target_acceptance": _SHARE,
    "sampler.noise": _AT_LEAST_ZERO,
    "sampler.max_gradient": _POSITIVE,
    "sampler.jumps": _AT_LEAST_ZERO,
    "sampler.n_anchors": Range(2, _INF, "at least 2"),
    "sampler.buffer_size": _AT_LEAST_ONE,
    "sampler.reinit": _SHARE,
    "sampler.vera.latents": _AT_LEAST_ONE,
    "sampler.vera.learning_rate": _POSITIVE,
    "sampler.vera.entropy_weight": _AT_LEAST_ZERO,
    "sampler.vera.n_importance": _AT_LEAST_ONE,
    "views.noise": _AT_LEAST_ZERO,
    "views.dropout": _SHARE,
    "views.adversarial": _AT_LEAST_ZERO,
    "views.neighbours": _AT_LEAST_ZERO,
    "views.rotate": Range(0, 180, "degrees from 0 to 180"),
    "views.shift": _SHARE,
    "views.zoom": Range(0, 0.99, "a number from 0 to 0.99"),
    "views.shear": Range(0, 89, "degrees from 0 to 89"),
    "views.crop": Range(0.01, 1, "a number from 0.01 to 1"),
    "views.aspect": Range(1, 100, "a ratio from 1 to 100"),
    "views.flip": _SHARE,
    "views.jitter": _SHARE,
    "views.grey": _SHARE,
    "views.blur": Range(0, 100, "pixels from 0 to 100"),
    "views.pixel_noise": _AT_LEAST_ZERO,
    "restarts.n": _AT_LEAST_ONE,
    "restarts.kmeans": _AT_LEAST_ZERO,
    "restarts.warmup": _AT_LEAST_ZERO,
    "restarts.ramp": _AT_LEAST_ZERO,
    "restarts.iterations": _AT_LEAST_ONE,
    "restarts.score_matching": _AT_LEAST_ZERO,
}


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def from_dict(tree: dict[str, Any]) -> Settings:
    """Settings from nested plain values, as a YAML file holds them.

    Raises:
        SettingsError: for a key that does not exist, a group that is not one, or a value of the
            wrong type.
    """
    settings: Settings = _build(Settings, tree, "")
    _check_types(settings, {})
    return settings


def _build(kind: type[Any], tree: object, path: str) -> Any:
    if not isinstance(tree, dict):
        raise SettingsError(
            f"settings {path or 'file'}: expected names with values, got {_shown(tree)}"
        )
    known = {f.name: f for f in fields(kind)}
    for name in tree:
        if name not in known:
            raise SettingsError(
                f"setting {path}{_shown(name).strip(chr(39))} does not exist; expected one of "
                f"{', '.join(known)}"
            )
    defaults = kind()
    values = {
        name: _build(type(getattr(defaults, name)), value, f"{path}{name}.")
        if is_dataclass(getattr(defaults, name))
        else value
        for name, value in tree.items()
    }
    return kind(**values)
