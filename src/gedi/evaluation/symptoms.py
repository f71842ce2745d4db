"""What can be wrong with a training, from symptom to setting, without labels.

Symptoms follow from a few numbers that every run stores, so the report and `gedi doctor` agree.
A number that is missing gives no symptom.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gedi import phrases
from gedi.evaluation.cohesion import Cohesion

__all__ = [
    "FAIR_COHESION",
    "FAIR_GAP",
    "GOOD_COHESION",
    "GOOD_GAP",
    "Name",
    "Quartiles",
    "Signs",
    "Symptom",
    "quartiles_of",
    "settled",
    "symptoms",
]

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

GOOD_GAP = 0.05  # nats
FAIR_GAP = 0.3
GOOD_COHESION = 0.8  # of the way from a cloud without groups to perfect agreement
FAIR_COHESION = 0.5

_NO_GROUPS = 0.2  # of that way
_BIG = 0.8  # share of the points above which a cluster is too big
_SMALL = 0.1  # of the share in the prior, below which a cluster is too small
_FLAT = 0.5  # nats between data and uniform noise
_STALE = 10.0  # nats
_WALLS = 0.1  # share of the chains' coordinates
_ACCEPTED = 0.2  # share of the moves
_REGRET = 0.5  # nats
_BELOW_BASE = 0.1  # nats
_APART = 0.3  # of two distribution functions
_RECORDS = 10  # from which it can be seen that a training that was stopped early had settled

_ENERGIES = "energy_data, energy_samples and gradient_norm in metrics.csv"

_CLUSTERING = ("GEDI", "GEDI no gen")
_DENSITY = ("GEDI", "JEM")


class Quartiles(NamedTuple):
    """Quartiles of the energies of many points, in nats."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Signs:
    """What is known about a training.

    Args:
        method: its name in the paper.
        history: metrics over the iterations, by name, in the format of the history of a run.
        interventions: what the guard did, one sentence each.
        sizes: points in each cluster, (c,); None if the training has not ended.
        prior: share that each cluster should have, (c,); None if the training has not ended.
        energies: quartiles of the energies of `data`, `samples` and `noise`, in nats.
        n_not_finite: number of points without a finite log-density.
        failure: why the training was given up; None if it was not.
        collapse_gap: in nats, under fixed views; None if the training has not ended.
        cohesion: how often neighbours share a cluster, for vectors of many features, where it
            replaces the collapse gap; None elsewhere.
        ended: what ended the training: "max_iter", "max_time", "converged" or "interrupted"; None
            if that is not known.
        iterations: number of iterations done.
        max_iter: number of iterations that were asked for; None if that is not known.
        regret: mean log-density that is lost against the true density, in nats; None if the true
            density is not known.
        over_base: mean log-density of held-out data minus that of the base alone, in nats; None
            without a base or a reliable log Z.
        apart: how far samples are from the data, from 0 to 1: the largest distance of the two
            distribution functions over the columns (Kolmogorov-Smirnov), less what chance explains;
            None if that is not known, as for images.
    """

    method: str
    history: Mapping[str, Floats] = field(default_factory=dict)
    interventions: Sequence[str] = ()
    sizes: Integers | None = None
    prior: Floats | None = None
    energies: Mapping[str, Quartiles] = field(default_factory=dict)
    n_not_finite: int = 0
    failure: str | None = None
    collapse_gap: float | None = None
    cohesion: Cohesion | None = None
    ended: str | None = None
    iterations: int = 0
    max_iter: int | None = None
    regret: float | None = None
    over_base: float | None = None
    apart: float | None = None


Name = Literal[
    "unfinished",
    "fuzzy boundaries",
    "touching clusters",
    "no groups",
    "unequal clusters",
    "no clustering",
    "no density",
    "diverged",
    "nearly diverged",
    "one big cluster",
    "unused clusters",
    "small clusters",
    "samples that are noise",
    "peaks without data",
    "flat energies",
    "wrong density",
    "samples unlike the data",
    "rejected moves",
    "stale chains",
    "chains at the walls",
    "too short",
]
"""The names of the symptoms, which are the first column of docs/symptoms.md."""


class Symptom(NamedTuple):
    """A problem that a reader should know before using the result.

    Attributes:
        name: a short, fixed name.
        what: what is wrong.
        change: what to try.
        look: where to see it.
    """

    name: Name
    what: str
    change: str
    look: str

    def __str__(self) -> str:
        return f"{self.what} {self.change}"


def quartiles_of(energies: Mapping[str, Floats]) -> dict[str, Quartiles]:
    """The quartiles of each set of energies (n,) that has finite ones."""
    finite = {name: values[np.isfinite(values)] for name, values in energies.items()}
    return {
        name: Quartiles(*np.quantile(values, (0.25, 0.5, 0.75)).tolist())
        for name, values in finite.items()
        if values.size
    }


