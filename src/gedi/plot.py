"""Pictures of a run: each function draws on an Axes that it is given, and returns it.

Nothing here knows of models or tensors: arrays and callables come in, artists come out, and no
global state (pyplot) is touched. Colours are told apart by colour-blind readers too. Names that
come from data are drawn as they are: a dollar sign is a dollar sign, not mathematics.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "cluster_colors",
    "cluster_sizes",
    "confusion",
    "cycle",
    "decision_regions",
    "energy_histogram",
    "energy_landscape",
    "history",
    "image_grid",
    "legend",
    "points",
    "short_name",
    "tidy",
]

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

INK = "#1f2933"
MUTED = "#66727f"
GRID = "#e4e8ed"
# Okabe and Ito (2008), in an order that keeps the first ones furthest apart on white.
OKABE_ITO = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#56B4E9",
    "#F0E442",
    "#000000",
)
MAX_LABEL = 22


def cluster_colors(n_clusters: int) -> Floats:
    """Colours of the clusters, RGBA in [0, 1], shape (n_clusters, 4).

    Up to eight clusters get the Okabe-Ito palette; more get samples of viridis, taken in strides
    so that clusters with neighbouring numbers do not get neighbouring shades.
    """
    if n_clusters <= len(OKABE_ITO):
        return to_rgba_array(OKABE_ITO[:n_clusters])
    # The palest end is left out: it vanishes on white.
    shades: Floats = np.asarray(colormaps["viridis"](np.linspace(0.0, 0.95, n_clusters)))
    stride = round(0.382 * n_clusters)
    while np.gcd(stride, n_clusters) != 1:
        stride += 1
    return shades[np.arange(n_clusters) * stride % n_clusters]


def history(
    ax: Axes,
    frame: pd.DataFrame,
    columns: Sequence[str],
    *,
    log_scale: bool = False,
) -> Axes:
    """Draw metrics over the column `iteration`, one line each.

    A noisy metric is drawn faint, under its moving average. The vertical range follows the
    averages and the middle 98 % of the raw values, so that one spike does not flatten the rest.

    Args:
        ax: where to draw.
        frame: one row a record; missing values are skipped.
        columns: metrics to draw; those without a finite value are left out.
        log_scale: draw a logarithmic vertical axis.
    """
    spans: list[float] = []
    drawn = 0
    for color, column in zip(cycle(len(columns)), columns, strict=True):
        iteration, values = _finite_series(frame, column)
        if values.size == 0:
            continue
        drawn += 1
        line = values
        if _is_noisy(values):
            line = _moving_average(values)
            ax.plot(iteration, values, color=color, linewidth=0.8, alpha=0.25)
        marker = "o" if values.size == 1 else None
        ax.plot(
            iteration, line, color=color, linewidth=1.8, label=short_name(column), marker=marker
        )
        spans += [*np.quantile(values, (0.01, 0.99)), line.min(), line.max(), values[-1]]
    tidy(ax)
    if not drawn:
        return _say(ax, "nothing recorded")
    if log_scale:
        ax.set_yscale("log", nonpositive="mask")
    else:
        ax.set_ylim(*_padded(min(spans), max(spans)))
    ax.set_xlabel("iteration", color=MUTED)
    legend(ax)
    return ax


def cluster_sizes(ax: Axes, sizes: Integers, prior: Floats) -> Axes:
    """Draw how many points each cluster holds, beside what the prior asks for.

    Args:
        ax: where to draw.
        sizes: points in each cluster, shape (c,).
        prior: share of each cluster, shape (c,), summing to one.
    """
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
    ax: Axes,
    matrix: Integers,
    class_names: Sequence[str],
    cluster_names: Sequence[str] | None = None,
) -> Axes:
    """Draw counts of classes (rows) in clusters (columns), shaded by the share of the class.

    Args:
        ax: where to draw.
        matrix: counts, shape (classes, clusters), columns in the order to be drawn (matched ones
            on the diagonal).
        class_names: one name a row.
        cluster_names: one name a column; without them the columns stay unlabelled.
    """
    totals = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = ax.imshow(matrix / totals, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    rows, columns = matrix.shape
    if max(rows, columns) <= 25:
        shade = image.to_rgba(matrix / totals)
        for i, j in np.ndindex(rows, columns):
            color = _readable_on(shade[i, j]) if matrix[i, j] else "#b6bfc9"
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


def energy_landscape(
    ax: Axes,
    log_density: Callable[[Floats], Floats],
    low: ArrayLike,
    high: ArrayLike,
    *,
    depth: float = 12.0,
    resolution: int = 160,
) -> Axes:
    """Draw a log-density over a two-dimensional box, with contours and a colour bar.

    Args:
        ax: where to draw.
        log_density: maps points (m, 2) to their log-density (m,) in nats.
        low: lower corner of the box, shape (2,).
        high: upper corner of the box, shape (2,).
        depth: nats below the maximum under which all is drawn as one.
        resolution: grid points along each side.
    """
    horizontal, vertical, grid = _grid(low, high, resolution)
    values = np.asarray(log_density(grid), dtype=float).reshape(resolution, resolution)
    _frame_box(ax, low, high)
    if not np.isfinite(values).any():
        return _say(ax, "no finite log-density")
    top = float(values[np.isfinite(values)].max())
    levels = np.linspace(top - depth, top, 25)
    # Just above the top level, rounding would leave the maximum unpainted.
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
    # An inset is as high as the axes even where their aspect shrinks them.
    bar = ax.figure.colorbar(filled, cax=ax.inset_axes((1.03, 0.0, 0.04, 1.0)))
    bar.locator = MaxNLocator(6)
    bar.update_ticks()
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=MUTED, length=0)
    bar.set_label("log-density (nats)", color=MUTED, fontsize=9)
    return ax


def decision_regions(
    ax: Axes,
    posterior: Callable[[Floats], Floats],
    low: ArrayLike,
    high: ArrayLike,
    *,
    resolution: int = 200,
) -> Axes:
    """Paint each place of a two-dimensional box in the colour of its likeliest cluster.

    The colour fades to white where the posterior is uniform.

    Args:
        ax: where to draw.
        posterior: maps points (m, 2) to cluster probabilities (m, c).
        low: lower corner of the box, shape (2,).
        high: upper corner of the box, shape (2,).
        resolution: grid points along each side.
    """
    _, _, grid = _grid(low, high, resolution)
    probabilities = np.nan_to_num(np.asarray(posterior(grid), dtype=float))
    n_clusters = probabilities.shape[1]
    chance = 1.0 / n_clusters
    certainty = (probabilities.max(axis=1) - chance) / max(1.0 - chance, 1e-12)
    # Half strength at most: the points drawn over it keep the full colours.
    strength = 0.5 * np.clip(certainty, 0.0, 1.0)[:, None]
    color = cluster_colors(n_clusters)[probabilities.argmax(axis=1), :3]
    painted = (strength * color + (1.0 - strength)).reshape(resolution, resolution, 3)
    (left, bottom), (right, top) = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    ax.imshow(painted, origin="lower", extent=(left, right, bottom, top), aspect="auto")
    _frame_box(ax, low, high)
    return ax


def points(
    ax: Axes,
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
        ax: where to draw.
        x: points, shape (n, 2).
        clusters: cluster of each point, shape (n,): chooses the colours.
        n_clusters: how many clusters there are, where some may be absent from `clusters`.
        size: marker area in points squared; by default it shrinks as n grows.
        color: colour of all points where there are no clusters.
        edge: colour of the thin rim of the markers.
    """
    area = float(np.clip(9_000 / max(len(x), 1), 4.0, 30.0)) if size is None else size
    face: Floats | str = color
    if clusters is not None:
        count = int(np.max(clusters, initial=0)) + 1 if n_clusters is None else n_clusters
        face = cluster_colors(count)[clusters]
    ax.scatter(x[:, 0], x[:, 1], s=area, c=face, edgecolors=edge, linewidths=0.25, zorder=3)
    tidy(ax, grid=None)
    return ax


