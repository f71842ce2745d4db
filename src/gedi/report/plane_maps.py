"""Maps of two-dimensional data: clusters, density, samples."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes

from gedi import plot
from gedi.report.array_tools import thinned
from gedi.report.content import Floats, ReportContent
from gedi.report.pictures import Picture, chart

__all__ = ["plane_pictures"]

MAX_SCATTER = 4_000
MAX_SCATTER_ON_LANDSCAPE = 400


def plane_pictures(content: ReportContent) -> list[Picture]:
    """Maps of the clusters with the data, and of the density with the data and with samples."""
    low, high = _box(content)
    width, height = high - low
    size = (4.6, float(np.clip(3.7 * height / width, 2.4, 4.2)) + 0.5)
    density, posterior = content.log_density_function, content.posterior_function

    def regions(ax: Axes) -> None:
        if posterior is not None:
            plot.decision_regions(ax, posterior, low, high)
        shown = thinned(len(content.x), MAX_SCATTER)
        clusters = content.clusters[shown]
        plot.points(ax, content.x[shown], clusters, n_clusters=content.n_clusters)
        _frame_plane(ax, content.feature_names, low, high)

    def landscape(ax: Axes, dots: Floats) -> None:
        if density is not None:
            plot.energy_landscape(ax, density, low, high)
        # Few points leave the landscape visible; rims make them visible on any background.
        shown = thinned(len(dots), MAX_SCATTER_ON_LANDSCAPE)
        plot.points(ax, dots[shown], color="white", edge=plot.INK, size=5.0)
        _frame_plane(ax, content.feature_names, low, high)

    def scene(draw: Callable[[Axes], object], alt: str, caption: str) -> Picture:
        return chart(draw, alt=alt, caption=caption, size=size, recolored=False)

    pictures = [
        scene(regions, "Map of the clusters with the data", "Clusters; pale regions are uncertain")
    ]
    if density is not None:
        alt = "Map of the density with the data"
        caption = "Log-density, with some of the data"
        pictures.append(scene(lambda ax: landscape(ax, content.x), alt, caption))
    if len(content.samples):
        alt = "Map of the density with the samples"
        caption = "Log-density, with samples: they should lie where the data lie"
        pictures.append(scene(lambda ax: landscape(ax, content.samples), alt, caption))
    return pictures


def _box(content: ReportContent) -> tuple[Floats, Floats]:
    """Corners of the box to draw, each shape (2,)."""
    everything = np.concatenate([content.x, content.samples.reshape(-1, 2)])
    everything = everything[np.isfinite(everything).all(axis=1)]
    margin = 0.08 * np.ptp(everything, axis=0) + 1e-9
    low = everything.min(axis=0) - margin if content.low is None else content.low
    high = everything.max(axis=0) + margin if content.high is None else content.high
    return low, high


def _frame_plane(ax: Axes, feature_names: Sequence[str], low: Floats, high: Floats) -> None:
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    if len(feature_names) == 2:
        horizontal, vertical = (plot.short_name(name) for name in feature_names)
        ax.set_xlabel(horizontal, color=plot.MUTED, parse_math=False)
        ax.set_ylabel(vertical, color=plot.MUTED, parse_math=False)
    width, height = high - low
    # Features in different units have no common scale: then the axes fill the picture.
    ax.set_aspect("equal" if 1 / 3 < width / height < 3 else "auto")
