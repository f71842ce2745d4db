"""All points in two dimensions, laid out by the clusters and the posterior of a model.

    position(x) = Σ_k p(k|x) centre_k + p(y|x) offset_y(x),    y the cluster of x

The centres follow the distances between the means of the clusters (classical multidimensional
scaling), pushed apart until discs of the clusters' sizes do not overlap. The offset is the place of
a point among those of its cluster: its first two principal components there, in standard
deviations, mapped to a disc of the cluster's size so that a Gaussian would fill it evenly. So
certain points lie in the discs of their clusters, and uncertain ones between discs.

It costs O(n d), unlike layouts by neighbours, and keeps every group in one place. Distances between
discs mean little.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["layout"]

_SAMPLE = 2_000  # points of a cluster by which its components are found
_ROUNDS = 300
_GAP = 1.15  # between discs, in sums of their radii
_FILL = 0.35  # of the area, by discs
_BLOCK = 2**22

Floats = NDArray[np.floating]


def layout(x: Floats, probabilities: Floats, clusters: NDArray[np.integer]) -> NDArray[np.float32]:
    """Positions in the unit square, (n, 2).

    Args:
        x: points, (n, d).
        probabilities: p(k|x), (n, c).
        clusters: the cluster of each point, (n,).
    """
    n, c = probabilities.shape
    sizes = np.bincount(clusters, minlength=c)
    members = [np.flatnonzero(clusters == k) for k in range(c)]
    radii = np.sqrt(_FILL / np.pi * np.maximum(sizes, 1) / n)
    means = np.zeros((c, x.shape[1]))
    offsets = np.zeros((n, 2))
    for k, rows in enumerate(members):
        if len(rows):
            means[k], axes = _components(x, rows)
            offsets[rows] = radii[k] * _in_disc(_projected(x, rows, means[k], axes))
    used = np.flatnonzero(sizes)
    centres = np.full((c, 2), 0.5)
    centres[used] = _apart(_scaled(means[used]), radii[used])
    shares = probabilities[np.arange(n), clusters][:, None]
    places = probabilities @ centres + shares * offsets
    low, high = places.min(0), places.max(0)
    # One scale for both axes, so that discs stay round.
    side = max(float((high - low).max()), 1e-12)
    return np.asarray(0.5 + (places - (low + high) / 2) / side, dtype=np.float32)


def _components(x: Floats, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The mean of some points, and their first two principal axes, (d, 2)."""
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE)).astype(np.int64)]
    sample = np.asarray(x[some], dtype=np.float64)
    mean = sample.mean(0)
    _, values, axes = np.linalg.svd(sample - mean, full_matrices=False)
    axes = axes[: min(2, int((values > 1e-9).sum()))]
    # The sign of an axis is arbitrary: its largest entry is positive.
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(1)] if len(axes) else np.ones(0)
    signed = axes * np.sign(largest)[:, None]
    return mean, np.pad(signed, ((0, 2 - len(signed)), (0, 0))).T


def _projected(x: Floats, rows: NDArray[np.int64], mean: Floats, axes: Floats) -> Floats:
    """Standardised coordinates of points along axes, (m, 2)."""
    found = np.empty((len(rows), 2))
    step = max(1, _BLOCK // x.shape[1])
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        found[start : start + step] = (x[part] - mean) @ axes
    scale = found.std(0)
    standard: Floats = found / np.where(scale > 1e-12, scale, 1.0)
    return standard


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
