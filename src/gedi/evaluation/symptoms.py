"""Symptoms of what can be wrong with a training, and settings to change; no labels are needed.

Symptoms are derived from a few numbers that every run stores, so the report and `gedi doctor`
agree. Numbers that are missing give no symptom.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gedi import phrases

__all__ = [
    "FAIR_GAP",
    "GOOD_GAP",
    "Name",
    "Quartiles",
    "Signs",
    "Symptom",
    "gap_symptoms",
    "quartiles_of",
    "settled",
    "symptoms",
]

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

GOOD_GAP = 0.05  # nats
FAIR_GAP = 0.3

_BIG = 0.8  # share of the points above which a cluster is too big
_SMALL = 0.1  # of the share in the prior, below which a cluster is too small
_FLAT = 0.5  # nats between data and uniform noise
_STALE = 10.0  # nats
_WALLS = 0.1  # share of the chains' coordinates
_ACCEPTED = 0.2  # share of the moves

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
        history: metrics over the iterations, by name, as the history of a run has them.
        interventions: of the guard, one sentence each.
        sizes: points in each cluster, (c,); None if the training has not ended.
        prior: share that each cluster should have, (c,); None if the training has not ended.
        energies: of `data`, `samples` and `noise`, in nats.
        n_not_finite: number of points without a finite log-density.
        failure: why the training was given up; None if it was not.
        collapse_gap: in nats, under fixed views; None if the training has not ended.
        ended: what ended the training; None if that is not known.
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
    ended: str | None = None


Name = Literal[
    "fuzzy boundaries",
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
    "rejected moves",
    "stale chains",
    "chains at the walls",
    "too short",
]
"""The headings of docs/symptoms.md."""


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
    """Yields all symptoms but those of the gap, the most serious first."""
    yield from _of_method(signs.method)
    yield from _of_divergence(signs)
    if signs.sizes is not None and signs.prior is not None:
        yield from _of_sizes(signs.sizes, signs.prior)
    if signs.method in _DENSITY:
        yield from _of_samples(signs.energies)
        yield from _of_flatness(signs.energies)
        yield from _of_chains(signs.history)
    yield from _of_duration(signs)


def gap_symptoms(signs: Signs) -> Iterator[Symptom]:
    """Yields what the collapse gap says, and which of its two parts is to blame."""
    gap = signs.collapse_gap
    if gap is None or gap <= GOOD_GAP or signs.method not in _CLUSTERING:
        return
    look = "gap, inv and prior in metrics.csv; the clusters marked as uncertain in report.html"
    if math.isnan(gap):
        change = "Take a smaller --learning-rate, and views that are not all of strength 0."
        yield Symptom("diverged", "The collapse gap is not a number.", change, _ENERGIES)
        return
    # The two parts at the last evaluation during training, when their sum was the gap.
    unsure = -_last(signs.history, "inv")
    unbalanced = _last(signs.history, "gap") - unsure
    what = f"The collapse gap is {phrases.number(gap)} nats"
    if not math.isfinite(unsure + unbalanced):
        yield Symptom("fuzzy boundaries", f"{what}.", _UNSURE, look)
        return
    what += (
        f": {phrases.number(unsure)} nats from points that are unsure or change under the views "
        f"(fuzzy boundaries), {phrases.number(max(0.0, unbalanced))} from sizes of clusters that "
        "differ from the prior (at the last evaluation of the training)."
    )
    if unsure >= unbalanced:
        yield Symptom("fuzzy boundaries", what, _UNSURE, look)
    else:
        yield Symptom("unequal clusters", what, _UNBALANCED, look)


_UNSURE = (
    "In this order: more restarts (--restarts.n); a longer training (--max-iter); views that "
    "change only what should not matter (--views.noise, --views.preset); another number of "
    "clusters (--n-clusters)."
)
_UNBALANCED = (
    "Give PRIOR more weight (--weights.prior), or set unequal shares: --prior '[0.7, 0.3]' or "
    "--prior learned."
)


def _of_method(method: str) -> Iterator[Symptom]:
    look = "weights in settings.yaml"
    if method == "JEM":
        yield Symptom(
            "no clustering",
            "JEM trains only the density: no term of its loss shapes the clusters.",
            "For clusters leave --weights.inv and --weights.prior as they are by default.",
            look,
        )
    elif method == "GEDI no gen":
        yield Symptom(
            "no density",
            "GEDI no gen trains only the clusters: no term of its loss shapes the density, so the "
            "least likely inputs and the samples mean nothing.",
            "For a density leave --weights.gen as it is by default.",
            look,
        )


def _of_divergence(signs: Signs) -> Iterator[Symptom]:
    if signs.failure is not None:
        yield Symptom(
            "diverged",
            f"The training was given up: {signs.failure.rstrip('.')}.",
            "Take a smaller --learning-rate or --weights.gen, more --sampler.n-steps, or more "
            "--data-noise.",
            _ENERGIES,
        )
    if signs.n_not_finite:
        yield Symptom(
            "diverged",
            f"{signs.n_not_finite:,} points have no finite log-density: the training diverged.",
            "Take a smaller --learning-rate or --weights.gen, or more --data-noise.",
            _ENERGIES,
        )
    if signs.interventions:
        yield Symptom(
            "nearly diverged",
            f"The guard kept the training from diverging: {'; '.join(signs.interventions)}.",
            "Use a smaller learning rate (--learning-rate) or more Langevin steps "
            "(--sampler.n-steps).",
            _ENERGIES,
        )


def _of_sizes(sizes: Integers, prior: Floats) -> Iterator[Symptom]:
    """One cluster that holds nearly all points; clusters that hold none, or far too few."""
    look = "the sizes of the clusters in report.html"
    total = int(np.sum(sizes))
    largest = int(np.argmax(sizes))
    share = float(sizes[largest] / max(total, 1))
    if share >= max(_BIG, 1.5 * float(prior[largest])):
        yield Symptom(
            "one big cluster",
            f"One big cluster: {phrases.percent(share)} of the points are in cluster {largest}, "
            f"where the prior asks for {phrases.percent(float(prior[largest]))}.",
            "Take more restarts (--restarts.n), or give PRIOR more weight (--weights.prior).",
            look,
        )
    empty = np.flatnonzero((sizes == 0) & (prior > 0))
    if len(empty):
        yield Symptom(
            "unused clusters",
            f"Unused: {phrases.listed(empty)}.",
            "Ask for fewer clusters (--n-clusters), or give PRIOR more weight (--weights.prior).",
            look,
        )
    small = np.flatnonzero((sizes > 0) & (sizes < _SMALL * prior * total))
    if len(small):
        yield Symptom(
            "small clusters",
            f"Smaller than a tenth of what the prior asks for: {phrases.listed(small)}.",
            "If they should be small, set their shares (--prior); if not, ask for fewer clusters "
            "(--n-clusters).",
            look,
        )


def _of_samples(energies: Mapping[str, Quartiles]) -> Iterator[Symptom]:
    """Samples whose energies differ from those of the data: the density is not learned yet."""
    data, samples = energies.get("data"), energies.get("samples")
    if data is None or samples is None:
        return
    difference = samples.median - data.median
    if abs(difference) <= max(2.0 * (data.high - data.low), 1.0):
        return
    if difference > 0:
        name: Name = "samples that are noise"
        cause = "less likely than the data. The chains have not reached the data"
        change = "Take more or longer steps: --sampler.n-steps, --sampler.step-size, --max-iter."
    else:
        name = "peaks without data"
        cause = "likelier than the data. The density has peaks where there is no data"
        change = "Take a smaller --learning-rate, more --data-noise, or a smaller --weights.gen."
    yield Symptom(
        name,
        f"The energies of samples differ by {phrases.number(abs(difference))} nats from those of "
        f"the data: samples are {cause}.",
        change,
        "the histogram of energies and the samples in report.html",
    )


def _of_flatness(energies: Mapping[str, Quartiles]) -> Iterator[Symptom]:
    data, noise = energies.get("data"), energies.get("noise")
    if data is None or noise is None or noise.median - data.median >= _FLAT:
        return
    yield Symptom(
        "flat energies",
        "Flat energies: uniform noise lies "
        f"{phrases.number(noise.median - data.median)} nats above the data, so the density hardly "
        "separates them. This is right only if the data fill their box evenly.",
        "Train longer (--max-iter), give GEN more weight (--weights.gen), or take less "
        "--data-noise.",
        "the histogram of energies in report.html",
    )


def _of_chains(history: Mapping[str, Floats]) -> Iterator[Symptom]:
    accepted = _last(history, "acceptance")
    if accepted < _ACCEPTED:
        yield Symptom(
            "rejected moves",
            f"The chains accept only {phrases.percent(accepted)} of their moves: samples hardly "
            "change.",
            "Take smaller steps (--sampler.step-size).",
            "acceptance and step_size in metrics.csv",
        )
    stale = _last(history, "staleness")
    if stale > _STALE:
        yield Symptom(
            "stale chains",
            f"Stale chains: the energies of those in the buffer are {phrases.number(stale)} nats "
            "above those that have just moved, so they lag behind the model.",
            "Take a smaller buffer (--sampler.buffer-size), restart more chains "
            "(--sampler.reinit), or take a smaller --learning-rate.",
            "staleness in metrics.csv",
        )
    walls = _last(history, "on_walls")
    if walls > _WALLS:
        yield Symptom(
            "chains at the walls",
            f"Chains at the walls: {phrases.percent(walls)} of their coordinates are on the walls "
            "of the data's box, where they stick, or where the model has density without data.",
            "Take smaller steps (--sampler.step-size), a smaller --learning-rate or --weights.gen, "
            "or another --sampler.boundary than clamp.",
            "on_walls in metrics.csv",
        )


def _of_duration(signs: Signs) -> Iterator[Symptom]:
    if signs.ended not in ("max_iter", "max_time") or signs.method not in _CLUSTERING:
        return
    if "gap" in signs.history and not settled(signs.history["gap"]):
        yield Symptom(
            "too short",
            "The gap was still improving when the training stopped.",
            f"Train longer (--{signs.ended.replace('_', '-')}).",
            "gap in metrics.csv",
        )


def _last(history: Mapping[str, Floats], name: str) -> float:
    """The last finite value; NaN, for which every comparison is false, if there is none."""
    values = history.get(name, np.array([]))
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if finite.size else math.nan
