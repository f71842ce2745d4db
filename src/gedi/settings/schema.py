"""All settings of a training, typed, with their defaults.

The command line and YAML files use these names, and `gedi train --help-all` shows these docstrings.
`None`, or null, means that the value is chosen from the data as documented. torch is not imported,
so that help is fast.
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


EncoderKind = Literal["mlp", "linear", "conv", "resnet8", "resnet18"]
MethodKind = Literal["gedi", "barlow-twins", "swav"]
SamplerKind = Literal["langevin", "vera", "base", "exact"]


@dataclass(frozen=True)
class WeightSettings:
    """Weights of the terms: w_gen GEN + w_inv INV + w_prior PRIOR + w_evidence EVIDENCE.

    `--weights.inv 0 --weights.prior 0` is JEM without labels, `--weights.gen 0` is GEDI no gen.

    Args:
        gen: the weight of the log-likelihood. Raise it for a better density, lower it if trainings
            diverge; 0 trains clusters only. Null: 1 with draws of the base; else min(1, 4 / d) for
            d features, 40 / d for convolutional networks.
        inv: the weight of the agreement between views. Raise it if boundaries are fuzzy.
        prior: the weight of the balance of the clusters. Raise it if clusters are unused or one is
            too big. Null: increases with the number of clusters, from 1.
        evidence: the weight of known classes, or of a rule over groups. It must be 1 if neither is
            given.
        start: the weight of the log-likelihood of the partition that a training from a pool starts
            from. It keeps clusters that the views alone would merge or move; lower it to let the
            training find others. Null: 1 up to 100 features, else 0.
        max_contrast: the difference between the mean energies of chains and data, in nats, at which
            the gradient of GEN becomes zero; it changes its sign above. Lower it if energies
            diverge. Null: sqrt(d) for convolutional networks, which would diverge otherwise, else
            no limit.
    """

    gen: float | None = None
    inv: float = 1.0
    prior: float | None = None
    evidence: float = 1.0
    start: float | None = None
    max_contrast: float | None = None


@dataclass(frozen=True)
class EncoderSettings:
    """The network.

    Args:
        kind: mlp; linear, logits that are affine in the features, with sampler.kind exact; for
            images also conv (small), resnet8 or resnet18; or the name of a plug-in.
            Larger networks are for many images and a GPU. Null: conv for images of at least 16
            pixels a side unless `hidden` is given; linear with sampler.kind exact; else mlp.
        hidden: the widths of the layers of an mlp. Null: [100, 100] for up to 32 features, else
            [512, 512].
        base: add the log-density of a simple model of the data to the logits: a mixture with
            sampler.kind base, which needs it, else a Gaussian, so that chains start near the data.
            Null: true, but with chains only above two dimensions.
        components: the number of principal axes of the data that the network sees, with
            sampler.kind base or exact; 0 for all features, of an mlp. The density always sees all
            features. Null: up to 100 for a linear network, and for an mlp with more than 100
            features and fewer than ten points for each; else 0.
    """

    kind: EncoderKind | str | None = None
    hidden: list[int] | None = None
    base: bool | None = None
    components: int | None = None


@dataclass(frozen=True)
class VeraSettings:
    """The amortised sampler, used if sampler.kind is vera.

    Args:
        latents: the number of latent variables from which a sample is generated. Null: one for each
            feature, at least 2 and at most 64.
        learning_rate: the learning rate of its Adam optimiser.
        entropy_weight: the weight of its entropy relative to the energy. Below 1, samples are
            sharper than the density.
        n_importance: the number of latents to estimate the score of a sample. More is more precise
            and slower. Null: 20, or 5 for images.
    """

    latents: int | None = None
    learning_rate: float = 1e-3
    entropy_weight: float = 1.0
    n_importance: int | None = None


@dataclass(frozen=True)
class SamplerSettings:
    """The source of the negatives (samples of the model) for GEN, and the moves of the chains.

    Args:
        kind: base takes draws of the base density, a mixture, and moves no chains during the
            training, which takes seconds; it is for vectors. langevin draws negatives by Langevin
            chains, as Algorithm 1 was published. vera draws them from a network that learns to
            sample; few chains move during the training, and GEN is added after one restart is
            chosen. exact needs no negatives: with a linear network on a Gaussian base, log Z is
            known, and GEN is the log-likelihood itself; views are neighbours. Null: exact for
            vectors of more than 100 features, base for others, without known classes or groups and
            with a built-in encoder and method, else langevin; or as in the model that a training
            goes on from.
        n_draws: with kind base, the number of draws for each point of a batch.
        step_size: the Langevin step size ε in whitened coordinates; the initial value if
            target_acceptance is set.
        n_steps: the number of Langevin steps in each move of the chains. Raise it if samples look
            like noise or trainings diverge. Null: 10 for convolutional networks, else 4.
        every: the number of iterations from one move of the chains, or one step of vera, to the
            next. GEN is used in these iterations only, with its weight multiplied by this number.
            Raise it to save time. Null: 5 for convolutional networks, else 1.
        metropolis: accept or reject each step by a Metropolis test, so that the distribution of the
            chains is exact.
        target_acceptance: the share of accepted steps to which ε is adapted. Null: ε is fixed.
        noise: the standard deviation σ of the noise in a step, with metropolis false. Smaller
            values give sharper samples, as in JEM. Null: sqrt(2 ε), temperature 1.
        max_gradient: the largest norm of the gradient in a step; longer ones are shortened. Null:
            no limit.
        precondition: scale the steps by the covariance of the data.
        boundary: what happens at the walls of the box: reject the step, reflect it (with
            precondition false) or clamp it to the box (with metropolis false).
        jumps: the number of jumps between data points in each move of the chains, each with a
            Metropolis test. They keep the masses of separate clusters right.
        n_anchors: the number of data points that jumps, and local scales of the views, refer to.
        buffer_size: the number of chains in the replay buffer. Lower it if chains are stale. Null:
            the batch size.
        reinit: the probability that a chain is restarted. Raise it if chains are stale.
        vera: the amortised sampler.
    """

    kind: SamplerKind | None = None
    n_draws: int = 5
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
    reinit: float = 0.01
    vera: VeraSettings = field(default_factory=VeraSettings)


@dataclass(frozen=True)
class ViewSettings:
    """The views: random small changes of a point that should not change its cluster.

    Each kind whose strength is not zero gets an equal share of the batch. For images, the changes
    of the preset are one kind, applied in the order below. Choose views that change only what
    should not matter for the clusters.

    Args:
        noise: tables: the length of Gaussian noise, in units of the local scale, which is the
            distance to near neighbours. Null: 0.5, but 0 with sampler.kind exact.
        dropout: tables: the share of features that take the value of another point. For tables in
            which single features should not decide the cluster.
        adversarial: the length of the change that affects the prediction most, in units of the
            local scale. Null: 0.18, or 0.15 for images of at least 16 pixels a side; 0 with
            sampler.kind exact, and for images with barlow-twins and swav, which compare two views
            of the same kind.
        neighbours: the number of nearest data points that are views of a point; 0 for none. Null:
            10; 20 with sampler.kind exact, of which only mutual ones are views; 0 for images of at
            least 16 pixels a side, and for all images with barlow-twins and swav.
        preset: images: digits (written characters) or natural (photographs); determines the values
            below that are null. Null: natural for images of three channels, else digits.
        rotate: images: the largest rotation, in degrees. Null: from the preset.
        shift: images: the largest shift, as a share of the image. Null: from the preset.
        zoom: images: the largest change of the width, and of the height, as a share. Null: from the
            preset.
        shear: images: the largest shear, in degrees. Null: from the preset.
        crop: images: the smallest share of the area that is kept and enlarged; 1 keeps all of it.
            Null: from the preset.
        aspect: images: the largest aspect ratio of the kept part. Null: from the preset.
        flip: images: the probability of mirroring left to right. Null: from the preset.
        jitter: images of three channels: the strength of the change of colour. Null: from the
            preset.
        grey: images of three channels: the probability of the conversion to grey. Null: from the
            preset.
        blur: images: the largest standard deviation of the blur, in pixels. Null: from the preset.
        pixel_noise: images: the standard deviation of the noise, for pixels scaled to [-1, 1].
            Null: from the preset.
        own: the names of views from plug-ins, which are added to the others.
    """

    noise: float | None = None
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
    """Several trainings from different starts, of which the best, or the consensus, goes on.

    Args:
        pool: start from the best of a pool of partitions (k-means, mixtures, Ward, spectral,
            single linkage and others), which is chosen without labels. Null: true for one network
            with sampler.kind base, and for the last of several with exact, unless an encoder,
            classes or groups are given.
        n: the number of trainings. Raise it if clusters differ between seeds. Null: 1 with
            sampler.kind base, and 16 with exact; else 6 with k-means, 5 after score matching, 4 if
            the networks are large; without k-means, 4 for small networks, 8 for large ones and 3
            for convolutional ones.
        kmeans: the number of trainings that start from the clusters of k-means. Null: a third of
            them, rounded up, but 1 after score matching; 0 for images, whose pixel distances mean
            little, and if an encoder or classes are given.
        iterations: the iteration at which the best training is chosen, by its collapse gap, or with
            sampler.kind exact, that at which their consensus is formed. Null: half of max_iter with
            exact; else 600 for small networks, 300 after score matching, else 450 (250 for
            convolutional networks), and at most a third of max_iter.
        gen: use GEN before the choice. Null: true for small networks, whose chains are cheap; for
            large ones, GEN is added after the choice.
        warmup: if GEN is used before the choice, the number of iterations in which every second
            training uses GEN only. Null: half of `iterations`.
        ramp: the number of iterations over which the weights of terms that start late increase.
            Null: a third of `iterations`.
        score_matching: the number of steps of denoising score matching before the first iteration,
            which fit the energy to the data without chains. Null: two thirds of `iterations` for
            small networks with chains and without base, up to two dimensions, unless clusters have
            names; else 0.
    """

    pool: bool | None = None
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
        method: gedi, which includes JEM and GEDI no gen by its weights; for comparison barlow-twins
            or swav, whose loss replaces INV and which have no density; or the name of a plug-in.
        n_clusters: the number of clusters; `auto` finds it from vectors, see `gedi.partitions`.
            Null: known for named data sets, such as moons and mnist; the number of shares if
            `prior` is a list; else auto.
        prior: the shares of the clusters that PRIOR aims at. A list of positive numbers, one for
            each cluster, if you know them; `uniform` for equal shares; `learned` for shares that
            start equal, or from the first partition, and follow the clusters found. Null: learned
            if the training starts from a pool of partitions, else uniform.
        max_iter: the largest number of iterations. Raise it if the collapse gap is still improving
            at the end. Null: 200 with sampler.kind base, else 2000.
        max_time: the largest time in seconds, from the start of `fit` or of the command to its end.
            If it is short, less data decide about clusters and density. Null: no limit.
        tol: the smallest improvement of bound and gap, in nats, that counts as progress.
        patience: the number of iterations without progress after which the training ends: neither
            INV and PRIOR nor GEN improve, which with sampler.kind base is the log-density of
            held-out points. Null: 100 with sampler.kind base, else 1000.
        batch_size: the number of points, and of chains, in an iteration. Null: 400 in two
            dimensions, else 256.
        learning_rate: the learning rate of Adam. Lower it if trainings diverge. Null: 4e-3 for
            small networks, 3e-3 for conv, 2e-3 for large mlps, 1e-3 for other networks.
        gen_slowdown: a factor of the learning rate in the part of the training that uses GEN. Null:
            a quarter for JEM and for convolutional networks, else 1.
        decay: the share of the training, at its end, over which the learning rate decreases to
            zero.
        data_noise: the standard deviation of the noise that smooths the data for GEN, for images in
            scaled units, for tables relative to the covariance of the data. Raise it if the density
            overfits or has peaks without data. Null: 0.1 for images, 0.3 with convolutional
            networks; for tables the width of a kernel density, which is smaller for more points; 0
            up to two dimensions, and with sampler.kind base, where held-out points prevent that.
        seed: the seed of all random numbers; change it to see how much depends on chance.
        device: auto, cpu or cuda; auto uses a GPU if there is one.
        precision: 32-true; or bf16-mixed for GPUs, in which the encoder computes in bfloat16 during
            the training, while energies, chains and weights stay in float32.
        cuda_graph: launch the chains, gradients and optimizer step of an iteration as one CUDA
            graph, which is faster. Null: true on a GPU with one process and sampler.kind langevin,
            unless the encoder is your own, or labels or rules are given.
        rename: permute the numbers of the clusters at evaluations if this makes the outcomes of a
            rule over groups more likely.
        evaluate_every: the number of iterations between evaluations.
        weights: weights of the terms in the bound.
        encoder: the network.
        sampler: the source of negatives, and the moves of the chains.
        views: small changes that should not change the cluster.
        restarts: several trainings from different starts.
    """

    method: MethodKind | str = "gedi"
    n_clusters: int | Literal["auto"] | None = None
    prior: list[float] | Literal["uniform", "learned"] | None = None
    max_iter: int | None = None
    max_time: float | None = None
    tol: float = 1e-3
    patience: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    gen_slowdown: float | None = None
    decay: float = 0.5
    data_noise: float | None = None
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    cuda_graph: bool | None = None
    rename: bool = True
    evaluate_every: int = 50
    weights: WeightSettings = field(default_factory=WeightSettings)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    views: ViewSettings = field(default_factory=ViewSettings)
    restarts: RestartSettings = field(default_factory=RestartSettings)


