"""Maps of two-dimensional data: points, clusters and density."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from scipy.ndimage import distance_transform_edt

from gedi.plot.style import (
    INK,
    MUTED,
    Floats,
    Integers,
    axes_or_new,
    cluster_colors,
    say,
    tidy,
)

__all__ = ["decision_regions", "energy_landscape", "points"]


_MOST_NUMBERED = 20  # regions


def points(
    ax: Axes | None,
    x: Floats,
    clusters: Integers | None = None,
    *,
    n_clusters: int | None = None,
    size: float | None = None,
    color: str = INK,
    edge: str = "white",
) -> Axes:
    """Scatter two-dimensional points.

    Args:
        ax: the axes to draw on; None makes new ones.
        x: points, shape (n, 2).
        clusters: cluster of each point, shape (n,): chooses the colours.
        n_clusters: number of clusters, if some may be absent from `clusters`.
        size: marker area in points squared; by default it shrinks as n grows.
        color: colour of all points if there are no clusters.
        edge: colour of the thin rim of the markers.
    """
    ax = axes_or_new(ax)
    area = float(np.clip(9_000 / max(len(x), 1), 4.0, 30.0)) if size is None else size
    face: Floats | str = color
    if clusters is not None:
        count = int(np.max(clusters, initial=0)) + 1 if n_clusters is None else n_clusters
        face = cluster_colors(count)[clusters]
    ax.scatter(x[:, 0], x[:, 1], s=area, c=face, edgecolors=edge, linewidths=0.25, zorder=3)
    tidy(ax, grid=None)
    return ax


def decision_regions(
    ax: Axes | None,
    posterior: Callable[[Floats], Floats],
    low: ArrayLike,
    high: ArrayLike,
    *,
    resolution: int = 200,
) -> Axes:
    """Paint each point of a two-dimensional box in the colour of its likeliest cluster.

    The colour fades to white where the posterior is uniform. Borders and the numbers of the
    clusters show the regions without colours.

    Args:
        ax: the axes to draw on; None makes new ones.
        posterior: maps points (m, 2) to cluster probabilities (m, c).
        low: lower corner of the box, shape (2,).
        high: upper corner of the box, shape (2,).
        resolution: grid points along each side.
    """
    ax = axes_or_new(ax)
    horizontal, vertical, grid = _grid(low, high, resolution)
    probabilities = np.nan_to_num(np.asarray(posterior(grid), dtype=float))
    n_clusters = probabilities.shape[1]
    chance = 1.0 / n_clusters
    certainty = (probabilities.max(axis=1) - chance) / max(1.0 - chance, 1e-12)
    # At most half strength, so that points in full colours stand out.
    strength = 0.5 * np.clip(certainty, 0.0, 1.0)[:, None]
    color = cluster_colors(n_clusters)[probabilities.argmax(axis=1), :3]
    painted = (strength * color + (1.0 - strength)).reshape(resolution, resolution, 3)
    (left, bottom), (right, top) = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    ax.imshow(painted, origin="lower", extent=(left, right, bottom, top), aspect="auto")
    largest = probabilities.argmax(axis=1).reshape(resolution, resolution)
    _borders(ax, horizontal, vertical, largest)
    _frame_box(ax, low, high)
    return ax


def energy_landscape(
    ax: Axes | None,
    log_density: Callable[[Floats], Floats],
    low: ArrayLike,
    high: ArrayLike,
    *,
    depth: float = 12.0,
    resolution: int = 160,
) -> Axes:
    """Draw a log-density over a two-dimensional box, with contours and a colour bar.

    Args:
        ax: the axes to draw on; None makes new ones.
        log_density: maps points (m, 2) to their log-density (m,) in nats.
        low: lower corner of the box, shape (2,).
        high: upper corner of the box, shape (2,).
        depth: nats below the maximum; lower values are drawn in one colour.
        resolution: grid points along each side.
    """
    ax = axes_or_new(ax)
    horizontal, vertical, grid = _grid(low, high, resolution)
    values = np.asarray(log_density(grid), dtype=float).reshape(resolution, resolution)
    _frame_box(ax, low, high)
    if not np.isfinite(values).any():
        return say(ax, "no finite log-density")
    top = float(values[np.isfinite(values)].max())
    levels = np.linspace(top - depth, top, 25)
    # Rounding to just above the top level would leave the maximum unpainted.
    clipped = np.clip(np.nan_to_num(values, nan=-np.inf), top - depth, np.nextafter(top, -np.inf))
    filled = ax.contourf(horizontal, vertical, clipped, levels=levels, cmap="viridis")
    ax.contour(
        horizontal,
        vertical,
        clipped,
        levels=levels[2::3],
        colors="white",
        linewidths=0.5,
        alpha=0.5,
    )
    # An inset is as high as the axes, even if their aspect shrinks them.
    bar = ax.figure.colorbar(filled, cax=ax.inset_axes((1.03, 0.0, 0.04, 1.0)))
    bar.locator = MaxNLocator(6)
    bar.update_ticks()
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=MUTED, length=0)
    bar.set_label("log-density (nats)", color=MUTED, fontsize=9)
    return ax


def _grid(low: ArrayLike, high: ArrayLike, resolution: int) -> tuple[Floats, Floats, Floats]:
    """Both axes (r,) of a box, and its points (r * r, 2), row by row from below."""
    (left, bottom), (right, top) = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    horizontal = np.linspace(left, right, resolution)
    vertical = np.linspace(bottom, top, resolution)
    columns, rows = np.meshgrid(horizontal, vertical)
    return horizontal, vertical, np.stack([columns.ravel(), rows.ravel()], axis=1)


def _frame_box(ax: Axes, low: ArrayLike, high: ArrayLike) -> None:
    (left, bottom), (right, top) = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    tidy(ax, grid=None)


def _borders(ax: Axes, horizontal: Floats, vertical: Floats, clusters: Integers) -> None:
    """Lines between regions of a grid (r, r), and in each region its number."""
    present = np.unique(clusters)
    if len(present) > _MOST_NUMBERED:
        return
    # A frame keeps the numbers away from the borders of the box.
    framed = np.pad(clusters, 1, constant_values=-1)
    for k in present:
        inside = clusters == k
        if not inside.all():
            ax.contour(
                horizontal, vertical, inside, levels=[0.5], colors=INK, linewidths=0.6, alpha=0.55
            )
        depth = distance_transform_edt(framed == k)[1:-1, 1:-1]
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        number = ax.text(
            float(horizontal[column]),
            float(vertical[row]),
            str(k),
            color=INK,
            fontsize=9,
            fontweight="bold",
            ha="center",
            va="center",
            zorder=4,
        )
        number.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
