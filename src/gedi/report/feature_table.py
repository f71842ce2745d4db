"""Sections for tables: features that separate clusters, and unlikely rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gedi import phrases, plot
from gedi.data.inverse import date_text
from gedi.report.array_tools import largest_numbers, nonzero
from gedi.report.cluster_table import MAX_TABLE_CLUSTERS, hex_colors
from gedi.report.content import Floats, Integers, ReportContent
from gedi.report.pictures import Picture, chart

__all__ = ["effects", "feature_pictures", "feature_rows", "signatures", "unlikely_rows"]

_MOST_ROWS = 12
_MOST_PICTURES = 6
_MOST_WORDS = 3
_CLEAR = 0.5  # pooled standard deviations above which a difference is mentioned
_NOTHING = 1e-12  # of a variance


@dataclass(frozen=True)
class FeatureRow:
    """One feature: its scale in the user's units, its effect η², and coloured standardised means.

    η² is the share of the variance of the feature that lies between clusters.
    """

    name: str
    scale: str
    effect: str
    means: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class UnlikelyRow:
    """One of the least typical rows of a table, and the features that stand out in it."""

    number: int
    cluster: int
    color: str
    confidence: str
    score: str
    p_value: str
    standing_out: Sequence[tuple[str, str]]


def feature_rows(content: ReportContent) -> list[FeatureRow]:
    """The features that differ most between clusters, with their standardised means."""
    center, scale = content.x.mean(axis=0), content.x.std(axis=0)
    means, effect = _standardised_means(content, center, scale), effects(content)
    shown = largest_numbers(content.cluster_sizes, MAX_TABLE_CLUSTERS)
    names = _feature_names(content)
    return [
        FeatureRow(
            name=names[j],
            scale=f"{phrases.number(center[j])} ± {phrases.number(scale[j])}"
            if j not in content.dates
            else f"{date_text(round(center[j]))} ± {phrases.number(scale[j])} days",
            effect=phrases.percent(float(effect[j])),
            means=[_heat(means[k, j]) for k in shown],
        )
        for j in _order(content, effect)[:_MOST_ROWS]
    ]


def feature_pictures(content: ReportContent) -> list[Picture]:
    """Box plots of the features that differ most between clusters, one picture each."""
    effect, names = effects(content), _feature_names(content)
    shown = largest_numbers(content.cluster_sizes, MAX_TABLE_CLUSTERS)
    height = 1.0 + 0.24 * len(shown)

    def boxes(j: int) -> Picture:
        share = phrases.percent(float(effect[j]))
        return chart(
            lambda ax: plot.feature_boxes(
                ax,
                content.x[:, j],
                content.clusters,
                name=names[j],
                n_clusters=content.n_clusters,
                shown=shown,
                are_dates=j in content.dates,
            ),
            alt=f"Box plot of {names[j]} in each cluster",
            caption=f"{names[j]}: {share} of its variance lies between clusters",
            size=(3.2, height),
            recolored=False,
        )

    return [boxes(int(j)) for j in _order(content, effect)[:_MOST_PICTURES] if effect[j] > 0]


def signatures(content: ReportContent) -> list[list[str]]:
    """The features in which each cluster differs most from all others, in words.

    They are chosen by Cohen's d: the difference of the means inside and outside of the cluster, in
    pooled standard deviations. For m of n points, whose mean is t standard deviations from that of
    all points, it is

        n t / (n - m) / sqrt(1 - m t² / (n - m))
    """
    names, n = _feature_names(content), len(content.x)
    center, scale = content.x.mean(axis=0), content.x.std(axis=0)
    means = _standardised_means(content, center, scale)
    found: list[list[str]] = []
    sizes = np.bincount(content.clusters, minlength=content.n_clusters)
    for t, m in zip(means, sizes, strict=True):
        if m in (0, n):
            found.append([])
            continue
        left = 1 - m * t**2 / (n - m)  # the share of the variance within the two groups
        d = n * t / (n - m) / np.sqrt(np.where(left > _NOTHING, left, 1.0))
        found.append(
            [
                f"{_side(d[j] > 0, j in content.dates)} {names[j]} ({d[j]:+.1f} sd)"
                for j in _order(content, np.abs(d))[:_MOST_WORDS]
                if abs(d[j]) >= _CLEAR
            ]
        )
    return found


def effects(content: ReportContent) -> Floats:
    """η² of each feature: the share of its variance that lies between clusters, (d,)."""
    center, scale = content.x.mean(axis=0), content.x.std(axis=0)
    weights = content.cluster_sizes / max(int(np.sum(content.cluster_sizes)), 1)
    means = np.nan_to_num(_standardised_means(content, center, scale))
    shares: Floats = np.clip(weights @ means**2, 0.0, 1.0)
    return shares


def _side(above: bool, of_dates: bool) -> str:
    """A word for values that are above or below others."""
    if of_dates:
        return "late" if above else "early"
    return "high" if above else "low"


def _order(content: ReportContent, effect: Floats) -> Integers:
    """The features that are shown, in descending order of their effect."""
    order = np.argsort(-effect, kind="stable")
    return order if content.shown is None else order[np.isin(order, content.shown)]


def _standardised_means(content: ReportContent, center: Floats, scale: Floats) -> Floats:
    """Mean of each feature in each cluster, in standard deviations from the mean of all: (c, d)."""
    means = np.full((content.n_clusters, content.x.shape[1]), np.nan)
    for k in np.unique(content.clusters):
        means[k] = (content.x[content.clusters == k].mean(axis=0) - center) / nonzero(scale)
    return means


def _heat(mean: float) -> tuple[str, str]:
    """A standardised mean as text, and its colour: blue above the mean, orange below."""
    if np.isnan(mean):
        return "", "transparent"
    red, green, blue = (0, 114, 178) if mean > 0 else (230, 140, 0)
    # Adding zero turns the "-0.0" of rounding into "+0.0".
    return (
        f"{round(float(mean), 1) + 0.0:+.1f}",
        f"rgba({red}, {green}, {blue}, {0.5 * min(abs(mean) / 2.0, 1.0):.2f})",
    )


def unlikely_rows(content: ReportContent) -> list[UnlikelyRow]:
    """The least typical rows, with the features that make them so."""
    if content.unusual is None:
        return []
    colors, unusual = hex_colors(content.n_clusters), content.unusual
    return [
        UnlikelyRow(
            number=int(number),
            cluster=int(content.clusters[i]),
            color=colors[content.clusters[i]],
            confidence=f"{sure:.3f}",
            score=phrases.number(score),
            p_value=f"{p:.2g}",
            standing_out=reasons,
        )
        for i, number, score, p, sure, reasons in zip(*unusual[:6], strict=True)
    ]


def _feature_names(content: ReportContent) -> list[str]:
    names = [content.dates.get(j, name) for j, name in enumerate(content.feature_names)]
    return names or [f"feature {j}" for j in range(content.x.shape[1])]
