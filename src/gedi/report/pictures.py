"""Pictures embedded in a page as data URLs: charts, and tiles of images."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gedi import plot

__all__ = ["MAX_LOSSLESS_SIDE", "Picture", "chart", "tiles"]

Floats = NDArray[np.floating[Any]]

DPI = 170
# Tiles are stored at up to twice the size at which they are shown, for dense screens.
TILE_WIDTH = 60
# Larger images are probably photographs, for which lossless files would be too large.
MAX_LOSSLESS_SIDE = 32


@dataclass(frozen=True)
class Picture:
    """An embedded picture; if `recolored`, dark mode may change its colours."""

    source: str
    alt: str
    caption: str
    width: int
    recolored: bool


def chart(
    draw: Callable[[Axes], object],
    *,
    alt: str,
    caption: str,
    size: tuple[float, float] = (4.6, 2.5),
    recolored: bool = True,
) -> Picture:
    """A chart, with its `size` in inches; charts whose colours carry meaning are not recoloured."""
    figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    draw(figure.subplots())
    return Picture(_embedded(figure), alt, caption, round(100 * size[0]), recolored=recolored)


def _embedded(figure: Figure, lossless: bool = True) -> str:
    """The figure as a data URL."""
    buffer = io.BytesIO()
    if lossless:
        # Without the metadata, equal content gives equal pages.
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    else:
        figure.savefig(buffer, format="webp", dpi=DPI, pil_kwargs={"quality": 80})
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{'png' if lossless else 'webp'};base64,{data}"


def tiles(
    images: Floats,
    n_columns: int,
    alt: str,
    caption: str,
    captions: Sequence[str] | None = None,
) -> Picture | None:
    """A grid of images, enlarged by a whole factor; None if there are no images."""
    if not len(images):
        return None
    height, width = images.shape[2:]
    scale = max(1, 2 * TILE_WIDTH // width)
    gap = round(0.06 * scale * width) / (scale * width)
    n_rows = -(-len(images) // n_columns)
    across = n_columns * width * (1 + gap) - gap * width
    down = n_rows * (height * (1 + gap) + (0.22 * width if captions else 0.0)) - gap * height
    size = (across * scale / DPI, down * scale / DPI)
    figure = Figure(figsize=size, dpi=DPI, facecolor="none")
    plot.image_grid(figure.add_axes((0, 0, 1, 1)), images, n_columns, captions, gap=gap)
    lossless = max(height, width) <= MAX_LOSSLESS_SIDE
    shown_width = round(across / width * TILE_WIDTH)
    return Picture(_embedded(figure, lossless), alt, caption, shown_width, recolored=False)
