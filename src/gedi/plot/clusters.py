"""Sizes of clusters, and their agreement with known classes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from gedi.plot.style import (
    INK,
    MUTED,
    Floats,
    Integers,
    axes_or_new,
    cluster_colors,
    legend,
    readable_on,
    short_name,
    tidy,
)

__all__ = ["cluster_sizes", "confusion"]


def cluster_sizes(ax: Axes | None, sizes: Integers, prior: Floats) -> Axes:
    """Draw the number of points in each cluster, and the number that the prior asks for.

    Args:
        ax: the axes to draw on; None makes new ones.
        sizes: points in each cluster, shape (c,).
        prior: share of each cluster, shape (c,), summing to one.
    """
    ax = axes_or_new(ax)
    n_clusters = len(sizes)
    where = np.arange(n_clusters)
    ax.bar(where, sizes, width=0.72, color=cluster_colors(n_clusters))
    expected = np.asarray(prior) * np.sum(sizes)
    ax.hlines(expected, where - 0.44, where + 0.44, color=INK, linewidth=1.6, label="prior")
    if n_clusters <= 20:
        ax.set_xticks(where)
    ax.set_xlim(-0.6, n_clusters - 0.4)
    ax.set_ylim(0.0, 1.06 * max(float(np.max(sizes)), float(np.max(expected)), 1.0))
    ax.set_xlabel("cluster", color=MUTED)
    ax.set_ylabel("points", color=MUTED)
    tidy(ax, grid="y")
    legend(ax)
    return ax


def confusion(
    ax: Axes | None,
    matrix: Integers,
    class_names: Sequence[str],
    cluster_names: Sequence[str] | None = None,
) -> Axes:
    """Draw counts of classes (rows) in clusters (columns), shaded by the share of the class.

    Args:
        ax: the axes to draw on; None makes new ones.
        matrix: counts, shape (classes, clusters), with columns in the order to draw them (matched
            ones on the diagonal).
        class_names: one name for each row.
        cluster_names: one name for each column; None leaves the columns unlabelled.
    """
    ax = axes_or_new(ax)
    totals = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = ax.imshow(matrix / totals, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    rows, columns = matrix.shape
    if max(rows, columns) <= 25:
        shade = image.to_rgba(matrix / totals)
        for i, j in np.ndindex(rows, columns):
            color = readable_on(shade[i, j]) if matrix[i, j] else "#b6bfc9"
            text = f"{matrix[i, j]:,}"
            ax.text(j, i, text, ha="center", va="center", fontsize=8, color=color)
    if max(rows, columns) <= 50:
        ax.set_yticks(range(rows), [short_name(name) for name in class_names], parse_math=False)
    else:
        ax.set_yticks([])
    if cluster_names is None or max(rows, columns) > 50:
        ax.set_xticks([])
    else:
        ax.set_xticks(
            range(columns), [short_name(name) for name in cluster_names], parse_math=False
        )
    ax.set_xlabel("cluster", color=MUTED)
    ax.set_ylabel("class", color=MUTED)
    tidy(ax, grid=None)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax
