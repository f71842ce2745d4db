"""Points as tiles or tables, and predictions as figures.

Everything that comes from data is passed on as text, pixels or numbers, never as HTML or Markdown.
"""

from collections.abc import Sequence

import gradio as gr
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gedi import plot
from gedi.explorer.population import Population
from gedi.phrases import shortened
from gedi.runs.names import ClusterNames

__all__ = [
    "axes",
    "density_figure",
    "features_figure",
    "frame_of",
    "gallery_of",
    "plane_figure",
    "tile",
    "tiles",
    "tiles_of",
]

Floats = NDArray[np.float64]

_TILE = 112  # pixels of a side, at least
_DIGITS = 4
_POINTS = 3000  # of a scatter


def tile(population: Population, x: Floats) -> NDArray[np.uint8]:
    """An image (d,) of pixels as (H, W, 3), enlarged without blurring."""
    shape = population.image_shape
    assert shape is not None
    low, high = population.dataset.value_range or (0.0, 1.0)
    image = (np.asarray(x, dtype=np.float64).reshape(shape) - low) / max(high - low, 1e-12)
    return _enlarged((255 * np.clip(image, 0, 1)).round().astype(np.uint8))


def _enlarged(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Planes (C, H, W) as pixels (H, W, 3)."""
    pixels = planes.transpose(1, 2, 0)
    pixels = np.repeat(pixels, 3, 2) if planes.shape[0] == 1 else pixels[..., :3]
    factor = -(-_TILE // max(planes.shape[1:]))
    return pixels.repeat(factor, 0).repeat(factor, 1)


def tiles_of(population: Population, places: Sequence[int]) -> list[tuple[NDArray[np.uint8], str]]:
    """Points of a run with their titles, in the format of galleries."""
    index = np.asarray(places, dtype=np.int64)
    captions = [population.title(int(place)) for place in index]
    pictures = population.dataset.pictures
    if pictures is None:
        return tiles(population, population.dataset.x[index], captions)
    return [
        (_enlarged(np.asarray(pictures[place])), text)
        for place, text in zip(index, captions, strict=True)
    ]


def gallery_of(columns: int, height: int | None, name: str) -> gr.Gallery:
    """An empty gallery whose images can be selected; its heading is placed above it."""
    return gr.Gallery(
        show_label=False,
        columns=columns,
        height=height,
        allow_preview=False,
        object_fit="contain",
        elem_id=name,
    )


def tiles(
    population: Population, x: Sequence[Floats] | Floats, captions: Sequence[str]
) -> list[tuple[NDArray[np.uint8], str]]:
    """Images with captions, in the format of galleries."""
    return [(tile(population, row), text) for row, text in zip(x, captions, strict=True)]


def frame_of(population: Population, names: ClusterNames, places: Sequence[int]) -> pd.DataFrame:
    """Rows of a table, each with its cluster and log-density."""
    index = np.asarray(places, dtype=np.int64)
    found = population.prediction
    about = {
        "point": [population.title(place) for place in index],
        "cluster": [names.of(int(k)) for k in found.clusters[index]],
        "log-density": found.log_density[index].round(2),
    }
    texts = population.dataset.texts
    if texts is not None:
        about["point"] = [f"row {population.rows[place]}" for place in index]
        about = {"text": [shortened(text) for text in texts[index]], **about}
    if population.dataset.are_features:
        return pd.DataFrame(about)
    features, kept = population.feature_names, population.shown_features
    values = pd.DataFrame(population.dataset.x[index][:, kept])
    shown = values.map(lambda value: float(f"{value:.{_DIGITS}g}"))
    shown = shown.set_axis(_distinct([features[j] for j in kept]), axis=1)
    return pd.concat([pd.DataFrame(about), shown], axis=1)


def _distinct(names: Sequence[str]) -> list[str]:
    """Column names made distinct from each other and from the first columns."""
    taken = {"text", "point", "cluster", "log-density"}
    found = []
    for name in map(str, names):
        text, number = name, 2
        while text in taken:
            text, number = f"{name} ({number})", number + 1
        taken.add(text)
        found.append(text)
    return found


def density_figure(population: Population, log_density: float) -> Figure:
    """A histogram of the log-densities of all points, with one point marked."""
    figure, ax = axes()
    values = population.prediction.log_density
    low, high = np.quantile(values, [0.001, 1.0])
    low, high = min(low, log_density), max(high, log_density)
    ax.hist(np.clip(values, low, high), bins=40, color=plot.OKABE_ITO[0], alpha=0.75)
    ax.axvline(log_density, color=plot.OKABE_ITO[1], linewidth=2.5)
    ax.set_xlabel("log-density (nats); the line is this point")
    ax.set_ylabel("points")
    plot.tidy(ax)
    return figure


def features_figure(population: Population, x: Floats) -> Figure:
    """The values of a row, in standard deviations from the mean."""
    shown = np.array(population.shown_features, np.int64)
    figure, ax = axes(height=max(1.6, 0.24 * min(len(shown), 20) + 0.8))
    data = population.dataset.x
    z = (np.asarray(x, dtype=np.float64) - data.mean(0)) / np.maximum(data.std(0), 1e-12)
    most = shown[np.argsort(-np.abs(z[shown]), kind="stable")[:20][::-1]]
    names = [plot.short_name(population.feature_names[j]) for j in most]
    ax.barh(np.arange(len(most)), z[most], color=plot.OKABE_ITO[0])
    ax.set_yticks(np.arange(len(most)), names)
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set_xlabel("standard deviations from the mean")
    plot.tidy(ax)
    return figure


def plane_figure(population: Population, marked: Floats) -> Figure:
    """Points in the plane by cluster, with some points (n, 2) marked."""
    figure, ax = axes(height=4.2)
    step = max(1, len(population.rows) // _POINTS)
    clusters = population.prediction.clusters[::step]
    plot.points(ax, population.dataset.x[::step], clusters, n_clusters=population.n_clusters)
    ax.scatter(
        marked[:, 0], marked[:, 1], s=120, marker="X", color="black", edgecolor="white", zorder=5
    )
    return figure


def axes(height: float = 2.6) -> tuple[Figure, Axes]:
    """A figure with one pair of axes."""
    figure = Figure(figsize=(5.6, height), layout="constrained")
    return figure, figure.add_subplot()
