"""The table of clusters, and their pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_hex

from gedi import phrases, plot
from gedi.report.array_tools import finite_mean, largest_numbers
from gedi.report.content import ReportContent
from gedi.report.pictures import Picture, chart

__all__ = [
    "MAX_TABLE_CLUSTERS",
    "ClusterRow",
    "cluster_pictures",
    "cluster_rows",
    "hex_colors",
    "largest_clusters",
]

MAX_TABLE_CLUSTERS = 12
MAX_GALLERIES = 20


@dataclass(frozen=True)
class ClusterRow:
    """One row of the table of clusters."""

    number: int
    name: str
    color: str
    size: str
    share: str
    prior: str
    confidence: str
    log_density: str
    remark: str


def cluster_rows(content: ReportContent) -> list[ClusterRow]:
    """One row for each cluster, in order."""
    colors = hex_colors(content.n_clusters)
    total = max(int(np.sum(content.cluster_sizes)), 1)
    rows = []
    for k, size in enumerate(content.cluster_sizes):
        members = content.clusters == k
        confidence = finite_mean(content.confidence[members])
        share = float(size) / total
        rows.append(
            ClusterRow(
                number=k,
                name=content.cluster_names[k] if content.cluster_names else str(k),
                color=colors[k],
                size=f"{size:,}",
                share=phrases.percent(share),
                prior=phrases.percent(content.prior[k]),
                confidence="" if np.isnan(confidence) else f"{confidence:.3f}",
                log_density=phrases.number(finite_mean(content.log_density[members])),
                remark=_remark(share, float(content.prior[k]), confidence),
            )
        )
    return rows


def _remark(share: float, prior: float, confidence: float) -> str:
    """A reason to check a cluster; empty if there is none."""
    if share == 0.0:
        return "unused"
    remarks = ["small"] if share < 0.5 * prior else []
    if confidence < 0.8:
        remarks.append("uncertain")
    return ", ".join(remarks)


def cluster_pictures(content: ReportContent) -> list[Picture]:
    """Charts of the sizes with the prior, and of the classes in clusters if there are labels."""
    sizes, prior = content.cluster_sizes, content.prior
    n_classes = 0 if content.confusion is None else len(content.confusion[1])
    side = 5.0 if n_classes > 12 else 4.2
    next_to_map = content.image_shape is None and content.x.shape[1] == 2
    pictures = [
        chart(
            lambda ax: plot.cluster_sizes(ax, sizes, prior),
            alt="Bars: points in each cluster, with the prior as a line",
            caption="Points in each cluster; the lines are the sizes that the prior asks for",
            size=(4.6, side if n_classes and not next_to_map else 2.9),
            recolored=False,
        )
    ]
    if content.confusion is not None:
        matrix, class_names = content.confusion
        numbers = content.confusion_clusters
        names = None if numbers is None else [str(number) for number in numbers]
        pictures.append(
            chart(
                lambda ax: plot.confusion(ax, matrix, class_names, names),
                alt="Matrix: points of each class in each cluster",
                caption="Points by class and predicted symbol; right ones are on the diagonal"
                if content.named
                else "Points by class and cluster; matched pairs are on the diagonal",
                size=(4.6, side),
                recolored=False,
            )
        )
    return pictures


def hex_colors(n_clusters: int) -> list[str]:
    """Colours of the clusters as CSS values."""
    return [to_hex(color) for color in plot.cluster_colors(n_clusters)]


def largest_clusters(content: ReportContent, rows: Sequence[ClusterRow]) -> list[ClusterRow]:
    """The largest clusters that the page has room for, in order."""
    limit = MAX_TABLE_CLUSTERS if content.image_shape is None else MAX_GALLERIES
    return [rows[k] for k in largest_numbers(content.cluster_sizes, limit)]
