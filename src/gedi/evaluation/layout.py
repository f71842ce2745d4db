"""All points in two dimensions, laid out by the clusters and the posterior of a model.

Points of two features lie where they are. All others lie at

    position(x) = Σ_k p(k|x) centre_k + p(y|x) offset_y(x),    y the cluster of x

The centres follow the distances between the means of the clusters (classical multidimensional
scaling), pushed apart until discs of the clusters' sizes do not overlap. The offset is the place of
a point among those of its cluster: its ranks along their first two principal components, mapped
to a disc of the cluster's size. Ranks keep flags and far points from leaving the others in a few
dots. So certain points lie in the discs of their clusters, and uncertain ones between discs.

It costs O(n d), unlike layouts by neighbours, and keeps every group in one place. Distances between
discs mean little.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from gedi.data.values import Values

__all__ = ["in_the_plane", "layout"]

_SAMPLE = 2_000  # points of a cluster by which its components are found
_ROUNDS = 300
_GAP = 1.15  # between discs, in sums of their radii
_FILL = 0.35  # of the area, by discs
_BLOCK = 2**22
_WITHIN = 0.999  # share of the values of an axis of the plane that the map shows apart
_LONG = 3.0  # ratio of the ranges from which on both axes have no common scale

Floats = NDArray[np.floating]
Scaled = Callable[[Values], Floats]


def in_the_plane(x: Values) -> NDArray[np.float32]:
    """Points of two features in the unit square, (n, 2), the second feature upwards.

    The farthest thousandth at each end of an axis lies on its edge.

    Args:
        x: points, (n, 2).
    """
    values = np.asarray(x, dtype=np.float64)
    low, high = np.quantile(values, [1 - _WITHIN, _WITHIN], axis=0)
    side = np.maximum(1.1 * (high - low), 1e-12)
    if side.max() < _LONG * side.min():
        side[:] = side.max()
    places = np.clip(0.5 + (values - (low + high) / 2) / side, 0, 1)
    places[:, 1] = 1 - places[:, 1]
    return np.asarray(places, dtype=np.float32)


def layout(
    x: Values,
    probabilities: Floats,
    clusters: NDArray[np.integer],
    scaled: Scaled = np.asarray,
) -> NDArray[np.float32]:
    """Positions in the unit square, (n, 2).

    Args:
        x: points, (n, d).
        probabilities: p(k|x), (n, c).
        clusters: the cluster of each point, (n,).
        scaled: maps some of the points to the units in which distances count.
    """
    n, c = probabilities.shape
    sizes = np.bincount(clusters, minlength=c)
    members = [np.flatnonzero(clusters == k) for k in range(c)]
    radii = np.sqrt(_FILL / np.pi * np.maximum(sizes, 1) / n)
    means = np.zeros((c, x.shape[1]))
    offsets = np.zeros((n, 2))
    for k, rows in enumerate(members):
        if len(rows):
            means[k], axes = _components(x, rows, scaled)
            seen = _projected(x, rows, means[k], axes, scaled)
            offsets[rows] = radii[k] * _in_disc(seen)
    used = np.flatnonzero(sizes)
    centres = np.full((c, 2), 0.5)
    centres[used] = _apart(_scaled(means[used]), radii[used])
    shares = probabilities[np.arange(n), clusters][:, None]
    places = probabilities @ centres + shares * offsets
    low, high = places.min(0), places.max(0)
    # One scale for both axes, so that discs stay round.
    side = max(float((high - low).max()), 1e-12)
    return np.asarray(0.5 + (places - (low + high) / 2) / side, dtype=np.float32)


def _components(x: Values, rows: NDArray[np.int64], scaled: Scaled) -> tuple[Floats, Floats]:
    """The mean of some points, and their first two principal axes, (d, 2)."""
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE)).astype(np.int64)]
    sample = np.asarray(scaled(x[some]), dtype=np.float64)
    mean = sample.mean(0)
    _, values, axes = np.linalg.svd(sample - mean, full_matrices=False)
    axes = axes[: min(2, int((values > 1e-9).sum()))]
    # The sign of an axis is arbitrary: its largest entry is positive.
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(1)] if len(axes) else np.ones(0)
    signed = axes * np.sign(largest)[:, None]
    return mean, np.pad(signed, ((0, 2 - len(signed)), (0, 0))).T


def _projected(
    x: Values, rows: NDArray[np.int64], mean: Floats, axes: Floats, scaled: Scaled
) -> Floats:
    """Coordinates of points along axes as normal scores of their ranks, (m, 2)."""
    found = np.empty((len(rows), 2))
    step = max(1, _BLOCK // x.shape[1])
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        found[start : start + step] = (scaled(x[part]) - mean) @ axes
    # Points that are the same stay together; without rounding, so do those on an axis of no length.
    ranks = rankdata(found.round(9), axis=0)
    scores: Floats = ndtri((ranks - 0.5) / len(rows))
    return scores


def _in_disc(u: Floats) -> Floats:
    """Points of a standard normal law in the plane, moved so that they fill the unit disc."""
    radius = np.linalg.norm(u, axis=1, keepdims=True)
    filled = np.sqrt(-np.expm1(-(radius**2) / 2))
    moved: Floats = u * np.divide(filled, radius, out=np.zeros_like(radius), where=radius > 0)
    return moved


def _scaled(means: Floats) -> Floats:
    """Centres in the plane by classical multidimensional scaling, within the unit square."""
    c = len(means)
    if c == 1:
        return np.full((1, 2), 0.5)
    centred = means - means.mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    flat = np.pad(left[:, :2] * values[:2], ((0, 0), (0, max(0, 2 - left.shape[1]))))
    largest = flat[np.abs(flat).argmax(0), [0, 1]]
    flat = flat * np.where(largest < 0, -1.0, 1.0)
    span = max(float(np.ptp(flat, axis=0).max()), 1e-12)
    # A turn by a little keeps centres on one line from staying on it.
    angle = 0.01 * np.arange(c)
    return 0.5 + flat / span + 1e-3 * np.stack([np.sin(37 * angle), np.cos(37 * angle)], axis=1)


def _apart(centres: Floats, radii: Floats) -> Floats:
    """Centres moved until no two discs overlap, or nearly so."""
    wanted = _GAP * (radii[:, None] + radii[None, :])
    np.fill_diagonal(wanted, 0.0)
    for _ in range(_ROUNDS):
        between = centres[:, None] - centres[None, :]
        distance = np.linalg.norm(between, axis=2)
        short = np.maximum(wanted - distance, 0.0)
        if not short.any():
            break
        push = between * (short / np.maximum(distance, 1e-9))[..., None]
        centres = centres + 0.5 * push.sum(1)
    return centres