def energy_histogram(
    ax: Axes,
    energies: Mapping[str, Floats],
    *,
    bins: int = 80,
    label: str = "energy (nats); lower is likelier",
) -> Axes:
    """Overlay histograms of energies, as shares of each set.

    The range is that of the bulk of the first set and its surroundings; what lies beyond is
    counted in the outermost bins, which may be cut off at the top.

    Args:
        ax: where to draw.
        energies: name of a set -> energies in nats, shape (n,).
        bins: number of bins.
        label: of the horizontal axis, for other values than energies.
    """
    finite = {name: np.asarray(e)[np.isfinite(e)] for name, e in energies.items()}
    finite = {name: e for name, e in finite.items() if e.size}
    tidy(ax, grid="y")
    if not finite:
        return _say(ax, "no finite energies")
    edges = np.linspace(*_robust_range(list(finite.values())), bins + 1)
    highest = 0.0
    for color, (name, energy) in zip(cycle(len(finite)), finite.items(), strict=True):
        counts, _ = np.histogram(np.clip(energy, edges[0], edges[-1]), edges)
        share = counts / energy.size
        highest = max(highest, float(share[1:-1].max()))
        ax.stairs(share, edges, fill=True, color=color, alpha=0.18)
        ax.stairs(share, edges, color=color, linewidth=1.6, label=short_name(name))
    ax.set_xlabel(label, color=MUTED)
    ax.set_ylabel("share", color=MUTED)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0.0, 1.15 * highest or 1.0)
    legend(ax)
    return ax