def method_name(settings: Settings) -> str:
    """The name of the method in the paper, or that of a plug-in."""
    weights, known = settings.weights, {"barlow-twins": "Barlow Twins", "swav": "SwAV"}
    if settings.method != "gedi":
        return known.get(settings.method, settings.method)
    if weights.inv == 0 and weights.prior == 0:
        return "JEM"
    return "GEDI no gen" if weights.gen == 0 else "GEDI"


def learns_density(settings: Settings) -> bool:
    """Whether a training learns a density, from which points can be drawn and scored.

    Args:
        settings: complete settings.
    """
    return settings.weights.gen != 0


class Range(NamedTuple):
    """The range of a number.

    Attributes:
        low: the smallest value.
        high: the largest value.
        words: the range in words, for messages after "expected".
    """

    low: float
    high: float
    words: str

    def check(self, name: str, value: Any) -> None:
        """Check that a value is a number in the range.

        Args:
            name: the name of the value in the error message.
            value: the value.

        Raises:
            SettingsError: if it is not; the message says what was expected and what came.
        """
        if not _is_number(value) or not self.low <= value <= self.high:
            raise SettingsError(f"{name}: expected {self.words}, got {_shown(value)}")


def check(settings: Settings, called: Mapping[str, str] | None = None) -> None:
    """Check the types and values of all settings.

    Args:
        settings: complete settings, or settings of a user.
        called: other names of settings for error messages, such as the parameters of an estimator.

    Raises:
        SettingsError: if a training could not use a value; the message names the setting, what was
            expected and what came.
    """
    called = called or {}
    _check_types(settings, called)
    for name, value in _flat(asdict(settings)).items():
        if value is not None and value != "auto" and name in _RANGES:
            _RANGES[name].check(_label(name, called), value)
    if isinstance(settings.prior, (list, tuple)):
        if not settings.prior or not all(0 < share < _INF for share in settings.prior):
            raise SettingsError(
                f"setting prior: expected positive shares, got {_shown(settings.prior)}"
            )
        if isinstance(settings.n_clusters, int) and len(settings.prior) != settings.n_clusters:
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
            "setting n_clusters: expected at least 2 clusters, got 1; for a density without "
            "clusters set weights.inv and weights.prior to 0"
        )
    _check_sampler(settings.sampler)


