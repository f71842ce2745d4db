"""What a report shows, as plain values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gedi.evaluation.measures import Detection

__all__ = ["Floats", "Integers", "ReportContent"]

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class ReportContent:
    """What a report shows, as plain values.

    Args:
        title: heading of the page.
        dataset: name of the data.
        n_points: number of points, n.
        n_features: number of features of a point, d.
        n_clusters: number of clusters, c.
        method: "GEDI", "GEDI no gen" or "JEM".
        stopped: why the training ended.
        seconds: duration of the training.
        iterations: iterations trained.
        history: metrics over the column `iteration`; any of gen, inv, prior, bound, gap,
            energy_data, energy_samples, acceptance, step_size, learning_rate.
        collapse_gap: the gap on a fixed set with fixed views, in nats.
        metrics: name -> value, shown as they come; may be empty.
        cluster_sizes: points in each cluster, shape (c,).
        prior: share of each cluster, shape (c,).
        restarts: one mapping a restart; the key `chosen` marks the one that was kept.
        confusion: counts (classes, clusters), columns matched to the diagonal, and class names.
        energies: energies in nats of the sets `data`, `samples` and `noise`, each shape (n,).
        x: the data in the user's units, shape (n, d).
        clusters: cluster of each point, shape (n,).
        confidence: probability of that cluster, shape (n,).
        log_density: log-density of each point in nats, shape (n,).
        samples: generated points, shape (m, d); m may be zero.
        sample_clusters: cluster of each sample, shape (m,).
        image_shape: (channels, height, width) where points are images.
        value_range: (lowest, highest) value of a pixel; by default the data's own range.
        feature_names: one name a feature; may be empty for images.
        log_density_function: points (m, 2) -> nats (m,), for two-dimensional data.
        posterior_function: points (m, 2) -> probabilities (m, c), for two-dimensional data.
        low: lower corner of the box to draw, shape (2,); by default around data and samples.
        high: upper corner of the box to draw, shape (2,).
        settings: the settings of the run, nested.
        next_steps: command lines.
        confusion_clusters: cluster numbers of the columns of the confusion, in order.
        interventions: what the guard against divergence did, a sentence each.
        outliers: of images, scores of some and of foils made from them.
        cluster_names: one name a cluster, such as the value of its symbol; empty: its number.
        named: whether a rule gave the clusters their meanings, as symbols.
        walk: of images, the way of k chains from noise to samples, shape (k, positions, d), the
            last position without the noise of the training.
        walk_rounds: after how many rounds of moves the positions but the last are.
    """

    title: str
    dataset: str
    n_points: int
    n_features: int
    n_clusters: int
    method: str
    stopped: str
    seconds: float
    iterations: int
    history: pd.DataFrame
    collapse_gap: float
    metrics: Mapping[str, float]
    cluster_sizes: Integers
    prior: Floats
    restarts: Sequence[Mapping[str, object]]
    interventions: Sequence[str]
    confusion: tuple[Integers, Sequence[str]] | None
    energies: Mapping[str, Floats]
    x: Floats
    clusters: Integers
    confidence: Floats
    log_density: Floats
    samples: Floats
    sample_clusters: Integers
    image_shape: tuple[int, int, int] | None
    value_range: tuple[float, float] | None
    feature_names: Sequence[str]
    log_density_function: Callable[[Floats], Floats] | None
    posterior_function: Callable[[Floats], Floats] | None
    low: Floats | None
    high: Floats | None
    settings: Mapping[str, object]
    next_steps: Sequence[str]
    confusion_clusters: Sequence[int] | None = None
    outliers: Detection | None = None
    walk: Floats | None = None
    walk_rounds: Sequence[int] = ()
    named: bool = False
    cluster_names: Sequence[str] = ()
