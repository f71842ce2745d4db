"""Box plots of a feature in each cluster."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from numpy.typing import ArrayLike

from gedi.plot.style import (
    GRID,
    INK,
    MUTED,
    Integers,
    axes_or_new,
    cluster_colors,
    short_name,
    tidy,
)

__all__ = ["feature_boxes"]


def feature_boxes(
    ax: Axes | None,
    values: ArrayLike,
    clusters: Integers,
    *,
    name: str = "",
    n_clusters: int | None = None,
    shown: ArrayLike | None = None,
    are_dates: bool = False,
) -> Axes:
    """Draw a box for each cluster: quartiles, the median, and whiskers from 5 % to 95 %.

    Args:
        ax: the axes to draw on; None makes new ones.
        values: values of the feature, shape (n,); those that are not finite are left out.
        clusters: cluster of each point, shape (n,).
        name: name of the feature.
        n_clusters: number of clusters, if some may be absent from `clusters`.
        shown: numbers of the clusters to draw; by default all that hold a point.
        are_dates: whether values are days since 1970-01-01.
    """
    ax = axes_or_new(ax)
    x = np.asarray(values, float)
    count = int(np.max(clusters, initial=0)) + 1 if n_clusters is None else n_clusters
    finite = np.isfinite(x)
    numbers = np.unique(clusters[finite]) if shown is None else np.asarray(shown)
    boxes = [x[finite & (clusters == k)] for k in numbers]
    drawn = ax.boxplot(
        boxes,
        positions=range(len(numbers)),
        orientation="horizontal",
        widths=0.62,
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        medianprops={"color": INK, "linewidth": 1.4},
        whiskerprops={"color": MUTED},
        capprops={"color": MUTED},
    )
    for box, color in zip(drawn["boxes"], cluster_colors(count)[numbers], strict=True):
        box.set_facecolor((*color[:3], 0.75))
        box.set_edgecolor(MUTED)
    ax.set_yticks(range(len(numbers)), [str(k) for k in numbers])
    ax.invert_yaxis()
    ax.set_xlabel(short_name(name), color=MUTED, parse_math=False)
    ax.set_ylabel("cluster", color=MUTED)
    if are_dates:
        ax.xaxis_date()
        locator = AutoDateLocator(maxticks=5)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_formatter(formatter)
    tidy(ax, grid=None)
    ax.grid(axis="x", color=GRID, linewidth=0.7)
    return ax