def _label(name: str, called: Mapping[str, str]) -> str:
    """The name of a setting in a message."""
    return called.get(name, f"setting {name}")


def _check_types(group: Any, called: Mapping[str, str], path: str = "") -> None:
    """Check the types of all values in a group of settings, and in the groups in it."""
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
            continue  # perhaps the name of a plug-in, which is checked when it is looked up
        if kinds[0] not in _TYPES:
            raise SettingsError(
                f"{_label(name, called)}: expected one of {', '.join(named)}; got {_shown(value)}"
            )
        fits, words = _TYPES[kinds[0]]
        words = " or ".join([words, *named])
        if not fits(value):
            raise SettingsError(f"{_label(name, called)}: expected {words}, got {_shown(value)}")


def _shown(value: object) -> str:
    """A value in a message, shortened because values from files may be long."""
    try:
        return _BRIEF.repr(value)
    except ValueError:  # Python refuses to print numbers of thousands of digits
        return f"a {type(value).__name__} of too many digits"


_BRIEF = Repr()
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxother = 3, 80, 80


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


# For each type, a check of values and the expected values in words.
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
            "setting sampler.noise: expected null with sampler.metropolis true, because the test "
            f"is for temperature 1; got {sampler.noise}"
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
    "weights.start": _AT_LEAST_ZERO,
    "weights.max_contrast": _POSITIVE,
    "sampler.step_size": _POSITIVE,
    "sampler.n_draws": _AT_LEAST_ONE,
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
    """Settings from nested dictionaries of plain values, such as those of a YAML file.

    Args:
        tree: values by the names of settings.

    Raises:
        SettingsError: if a name does not exist, a group is not a dictionary, or a value has the
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
