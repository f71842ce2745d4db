"""The data where they are rows of a table: features that tell clusters, and unlikely rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gedi import phrases
from gedi.report.arrays import by_density, largest_numbers, nonzero
from gedi.report.clusters import MAX_TABLE_CLUSTERS, hex_colors
from gedi.report.content import Floats, ReportContent

__all__ = ["feature_rows", "unlikely_rows"]


@dataclass(frozen=True)
class FeatureRow:
    """One feature: its scale in the user's units, and standardised means: text and colour."""

    name: str
    scale: str
    means: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class UnlikelyRow:
    """One of the least likely rows of a table, and the features that stand out in it."""

    number: int
    cluster: int
    color: str
    confidence: str
    log_density: str
    standing_out: Sequence[tuple[str, str]]


def feature_rows(content: ReportContent) -> list[FeatureRow]:
    """The features that differ most between clusters, with their standardised means."""
    center, scale = content.x.mean(axis=0), content.x.std(axis=0)
    means = _standardised_means(content, center, scale)
    weights = content.cluster_sizes / max(int(np.sum(content.cluster_sizes)), 1)
    spread = np.sqrt(weights @ np.nan_to_num(means) ** 2)
    shown = largest_numbers(content.cluster_sizes, MAX_TABLE_CLUSTERS)
    names = _feature_names(content)
    return [
        FeatureRow(
            name=names[j],
            scale=f"{phrases.number(center[j])} ± {phrases.number(scale[j])}",
            means=[_heat(means[k, j]) for k in shown],
        )
        for j in np.argsort(-spread, kind="stable")[:12]
    ]


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
    """The ten rows of lowest density, and the features in which they are furthest out."""
    center, scale = content.x.mean(axis=0), nonzero(content.x.std(axis=0))
    colors, names = hex_colors(content.n_clusters), _feature_names(content)
    rows = []
    for i in by_density(content.log_density)[:10]:
        deviation = (content.x[i] - center) / scale
        furthest = np.argsort(-np.abs(deviation), kind="stable")[:3]
        rows.append(
            UnlikelyRow(
                number=int(i),
                cluster=int(content.clusters[i]),
                color=colors[content.clusters[i]],
                confidence=f"{content.confidence[i]:.3f}",
                log_density=phrases.number(content.log_density[i]),
                standing_out=[
                    (names[j], f"{phrases.number(content.x[i, j])} ({deviation[j]:+.1f} sd)")
                    for j in furthest
                ],
            )
        )
    return rows


def _feature_names(content: ReportContent) -> list[str]:
    names = list(content.feature_names)
    return names or [f"feature {j}" for j in range(content.x.shape[1])]
