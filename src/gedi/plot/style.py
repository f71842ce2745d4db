"""The style of all pictures: colours, axes, legends and names.

Colour-blind readers can distinguish the colours, and lines differ in their dashes as well. Names
from data are drawn literally: a dollar sign does not start mathematics.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.text import Text
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "GRID",
    "INK",
    "MAX_LABEL",
    "MUTED",
    "OKABE_ITO",
    "Floats",
    "Integers",
    "Stroke",
    "axes_or_new",
    "cluster_colors",
    "cycle",
    "legend",
    "padded",
    "readable_on",
    "say",
    "short_name",
    "strokes",
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
_DASHES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))


class Stroke(NamedTuple):
    """The colour and dashes of a line or of the outline of a histogram."""

    color: str
    linestyle: Any


def axes_or_new(ax: Axes | None, size: tuple[float, float] = (5.6, 4.0)) -> Axes:
    """The axes, or new ones of `size` in inches in a figure of pyplot, which notebooks show."""
    if ax is not None:
        return ax
    # Imported here, as pyplot chooses a backend for the whole process.
    from matplotlib import pyplot  # noqa: PLC0415

    made: Axes = pyplot.subplots(figsize=size, layout="constrained")[1]
    return made


def strokes(n: int) -> list[Stroke]:
    """Strokes for n lines or sets, with different colours and, up to five, different dashes."""
    return [Stroke(color, _DASHES[k % len(_DASHES)]) for k, color in enumerate(cycle(n))]


def cluster_colors(n_clusters: int) -> Floats:
    """Colours of the clusters, RGBA in [0, 1], shape (n_clusters, 4).

    Up to eight clusters get the Okabe-Ito palette; more get samples of viridis, taken in strides
    so that clusters with neighbouring numbers do not get neighbouring shades.
    """
    if n_clusters <= len(OKABE_ITO):
        return to_rgba_array(OKABE_ITO[:n_clusters])
    # The palest end is left out, as it vanishes on white.
    shades: Floats = np.asarray(colormaps["viridis"](np.linspace(0.0, 0.95, n_clusters)))
    stride = round(0.382 * n_clusters)
    while np.gcd(stride, n_clusters) != 1:
        stride += 1
    return shades[np.arange(n_clusters) * stride % n_clusters]


def cycle(n: int) -> list[str]:
    """Colours for n lines or sets, without yellow, which vanishes on white."""
    order = [OKABE_ITO[k] for k in (0, 4, 2, 3, 1, 5, 7)]
    return [order[k % len(order)] for k in range(n)]


def tidy(ax: Axes, grid: str | None = "both") -> None:
    """Style axes: no box, small grey ticks, a faint grid behind the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GRID)
    ax.tick_params(which="both", labelsize=8, colors=MUTED, length=0)
    ax.set_axisbelow(True)
    if grid == "both":
        ax.grid(color=GRID, linewidth=0.7)
    elif grid == "y":
        ax.grid(color=GRID, linewidth=0.7, axis="y")


def legend(ax: Axes) -> None:
    """Add a legend above the axes; up to five entries are in one line."""
    made = ax.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        # Long names of many sets do not fit in one line.
        ncols=5 if len(ax.get_legend_handles_labels()[1]) <= 5 else 3,
        frameon=False,
        fontsize=8.5,
        borderaxespad=0.2,
        handlelength=1.4,
        columnspacing=1.4,
    )
    _no_mathematics(made.get_texts())


def short_name(text: str) -> str:
    """A name as one line of at most `MAX_LABEL` characters that a font renderer can encode."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= MAX_LABEL else line[: MAX_LABEL - 1] + "…"


def _no_mathematics(texts: Iterable[Text]) -> None:
    for text in texts:
        text.set_parse_math(False)
        text.set_color(INK)


def say(ax: Axes, message: str) -> Axes:
    """Write a message in the middle of empty axes."""
    where = ax.transAxes
    ax.text(0.5, 0.5, message, ha="center", va="center", color=MUTED, transform=where)
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def padded(low: float, high: float) -> tuple[float, float]:
    """The range with a margin of 5 % on both sides, never empty."""
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def readable_on(color: ArrayLike) -> str:
    """Ink on light colours, white on dark ones."""
    luminance = float(np.asarray(color)[:3] @ np.array([0.2126, 0.7152, 0.0722]))
    return INK if luminance > 0.55 else "white"
