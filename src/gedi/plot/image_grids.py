"""Images as tiles."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from gedi.errors import DataError
from gedi.plot.plane import points
from gedi.plot.style import INK, Floats, Integers, axes_or_new, short_name

__all__ = ["image_grid", "samples"]

TILE_GAP = 0.06  # in widths of a tile


def image_grid(
    ax: Axes | None,
    images: Floats,
    n_columns: int,
    captions: Sequence[str] | None = None,
    *,
    gap: float = TILE_GAP,
) -> Axes:
    """Draw images as tiles on one Axes, row by row, with sharp pixels.

    Args:
        ax: the axes to draw on; None makes new ones.
        images: values in [0, 1], shape (n, C, H, W). Three channels are colours; any other number
            is averaged to grey. The place of an image that is all NaN stays empty.
        n_columns: number of tiles in a row.
        captions: one short text under each tile.
        gap: space between tiles, in widths (and heights) of a tile.
    """
    ax = axes_or_new(ax)
    height, width = images.shape[2:]
    tiles = np.moveaxis(images, 1, -1)
    if tiles.shape[-1] != 3:
        tiles = np.repeat(tiles.mean(axis=-1, keepdims=True), 3, axis=-1)
    missing = [not np.isfinite(tile).any() for tile in tiles]
    tiles = np.clip(np.nan_to_num(tiles), 0.0, 1.0)
    across, down = width * (1.0 + gap), height * (1.0 + gap)
    if captions is not None:
        down += 0.22 * width
    n_rows = max(1, -(-len(tiles) // n_columns))
    for k, tile in enumerate(tiles):
        if missing[k]:
            continue
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


def samples(
    ax: Axes | None,
    x: ArrayLike,
    clusters: Integers,
    *,
    n_columns: int = 12,
    value_range: tuple[float, float] | None = None,
) -> Axes:
    """Draw samples by cluster: images as rows of tiles, two-dimensional points as dots.

        plot.samples(None, *model.sample(200))

    Args:
        ax: the axes to draw on; None makes new ones.
        x: images (m, H, W) or (m, C, H, W), or points (m, 2).
        clusters: cluster of each sample, (m,).
        n_columns: maximum number of images of each cluster.
        value_range: lowest and highest value of a pixel; by default those of `x`.

    Raises:
        DataError: for samples of another shape.
    """
    drawn = np.asarray(x, float)
    if drawn.ndim == 2 and drawn.shape[1] == 2:
        return points(ax, drawn, clusters)
    if drawn.ndim not in (3, 4):
        raise DataError(
            "expected images (m, H, W) or (m, C, H, W), or points (m, 2), got samples of shape "
            f"{drawn.shape}; use reshape to restore flattened images"
        )
    images = drawn[:, None] if drawn.ndim == 3 else drawn
    low, high = value_range or (float(drawn.min()), float(drawn.max()))
    present = np.unique(clusters)
    ax = axes_or_new(ax, (0.5 * n_columns, 0.5 * len(present)))
    # Rows that are not full have empty places at their end.
    rows = np.full((len(present), n_columns, *images.shape[1:]), np.nan)
    for row, k in zip(rows, present, strict=True):
        some = images[clusters == k][:n_columns]
        row[: len(some)] = (some - low) / max(high - low, 1e-12)
    image_grid(ax, rows.reshape(-1, *images.shape[1:]), n_columns)
    height, width = images.shape[2:]
    for place, k in enumerate(present):
        middle = (place * (1 + TILE_GAP) + 0.5) * height
        ax.text(-0.15 * width, middle, str(k), ha="right", va="center", color=INK, fontsize=9)
    return ax
