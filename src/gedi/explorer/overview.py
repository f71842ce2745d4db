"""All clusters at a glance: whether they can be trusted, one card each, and a map."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gedi import plot
from gedi.evaluation.layout import layout
from gedi.evaluation.words import typical_words
from gedi.explorer.desk import Desk
from gedi.explorer.figures import axes, tiles, tiles_of
from gedi.report.summary import verdict
from gedi.runs.diagnosis import diagnose

__all__ = ["cards", "map_figure", "verdict_text"]

_POINTS = 3000  # of the map
_FEATURES = 3  # in the words of a card
_CLEAR = 0.5  # standard deviations from the mean from which on a feature stands out


def verdict_text(desk: Desk) -> str:
    """Whether the clusters can be trusted, and what to change if not, in sentences."""
    gap = float(desk.run.result()["collapse_gap"])
    found = diagnose(desk.run).symptoms
    judged = verdict(gap, found)
    lines = [f"{judged.title} (collapse gap {gap:.3f} nats). {judged.text}"]
    return "\n".join([*lines, *(f"- {symptom}" for symptom in found)])


def cards(desk: Desk) -> Any:
    """One card for each cluster: its name and size, with its most typical image or its features."""
    population, groups = desk.population, desk.names.groups
    into = np.array(desk.names.into)[population.prediction.clusters]
    sizes = [int(np.sum(into == group)) for group in groups]
    shares = [size / max(len(into), 1) for size in sizes]
    if desk.has_pictures:
        named = zip(map(desk.names.of, groups), sizes, strict=True)
        captions = [f"{name}: {size:,}" for name, size in named]
        if desk.has_features:
            places = [_likeliest(desk, into == group) for group in groups]
            found = zip(tiles_of(population, places), captions, strict=True)
            return [(picture, caption) for (picture, _), caption in found]
        return tiles(population, [_typical(desk, into == group) for group in groups], captions)
    return pd.DataFrame(
        {
            "cluster": [desk.names.of(group) for group in groups],
            "points": sizes,
            "share": [f"{share:.0%}" for share in shares],
            "what stands out": [_words(desk, into == group) for group in groups],
        }
    )


def map_figure(desk: Desk) -> Figure:
    """All points by cluster: in the plane, or along the principal axes of their embedding."""
    population = desk.population
    figure, ax = axes(height=4.6)
    step = max(1, len(population.rows) // _POINTS)
    clusters = population.prediction.clusters[::step]
    if population.dataset.x.shape[1] == 2:
        x = np.asarray(population.dataset.x[::step], dtype=np.float64)
        names = [plot.short_name(name) for name in population.feature_names]
    elif desk.has_features:
        shares = population.prediction.probabilities
        places = layout(population.dataset.x, shares, population.prediction.clusters)
        x = places[::step].astype(np.float64)
        names = ["discs of the clusters; the panel Map shows every point", ""]
    else:
        x = _principal(population.embedding[::step])
        names = ["first principal axis of the embedding", "second"]
    plot.points(ax, x, clusters, n_clusters=population.n_clusters)
    for group in np.unique(clusters).tolist():
        middle = np.median(x[clusters == group], axis=0)
        name = plot.short_name(desk.names.of(int(group)))
        ax.annotate(name, middle, ha="center", va="center", fontsize=11, zorder=6, bbox=_LABEL)
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    return figure


_LABEL = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "0.6", "alpha": 0.85}


def _typical(desk: Desk, members: NDArray[np.bool_]) -> NDArray[Any]:
    """The likeliest point of a cluster; for an empty one, the least value everywhere."""
    x = desk.population.dataset.x
    if not members.any():
        return np.full(x.shape[1], (desk.population.dataset.value_range or (0.0, 1.0))[0])
    row: NDArray[Any] = x[_likeliest(desk, members)]
    return row


def _likeliest(desk: Desk, members: NDArray[np.bool_]) -> int:
    """The place of the likeliest point of a cluster."""
    values = np.where(members, desk.population.prediction.log_density, -np.inf)
    return int(values.argmax())


def _words(desk: Desk, members: NDArray[np.bool_]) -> str:
    """What sets a cluster apart: its typical words, or the features in which it differs most."""
    if not members.any():
        return "no points"
    texts = desk.population.dataset.texts
    if texts is not None:
        return ", ".join(typical_words(texts, members.astype(np.int64), 2)[1])
    x = desk.population.dataset.x
    z = (x[members].mean(0) - x.mean(0)) / np.maximum(x.std(0), 1e-12)
    most = np.argsort(-np.abs(z), kind="stable")[:_FEATURES]
    names = desk.population.feature_names
    said = [f"{'high' if z[j] > 0 else 'low'} {names[j]}" for j in most if abs(z[j]) > _CLEAR]
    return ", ".join(said) or "close to the mean of all points"


def _principal(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first two principal components of features, (n, e) -> (n, 2)."""
    centred = features - features.mean(0)
    _, _, axes_of_features = np.linalg.svd(centred, full_matrices=False)
    found = centred @ axes_of_features[:2].T
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))
