"""The first screen: what was found, whether it can be trusted, and what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from gedi import phrases
from gedi.evaluation.cohesion import Cohesion
from gedi.evaluation.symptoms import (
    FAIR_COHESION,
    FAIR_GAP,
    GOOD_COHESION,
    GOOD_GAP,
    Signs,
    quartiles_of,
    symptoms,
)
from gedi.report.content import Integers, ReportContent

__all__ = [
    "Trust",
    "Verdict",
    "agreement_words",
    "facts",
    "headline",
    "measure_of_trust",
    "metric_cards",
    "signs",
    "verdict",
    "verdict_of",
]

METRIC_HINTS = {
    "nmi": "agreement with the labels; 1 is perfect, 0 is chance",
    "ari": "agreement of pairs with the labels; 1 is perfect, 0 is chance",
    "accuracy": "share of points in the cluster matched to their label",
    "rule-accuracy": "share of the groups whose likeliest outcome is the one that was observed",
    "rule-probability": "probability of the observed outcomes: geometric mean over the groups",
    "symbol-accuracy": "share of points whose symbol is their label, without a matching",
    "regret": "nats per point below the true log-density; lower is better",
    "log-likelihood": "nats per point; higher is better",
}

_SAME_CLUSTERS, _SIMILAR_CLUSTERS = 0.9, 0.6  # adjusted Rand indices
_WRONG_DENSITY = (
    "diverged",
    "samples that are noise",
    "peaks without data",
    "wrong density",
    "samples unlike the data",
)


Level = Literal["good", "fair", "bad"]

_POSITIONS = (1.0, 33.3, 66.7, 99.0)  # of the limits on the scale
_GAP_TEXTS: tuple[tuple[Level, str], ...] = (
    ("good", "The clusters are confident, stable under the views and as large as the prior says."),
    (
        "fair",
        "The clusters are mostly confident, stable under the views and balanced. Look at the small "
        "or uncertain ones before you use them.",
    ),
    (
        "bad",
        "Many points have no certain cluster or change it under the views, or the cluster sizes "
        "differ from the prior. What to try is below.",
    ),
)
_COHESION_TEXTS: tuple[tuple[Level, str], ...] = (
    ("good", "Neighbours share their clusters, far more often than in data without groups."),
    (
        "fair",
        "Neighbours mostly share their clusters, far more often than in data without groups, but "
        "some clusters touch or divide a group. Look at the members before you use them.",
    ),
    (
        "bad",
        "Neighbours are in different clusters nearly as often as in data without groups, or the "
        "groups overlap much. What to try is below.",
    ),
)


class Trust(NamedTuple):
    """The number by which clusters are judged without labels.

    Attributes:
        name: its name.
        value: its value, with units.
        level: what it says.
        text: the same in words.
        position: its place on a scale from 0, the best, to 100.
        ticks: the values at 0, 33 and 67 on this scale.
    """

    name: str
    value: str
    level: Level
    text: str
    position: float
    ticks: tuple[str, str, str]


@dataclass(frozen=True)
class Verdict:
    """Whether the result can be trusted, and the number by which it is judged."""

    level: Level
    title: str
    text: str
    trust: Trust


def headline(sizes: Integers) -> str:
    """The result in one sentence."""
    total, n_clusters = int(np.sum(sizes)), len(sizes)
    used = sizes[sizes > 0]
    if len(used) == 0:
        return f"{n_clusters} clusters and no points."
    if len(used) == 1:
        return f"All {total:,} points are in one cluster of {n_clusters}."
    largest, smallest = phrases.percent(used.max() / total), phrases.percent(used.min() / total)
    if len(used) == n_clusters and largest == smallest:
        return f"{n_clusters} clusters in {total:,} points; each holds {largest}."
    if len(used) < n_clusters:
        return (
            f"{len(used)} of {n_clusters} clusters are used in {total:,} points; "
            f"the largest holds {largest}, the smallest used one {smallest}."
        )
    return (
        f"{n_clusters} clusters in {total:,} points; "
        f"the largest holds {largest}, the smallest {smallest}."
    )


def facts(content: ReportContent) -> list[tuple[str, str]]:
    """Names and values below the headline."""
    found = [] if content.number is None else [("number of clusters", content.number)]
    if content.agreement is not None:
        words = agreement_words(content.agreement, found=content.number is not None)
        found.append(("other seeds", words))
    if content.brief:
        found.append(("charts and map", "left out for lack of time"))
    return [
        ("data", content.dataset),
        ("size", f"{content.n_points:,} points, {content.n_features:,} features"),
        ("method", content.method),
        ("training", f"{content.iterations:,} iterations in {_duration(content.seconds)}"),
        *found,
    ]


def agreement_words(agreement: float, *, found: bool) -> str:
    """On how far another seed is expected to give the same clusters, in words.

    Args:
        agreement: the expected adjusted Rand index, see `gedi.training.session.Fit`.
        found: whether the number of clusters was found.
    """
    if agreement >= _SAME_CLUSTERS:
        words = "With as many clusters, another seed should give the same ones, or nearly"
    elif agreement >= _SIMILAR_CLUSTERS:
        words = "With as many clusters, another seed may give somewhat different ones"
    else:
        words = "Quite different clusters fit about as well, and another seed may give them"
    also = " It may also find another number of clusters." if found else ""
    return f"{words}: the expected agreement is about {agreement:.2f} of 1.{also}"


def verdict(signs: Signs) -> Verdict:
    """Whether the result can be trusted, by its measure of trust and its symptoms."""
    by_name = {symptom.name: symptom for symptom in symptoms(signs)}
    trust = measure_of_trust(signs)
    if signs.collapse_gap is None or np.isnan(signs.collapse_gap):
        text = "The collapse gap is not a number: the training diverged or had no views."
        return Verdict("bad", "Do not trust this result", text, trust)
    too_short = by_name.get("too short") if trust.level != "good" else None
    early = by_name.get("unfinished") or too_short
    if early is not None:
        return Verdict("bad", "Unfinished", str(early), trust)
    if trust.level == "bad":
        return Verdict("bad", "Do not trust these clusters", trust.text, trust)
    title = "The clusters are sound" if trust.level == "good" else "Mostly sound"
    if by_name.keys().isdisjoint(_WRONG_DENSITY):
        return Verdict(trust.level, title, trust.text, trust)
    if signs.cohesion is None:
        text = f"{trust.text} But samples or log-densities disagree with the data, see below."
        return Verdict("bad", "The density does not fit the data", text, trust)
    # Neither groups nor outlier scores of many features are judged by the density.
    text = (
        f"{trust.text} Do not rely on samples and log-densities, which disagree with the data; "
        "outlier scores do not use them."
    )
    return Verdict("fair", f"{title}, but not the density", text, trust)


def measure_of_trust(signs: Signs) -> Trust:
    """The cohesion of clusters in many features, and the collapse gap elsewhere."""
    if signs.cohesion is not None:
        return _by_cohesion(signs.cohesion)
    gap = np.nan if signs.collapse_gap is None else signs.collapse_gap
    level, text = _GAP_TEXTS[int(gap > GOOD_GAP) if gap <= FAIR_GAP else 2]
    scale = (0.0, GOOD_GAP, FAIR_GAP, 1.0)
    position = 99.0 if np.isnan(gap) else float(np.interp(gap, scale, _POSITIONS))
    ticks = ("0", f"{GOOD_GAP}", f"{FAIR_GAP}")
    return Trust("collapse gap", f"{phrases.number(gap)} nats", level, text, position, ticks)


def _by_cohesion(cohesion: Cohesion) -> Trust:
    excess = cohesion.excess
    level, text = _COHESION_TEXTS[int(excess < GOOD_COHESION) + int(excess < FAIR_COHESION)]
    # The scale of kappa depends on that of a cloud without groups.
    low = cohesion.without_groups
    ends = [low + share * (1 - low) for share in (FAIR_COHESION, GOOD_COHESION)]
    position = float(np.interp(-excess, (-1, -GOOD_COHESION, -FAIR_COHESION, 0), _POSITIONS))
    ticks = ("1", f"{ends[1]:.2f}", f"{ends[0]:.2f}")
    value = phrases.number(cohesion.found)
    return Trust("neighbours' agreement", value, level, text, position, ticks)


def verdict_of(content: ReportContent) -> Verdict:
    """Whether the result of a training can be trusted."""
    return verdict(signs(content))


def signs(content: ReportContent) -> Signs:
    """The signs from which symptoms are derived."""
    return Signs(
        method=content.method,
        collapse_gap=content.collapse_gap,
        cohesion=content.cohesion,
        history={
            str(name): content.history[name].to_numpy(dtype=float)
            for name in content.history
            if pd.api.types.is_numeric_dtype(content.history[name])
        },
        interventions=content.interventions,
        sizes=content.cluster_sizes,
        prior=content.prior,
        energies=quartiles_of(content.energies),
        n_not_finite=int(np.sum(~np.isfinite(content.log_density))),
        ended=content.ended,
        iterations=content.iterations,
        max_iter=content.max_iter,
        regret=content.metrics.get("regret"),
        over_base=content.over_base,
        apart=content.apart,
    )


def metric_cards(metrics: Mapping[str, float]) -> list[tuple[str, str, str]]:
    """The name, value and meaning of each metric."""
    return [
        (
            name,
            phrases.number(value),
            METRIC_HINTS.get(name.lower().replace("_", "-").replace(" ", "-"), ""),
        )
        for name, value in metrics.items()
    ]


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
