"""Moons and circles: two toy sets whose true density is known.

Both are a pair of curves with Gaussian noise around them, so a model's log density can be
compared with the truth, in nats, and not only with another model's.
"""

import math

import numpy as np
from numpy.typing import NDArray

from gedi.errors import DataError

__all__ = ["circles", "log_density", "moons"]

_LARGEST_SEED = 2**32 - 1
# Kernel values held at once: about 16 MB.
_CHUNK_VALUES = 2_000_000
# Gauss-Legendre nodes on each piece of curve no longer than the noise is wide. The kernel is
# smooth on that scale, so the quadrature is exact to rounding.
_NODES_PER_PIECE = 8


def moons(
    n: int, noise: float = 0.05, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw two interleaving half circles of radius 1, half of the points on each.

    Args:
        n: number of points.
        noise: standard deviation of the Gaussian noise, in raw units.
        seed: of the random generator.

    Returns:
        Points (n, 2) in raw units, shuffled, and the half circle (n,) that each lies on.

    Raises:
        DataError: fewer than 2 points, or a noise or seed out of range.
    """
    from sklearn.datasets import make_moons  # noqa: PLC0415

    _check_request(n, noise, seed)
    x, labels = make_moons(n, noise=noise, random_state=seed)
    return x, labels.astype(np.int64)


def circles(
    n: int, noise: float = 0.05, factor: float = 0.5, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw two concentric circles of radius 1 and `factor`, half of the points on each.

    Args:
        n: number of points.
        noise: standard deviation of the Gaussian noise, in raw units.
        factor: radius of the inner circle, in (0, 1).
        seed: of the random generator.

    Returns:
        Points (n, 2) in raw units, shuffled, and the circle (n,) that each lies on.

    Raises:
        DataError: fewer than 2 points, or a noise, factor or seed out of range.
    """
    from sklearn.datasets import make_circles  # noqa: PLC0415

    _check_request(n, noise, seed)
    _check_factor(factor)
    x, labels = make_circles(n, noise=noise, factor=factor, random_state=seed)
    return x, labels.astype(np.int64)


def log_density(
    name: str, x: NDArray[np.floating], noise: float = 0.05, factor: float = 0.5
) -> NDArray[np.float64]:
    r"""True log density of a toy set, by quadrature along its two curves c_1 and c_2.

        log p(x) = log( 1/2 Σ_k 1/T ∫_0^T N(x; c_k(t), noise² I) dt )

    with T = π for the moons and 2π for the circles. It is the law of one point as the number
    of points drawn grows.

    Args:
        name: "moons" or "circles".
        x: points (n, 2) in raw units.
        noise: standard deviation of the Gaussian noise, in raw units.
        factor: radius of the inner circle.

    Returns:
        Log densities (n,), in nats per point, with respect to area in raw units.

    Raises:
        DataError: an unknown set, a noise that is not positive, a factor outside (0, 1), or
            points that are not (n, 2).
    """
    if not 0 < noise < math.inf:
        raise DataError(f"a density needs a positive noise, got {noise}")
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise DataError(f"{name} lies in the plane: expected points (n, 2), got {points.shape}")
    nodes, log_weights = _curve_nodes(name, noise, factor)
    log_norm = math.log(2 * math.pi * noise**2)
    rows = max(1, _CHUNK_VALUES // len(nodes))
    out = np.empty(len(points))
    for start in range(0, len(points), rows):
        chunk = points[start : start + rows]
        kernel = -_squared_distances(chunk, nodes) / (2 * noise**2) + log_weights
        out[start : start + rows] = _logsumexp(kernel) - log_norm
    return out


def _curve_nodes(
    name: str, noise: float, factor: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (m, 2) along both curves and log weights (m,) whose exponentials sum to 1."""
    length = {"moons": math.pi, "circles": 2 * math.pi}.get(name)
    if length is None:
        raise DataError(f"unknown toy set {name!r}: expected 'moons' or 'circles'")
    t, weights = _quadrature(length, pieces=math.ceil(length / noise))
    cos, sin = np.cos(t), np.sin(t)
    if name == "moons":
        second = np.stack([1 - cos, 0.5 - sin], axis=1)
    else:
        _check_factor(factor)
        second = factor * np.stack([cos, sin], axis=1)
    nodes = np.concatenate([np.stack([cos, sin], axis=1), second])
    return nodes, np.log(np.tile(weights, 2) / (2 * length))


def _quadrature(length: float, pieces: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Composite Gauss-Legendre nodes and weights on [0, length]; the weights sum to length."""
    unit_nodes, unit_weights = np.polynomial.legendre.leggauss(_NODES_PER_PIECE)
    width = length / pieces
    middles = (np.arange(pieces) + 0.5) * width
    t = (middles[:, None] + unit_nodes * width / 2).ravel()
    return t, np.tile(unit_weights * width / 2, pieces)


def _squared_distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances between the rows of a (n, 2) and of b (m, 2): (n, m)."""
    # Differences rather than |a|² - 2ab + |b|²: no cancellation when the noise is tiny.
    dx = a[:, None, 0] - b[None, :, 0]
    dy = a[:, None, 1] - b[None, :, 1]
    squares: NDArray[np.float64] = dx * dx + dy * dy
    return squares


def _logsumexp(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the sum of exponentials over the last axis: (n, m) -> (n,)."""
    top: NDArray[np.float64] = values.max(axis=1)
    total: NDArray[np.float64] = np.exp(values - top[:, None]).sum(axis=1)
    return top + np.log(total)


def _check_request(n: int, noise: float, seed: int) -> None:
    if n < 2:
        raise DataError(f"a toy set needs at least 2 points, got {n}")
    if not 0 <= noise < math.inf:
        raise DataError(f"the noise is a standard deviation, 0 or more, got {noise}")
    if not 0 <= seed <= _LARGEST_SEED:
        raise DataError(f"the seed must be from 0 to {_LARGEST_SEED}, got {seed}")


def _check_factor(factor: float) -> None:
    if not 0 < factor < 1:
        raise DataError(f"the inner circle's radius must be between 0 and 1, got {factor}")
