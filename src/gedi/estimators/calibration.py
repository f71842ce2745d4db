"""A temperature that corrects overconfident posteriors, without held-out labels."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.neighbors import NearestNeighbors

__all__ = ["likeliest_temperature", "neighbours_temperature"]

_NEIGHBOURS = 5
_CALIBRATED = 1000  # maximum number of points whose neighbours the temperature is fitted on
_AGREEMENT = 25.0  # number of labelled points that the agreement of neighbours counts for


def neighbours_temperature(
    z: NDArray[np.floating],
    logits: NDArray[np.float64],
    codes: NDArray[np.int64],
    seed: int,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """The temperature T that maximises the likelihood that neighbours share a label.

    The neighbours of labelled points are expected to have the labels of these points. With few
    labels, the model is wrong about few neighbours or none, which leaves T to chance. So the
    neighbours of any points count as well, with the predicted classes of these points as labels.
    Together they count as much as 25 labelled points.

    Args:
        z: scaled points, (n, d).
        logits: f(z), (n, c).
        codes: classes, -1 where unknown, (n,).
        seed: seed of the choice of points, if there are many.
        weights: weights of the points, whose mean is 1, (n,); None means 1 for all.
    """
    rng = np.random.default_rng(seed)
    known = rng.permutation(np.flatnonzero(codes >= 0))[:_CALIBRATED]
    drawn = rng.permutation(len(z))[:_CALIBRATED]
    labels = np.concatenate([codes[known], logits[drawn].argmax(1)])
    counts = np.repeat([1.0, _AGREEMENT / len(drawn)], [len(known), len(drawn)])
    if weights is not None:
        counts = counts * weights[np.concatenate([known, drawn])]
    k = min(_NEIGHBOURS, len(z) - 1)
    search = NearestNeighbors(n_neighbors=k + 1).fit(z)
    # The nearest is the point itself.
    nearest = search.kneighbors(z[np.concatenate([known, drawn])], return_distance=False)[:, 1:]
    return likeliest_temperature(logits[nearest.ravel()], labels.repeat(k), counts.repeat(k))


def likeliest_temperature(
    logits: NDArray[np.float64], labels: NDArray[np.int64], counts: NDArray[np.float64]
) -> float:
    """T that maximises Σ w log softmax_y(f / T), from 0.1 to 100 (Guo et al., ICML 2017).

    Args:
        logits: f, (m, c).
        labels: y, (m,).
        counts: w, (m,).
    """
    rows = np.arange(len(labels))

    def loss(log_t: float) -> float:
        return -float(counts @ log_softmax(logits / np.exp(log_t), axis=1)[rows, labels])

    found = minimize_scalar(loss, bounds=(np.log(0.1), np.log(100)), method="bounded")
    return float(np.exp(found.x))
