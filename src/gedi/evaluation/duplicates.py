"""Rows that are nearly the same, or most similar to samples, by the cosine of their features."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pair", "most_similar", "near_duplicates"]

_CLOSE = 0.95
_MOST_ROWS = 10_000
_BLOCK = 512


class Pair(NamedTuple):
    """Two rows that are nearly the same.

    Attributes:
        first: the row that comes first.
        second: the other one.
        cosine: of their features, at most 1.
    """

    first: int
    second: int
    cosine: float


def near_duplicates(x: NDArray[np.floating], *, n_pairs: int = 20) -> tuple[list[Pair], int]:
    """Pairs of rows whose features have nearly the same direction, the closest first.

    Of more than 10,000 rows, evenly spaced ones are compared.

    Args:
        x: features, (n, d).
        n_pairs: the number of pairs, at most.

    Returns:
        The pairs, each row in at most one of them, and the number of rows that have a near
        duplicate before them.
    """
    n = len(x)
    rows = np.linspace(0, n - 1, _MOST_ROWS).astype(np.int64) if n > _MOST_ROWS else np.arange(n)
    z = _units(np.asarray(x[rows], dtype=np.float32))
    nearest = np.zeros(len(rows), dtype=np.int64)
    cosines = np.full(len(rows), -1.0, dtype=np.float32)
    for start in range(1, len(rows), _BLOCK):
        stop = min(start + _BLOCK, len(rows))
        products = z[start:stop] @ z[:stop].T
        # Only rows before each one.
        products[np.arange(stop)[None, :] >= np.arange(start, stop)[:, None]] = -1.0
        nearest[start:stop] = products.argmax(1)
        cosines[start:stop] = products.max(1)
    found = np.flatnonzero(cosines >= _CLOSE)
    pairs: list[Pair] = []
    taken: set[int] = set()
    for second in found[np.argsort(-cosines[found], kind="stable")]:
        first = int(nearest[second])
        if len(pairs) < n_pairs and not taken & {first, int(second)}:
            taken |= {first, int(second)}
            cosine = min(1.0, float(cosines[second]))
            pairs.append(Pair(int(rows[first]), int(rows[second]), cosine))
    return pairs, len(found)


def most_similar(x: NDArray[np.floating], samples: NDArray[np.floating]) -> NDArray[np.intp]:
    """The row whose features have the largest cosine with those of each sample, (m,).

    Features count in their standard deviations, and need not be centred.

    Args:
        x: features, (n, d).
        samples: features, (m, d).
    """
    scale = np.maximum(x.std(axis=0), 1e-9)
    z, drawn = _units(x / scale), _units(samples / scale)
    return np.concatenate(
        [(drawn[i : i + _BLOCK] @ z.T).argmax(1) for i in range(0, len(drawn), _BLOCK)]
    )


def _units(x: NDArray[np.floating]) -> NDArray[np.floating]:
    lengths: NDArray[np.floating] = np.linalg.norm(x, axis=1, keepdims=True)
    units: NDArray[np.floating] = x / np.maximum(lengths, 1e-12)
    return units