def settled(gaps: Sequence[float] | Floats) -> bool:
    """Returns whether the collapse gap decreased little over the last fifth of its records.

    Args:
        gaps: the collapse gap at each record, in nats.
    """
    values = np.asarray(gaps, float)
    last = max(1, math.ceil(len(values) / 5))
    if len(values) < 2 * last + 1:
        return False
    gained = values[-2 * last : -last].mean() - values[-last:].mean()
    return bool(gained < max(0.05, 0.1 * abs(values[-last:].mean())))


def symptoms(signs: Signs) -> Iterator[Symptom]:
    """Yields all symptoms, the gravest first."""
    yield from _of_an_early_end(signs)
    yield from _of_gap(signs)
    yield from _of_method(signs.method)
    yield from _of_divergence(signs)
    if signs.sizes is not None and signs.prior is not None:
        yield from _of_sizes(signs.sizes, signs.prior)
    if signs.method in _DENSITY:
        yield from _of_samples(
            signs.energies, by_chains=not math.isnan(_last(signs.history, "acceptance"))
        )
        yield from _of_flatness(signs.energies)
        yield from _of_regret(signs.regret)
        yield from _of_comparisons(signs)
        yield from _of_chains(signs.history)
    yield from _of_duration(signs)


def _of_an_early_end(signs: Signs) -> Iterator[Symptom]:
    """A training that was stopped before its iterations were done, unless it was good and level."""
    good = signs.collapse_gap is None or signs.collapse_gap <= GOOD_GAP
    stopped_by_time = signs.ended == "max_time" and not (good and _has_settled(signs))
    if signs.failure is not None or not (stopped_by_time or signs.ended == "interrupted"):
        return
    asked = "" if signs.max_iter is None else f" of at most {signs.max_iter:,}"
    what = f"The training stopped after {signs.iterations:,}{asked} iterations"
    if stopped_by_time:
        what += ", as its time was up"
        what += "." if _has_settled(signs) else ", and was still improving."
        change = "Give it more time: train again with a larger --max-time, or without a limit."
    else:
        what += ", before it had converged."
        change = "Continue it with gedi resume and the run folder."
    yield Symptom("unfinished", what, change, "gap and iteration in metrics.csv")


def _has_settled(signs: Signs) -> bool:
    """Returns whether the gap (of JEM, which trains no clusters, the bound) gained little."""
    if signs.method not in (*_CLUSTERING, *_DENSITY):
        return True
    name = "gap" if signs.method in _CLUSTERING else "bound"
    values = signs.history.get(name, np.array([]))
    return len(values) >= _RECORDS and settled(values if name == "gap" else -values)


def _of_gap(signs: Signs) -> Iterator[Symptom]:
    """What the collapse gap says, and which of its two parts is to blame."""
    gap = signs.collapse_gap
    if gap is None or signs.method not in _CLUSTERING:
        return
    if signs.cohesion is not None and not math.isnan(gap):
        yield from _of_cohesion(signs.cohesion, signs.prior)
        return
    if gap <= GOOD_GAP:
        return
    look = "gap, inv and prior in metrics.csv; the clusters marked as uncertain in report.html"
    if math.isnan(gap):
        change = "Use a smaller --learning-rate, and views that are not all of strength 0."
        yield Symptom("diverged", "The collapse gap is not a number.", change, _ENERGIES)
        return
    # The two parts at the last evaluation during training, when their sum was the gap.
    unsure = -_last(signs.history, "inv")
    unbalanced = _last(signs.history, "gap") - unsure
    what = f"The collapse gap is {phrases.number(gap)} nats"
    if not math.isfinite(unsure + unbalanced):
        yield Symptom("fuzzy boundaries", f"{what}.", _unsure(signs.prior), look)
        return
    what += (
        f": at the last evaluation during the training, {phrases.number(unsure)} nats came from "
        "points whose cluster is uncertain or changes under the views (fuzzy boundaries), and "
        f"{phrases.number(max(0.0, unbalanced))} from cluster sizes that differ from the prior."
    )
    if unsure >= unbalanced:
        yield Symptom("fuzzy boundaries", what, _unsure(signs.prior), look)
    else:
        yield Symptom("unequal clusters", what, _UNBALANCED, look)


_UNSURE = (
    "Try, in this order: {first}a longer training (--max-iter), views that change only what should "
    "not matter (--views.noise, --views.preset), another number of clusters (--n-clusters), and "
    "more restarts (--restarts.n), which start from chance and not from the pool of partitions."
)
_UNBALANCED = (
    "If the groups may differ in size, use --prior learned, or set their shares with "
    "--prior '[0.7, 0.3]'. Otherwise give PRIOR more weight (--weights.prior)."
)