def image_grid(
    ax: Axes,
    images: Floats,
    n_columns: int,
    captions: Sequence[str] | None = None,
    *,
    gap: float = 0.06,
) -> Axes:
    """Lay images out as tiles on one Axes, row by row, pixels kept sharp.

    Args:
        ax: where to draw.
        images: values in [0, 1], shape (n, C, H, W). Three channels are colours; any other number
            is averaged to grey.
        n_columns: tiles in a row.
        captions: one short text under each tile.
        gap: space between tiles, in widths of a tile.
    """
    height, width = images.shape[2:]
    tiles = np.moveaxis(images, 1, -1)
    if tiles.shape[-1] != 3:
        tiles = np.repeat(tiles.mean(axis=-1, keepdims=True), 3, axis=-1)
    tiles = np.clip(np.nan_to_num(tiles), 0.0, 1.0)
    across, down = width * (1.0 + gap), height * (1.0 + gap)
    if captions is not None:
        down += 0.22 * width
    n_rows = max(1, -(-len(tiles) // n_columns))
    for k, tile in enumerate(tiles):
        left, top = k % n_columns * across, k // n_columns * down
        extent = (left, left + width, top + height, top)
        ax.imshow(tile, extent=extent, interpolation="nearest")
        if captions is not None:
            middle = left + width / 2
            ax.text(
                middle,
                top + height + 0.03 * width,
                short_name(captions[k]),
                ha="center",
                va="top",
                fontsize=7,
                color=INK,
                parse_math=False,
            )
    ax.set_xlim(0.0, n_columns * across - width * gap)
    ax.set_ylim(n_rows * down - height * gap, 0.0)
    ax.set_axis_off()
    return ax


def short_name(text: str) -> str:
    """A name as one line of at most `MAX_LABEL` characters that a font renderer can encode."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= MAX_LABEL else line[: MAX_LABEL - 1] + "…"


def _finite_series(frame: pd.DataFrame, column: str) -> tuple[Floats, Floats]:
    """Iterations and values of a metric where it is finite, both shape (records,)."""
    values = frame[column].to_numpy(dtype=float)
    keep = np.isfinite(values)
    return frame["iteration"].to_numpy(dtype=float)[keep], values[keep]


def _is_noisy(values: Floats) -> bool:
    """Whether a series jitters, compared with how far it travels.

    Second differences of noise of scale σ have scale √6 σ, those of a trend nearly vanish.
    """
    if values.size < 30:
        return False
    jitter = float(np.diff(values, n=2).std()) / 6**0.5
    return jitter > 0.03 * float(values.std())


def _moving_average(values: Floats) -> Floats:
    window = max(5, values.size // 25)
    smooth = pd.Series(values).rolling(window, center=True, min_periods=1).mean()
    return smooth.to_numpy(dtype=float)


def _robust_range(series: Sequence[Floats]) -> tuple[float, float]:
    """Range of the bulk of all series, at most six times as wide as that of the first."""
    first_low, first_high = np.quantile(series[0], (0.005, 0.995))
    reach = 2.5 * max(float(first_high - first_low), 1e-6)
    low = min(float(np.quantile(values, 0.005)) for values in series)
    high = max(float(np.quantile(values, 0.995)) for values in series)
    return _padded(max(low, float(first_low) - reach), min(high, float(first_high) + reach))


def _padded(low: float, high: float) -> tuple[float, float]:
    """The range with 5 % on both sides, never empty."""
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


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


def cycle(n: int) -> list[str]:
    """Colours for n lines or sets, the yellow of the palette left out: it is lost on white."""
    order = [OKABE_ITO[k] for k in (0, 4, 2, 3, 1, 5, 7)]
    return [order[k % len(order)] for k in range(n)]


def tidy(ax: Axes, grid: str | None = "both") -> None:
    """Quiet axes: no box, small grey ticks, a faint grid behind the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GRID)
    ax.tick_params(which="both", labelsize=8, colors=MUTED, length=0)
    ax.set_axisbelow(True)
    if grid == "both":
        ax.grid(color=GRID, linewidth=0.7)
    elif grid == "y":
        ax.grid(color=GRID, linewidth=0.7, axis="y")


def legend(ax: Axes) -> None:
    """A legend above the axes, where it covers nothing; in one line for up to five entries."""
    made = ax.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        # Long names of many sets would not fit otherwise.
        ncols=5 if len(ax.get_legend_handles_labels()[1]) <= 5 else 3,
        frameon=False,
        fontsize=8.5,
        borderaxespad=0.2,
        handlelength=1.4,
        columnspacing=1.4,
    )
    _no_mathematics(made.get_texts())


def _no_mathematics(texts: Iterable[Text]) -> None:
    for text in texts:
        text.set_parse_math(False)
        text.set_color(INK)


def _say(ax: Axes, message: str) -> Axes:
    """Write in the middle of empty axes why they are empty."""
    where = ax.transAxes
    ax.text(0.5, 0.5, message, ha="center", va="center", color=MUTED, transform=where)
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def _readable_on(color: ArrayLike) -> str:
    """Ink on light colours, white on dark ones."""
    luminance = float(np.asarray(color)[:3] @ np.array([0.2126, 0.7152, 0.0722]))
    return INK if luminance > 0.55 else "white"