def _unsure(prior: Floats | None) -> str:
    """What to try against fuzzy boundaries; first, if all clusters were to be equal, a prior."""
    first = "--prior learned, because groups of unequal sizes are split by equal shares; "
    return _UNSURE.format(first=first if _is_equal(prior) else "")


def _is_equal(prior: Floats | None) -> bool:
    """Whether all clusters should have the same share."""
    return prior is not None and len(prior) > 1 and bool(np.ptp(prior) < 1e-6)


def _of_cohesion(cohesion: Cohesion, prior: Floats | None) -> Iterator[Symptom]:
    """Neighbours that are in different clusters."""
    look = "cohesion in result.json; the clusters marked as uncertain in report.html"
    found, expected = (phrases.number(kappa) for kappa in cohesion)
    shared = f"The agreement of neighbours on their cluster (Cohen's kappa) is {found}"
    if cohesion.excess < _NO_GROUPS:
        yield Symptom(
            "no groups",
            f"{shared}, and {expected} in a cloud of points without groups.",
            "Try features that show the differences of interest (--features), or another number "
            "of clusters (--n-clusters).",
            look,
        )
    elif cohesion.excess < GOOD_COHESION:
        yield Symptom(
            "touching clusters",
            f"{shared}, where 1 is perfect and {expected} is that of a cloud of points without "
            "groups: some clusters touch, or divide a group.",
            "Try another number of clusters (--n-clusters)"
            + (", --prior learned if groups may differ in size," if _is_equal(prior) else "")
            + " or other features (--features).",
            look,
        )


def _of_method(method: str) -> Iterator[Symptom]:
    look = "weights in settings.yaml"
    if method == "JEM":
        yield Symptom(
            "no clustering",
            "JEM trains only the density: no term of its objective shapes the clusters.",
            "To get clusters, leave --weights.inv and --weights.prior at their defaults.",
            look,
        )
    elif method == "GEDI no gen":
        yield Symptom(
            "no density",
            "GEDI no gen trains only the clusters: no term of its objective shapes the density, "
            "so log-densities, the least likely inputs and samples mean nothing.",
            "To get a density, leave --weights.gen at its default.",
            look,
        )


def _of_divergence(signs: Signs) -> Iterator[Symptom]:
    if signs.failure is not None:
        yield Symptom(
            "diverged",
            f"The training was given up: {signs.failure.rstrip('.')}.",
            "Use a smaller --learning-rate or --weights.gen, more --sampler.n-steps, or more "
            "--data-noise.",
            _ENERGIES,
        )
    if signs.n_not_finite:
        yield Symptom(
            "diverged",
            f"{signs.n_not_finite:,} points have no finite log-density: the training diverged.",
            "Use a smaller --learning-rate or --weights.gen, or more --data-noise.",
            _ENERGIES,
        )
    if signs.interventions:
        yield Symptom(
            "nearly diverged",
            f"The guard kept the training from diverging: {'; '.join(signs.interventions)}.",
            "Use a smaller --learning-rate or more Langevin steps (--sampler.n-steps).",
            _ENERGIES,
        )


def _of_sizes(sizes: Integers, prior: Floats) -> Iterator[Symptom]:
    """One cluster that holds nearly all points, and clusters that hold none or far too few."""
    look = "the sizes of the clusters in report.html"
    total = int(np.sum(sizes))
    largest = int(np.argmax(sizes))
    share = float(sizes[largest] / max(total, 1))
    if share >= max(_BIG, 1.5 * float(prior[largest])):
        yield Symptom(
            "one big cluster",
            f"One big cluster: {phrases.percent(share)} of the points are in cluster {largest}, "
            f"where the prior asks for {phrases.percent(float(prior[largest]))}.",
            "Use more restarts (--restarts.n), or give PRIOR more weight (--weights.prior).",
            look,
        )
    empty = np.flatnonzero((sizes == 0) & (prior > 0))
    if len(empty):
        yield Symptom(
            "unused clusters",
            f"No point is in {phrases.listed(empty)}.",
            "Ask for fewer clusters (--n-clusters), or give PRIOR more weight (--weights.prior).",
            look,
        )
    small = np.flatnonzero((sizes > 0) & (sizes < _SMALL * prior * total))
    if len(small):
        yield Symptom(
            "small clusters",
            f"Less than a tenth of the points that the prior asks for are in "
            f"{phrases.listed(small)}.",
            "If clusters should be that small, set their shares (--prior); otherwise ask for fewer "
            "clusters (--n-clusters).",
            look,
        )


def _of_samples(energies: Mapping[str, Quartiles], *, by_chains: bool) -> Iterator[Symptom]:
    """Samples whose energies differ from those of the data: the density is not learned yet."""
    data, samples = energies.get("data"), energies.get("samples")
    if data is None or samples is None:
        return
    difference = samples.median - data.median
    if abs(difference) <= max(2.0 * (data.high - data.low), 1.0):
        return
    if difference > 0:
        name: Name = "samples that are noise"
        if by_chains:
            cause = "less likely than the data, as the chains have not reached the data"
            change = (
                "Use more or longer steps (--sampler.n-steps, --sampler.step-size), or train "
                "longer (--max-iter)."
            )
        else:
            cause = "less likely than the data, of which there are too few for so many features"
            change = "Train on more rows, or on fewer features."
    else:
        name = "peaks without data"
        cause = "likelier than the data, as the density has peaks where there are no data"
        change = "Use a smaller --learning-rate, more --data-noise, or a smaller --weights.gen."
    yield Symptom(
        name,
        f"The median energy of samples differs from that of the data by "
        f"{phrases.number(abs(difference))} nats: samples are {cause}.",
        change,
        "the histogram of energies and the samples in report.html",
    )


def _of_flatness(energies: Mapping[str, Quartiles]) -> Iterator[Symptom]:
    data, noise = energies.get("data"), energies.get("noise")
    if data is None or noise is None or noise.median - data.median >= _FLAT:
        return
    yield Symptom(
        "flat energies",
        "Flat energies: the energy of uniform noise is only "
        f"{phrases.number(noise.median - data.median)} nats above that of the data. This is right "
        "only if the data fill their box evenly.",
        "Train longer (--max-iter), give GEN more weight (--weights.gen), or use less "
        "--data-noise.",
        "the histogram of energies in report.html",
    )


def _of_regret(regret: float | None) -> Iterator[Symptom]:
    if regret is None or regret <= _REGRET:
        return
    yield Symptom(
        "wrong density",
        f"The mean log-density is {phrases.number(regret)} nats below that of the true density.",
        "Train longer (--max-iter), or give GEN more weight (--weights.gen).",
        "the map of the density and the samples in report.html",
    )


def _of_comparisons(signs: Signs) -> Iterator[Symptom]:
    """A density worse than the one it started from, and samples in other places than the data."""
    below = -math.inf if signs.over_base is None else -signs.over_base
    if below > _BELOW_BASE:
        yield Symptom(
            "wrong density",
            f"The mean log-density of the data is {phrases.number(below)} nats below that of the "
            "simple density from which the training started.",
            "Train longer (--max-iter), or change the weight of GEN (--weights.gen).",
            "the map of the density and the samples in report.html",
        )
    if signs.apart is not None and signs.apart > _APART:
        yield Symptom(
            "samples unlike the data",
            "Samples differ from the data: in one column their distribution functions differ by "
            f"{phrases.percent(signs.apart)}.",
            "Train longer (--max-iter), or, where chains move, use more of their steps "
            "(--sampler.n-steps).",
            "the samples in report.html; apart in result.json",
        )


def _of_chains(history: Mapping[str, Floats]) -> Iterator[Symptom]:
    accepted = _last(history, "acceptance")
    if accepted < _ACCEPTED:
        yield Symptom(
            "rejected moves",
            f"The chains accept only {phrases.percent(accepted)} of their moves, so samples hardly "
            "change.",
            "Use smaller steps (--sampler.step-size).",
            "acceptance and step_size in metrics.csv",
        )
    stale = _last(history, "staleness")
    if stale > _STALE:
        yield Symptom(
            "stale chains",
            f"Stale chains: the energy of chains in the buffer is {phrases.number(stale)} nats "
            "above that of chains that have just moved, so they lag behind the model.",
            "Use a smaller buffer (--sampler.buffer-size), restart more chains "
            "(--sampler.reinit), or use a smaller --learning-rate.",
            "staleness in metrics.csv",
        )
    walls = _last(history, "on_walls")
    if walls > _WALLS:
        yield Symptom(
            "chains at the walls",
            f"Chains at the walls: {phrases.percent(walls)} of their coordinates are on the walls "
            "of the data's box. Either they stick there, or the model has put density there.",
            "Use smaller steps (--sampler.step-size), a smaller --learning-rate or --weights.gen, "
            "or another --sampler.boundary than clamp.",
            "on_walls in metrics.csv",
        )


def _of_duration(signs: Signs) -> Iterator[Symptom]:
    if signs.ended != "max_iter" or signs.method not in _CLUSTERING:
        return
    if "gap" in signs.history and not settled(signs.history["gap"]):
        yield Symptom(
            "too short",
            "The collapse gap was still improving when the training stopped.",
            "Train longer (--max-iter).",
            "gap in metrics.csv",
        )


def _last(history: Mapping[str, Floats], name: str) -> float:
    """The last finite value; NaN if there is none, for which every comparison is false."""
    values = history.get(name, np.array([]))
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if finite.size else math.nan
