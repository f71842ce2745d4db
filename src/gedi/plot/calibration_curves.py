"""Calibration: of the predictions with a probability of 80 %, 80 % should be right."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from gedi.errors import DataError
from gedi.plot.style import INK, MUTED, OKABE_ITO, Floats, Integers, axes_or_new, legend, tidy

__all__ = ["Calibration", "calibration", "reliability"]


class Calibration(NamedTuple):
    """Predictions in bins of confidence of equal width; empty bins are left out.

    Attributes:
        confidence: mean probability of the predicted class, (b,).
        accuracy: share of right predictions, (b,).
        counts: number of predictions, (b,).
    """

    confidence: Floats
    accuracy: Floats
    counts: Integers

    @property
    def error(self) -> float:
        """Expected calibration error: mean of |accuracy - confidence| over the predictions."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float(self.counts @ gaps / self.counts.sum())


def calibration(y_true: ArrayLike, probabilities: ArrayLike, *, n_bins: int = 10) -> Calibration:
    """Accuracy and confidence of each bin.

    Args:
        y_true: class of each point, as a column of `probabilities`, (n,).
        probabilities: p(y|x), (n, c).
        n_bins: number of bins between 0 and 1.

    Raises:
        DataError: for shapes that do not fit each other, or classes without a column.
    """
    y, p = np.asarray(y_true), np.asarray(probabilities, float)
    if p.ndim != 2 or y.shape != p.shape[:1] or not len(y):
        raise DataError(
            f"expected classes (n,) and probabilities (n, c), got {y.shape} and {p.shape}"
        )
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= p.shape[1]:
        raise DataError(
            f"y_true: expected columns of the probabilities, from 0 to {p.shape[1] - 1}; "
            f"got {np.unique(y)[:5].tolist()}"
        )
    confidence = p.max(axis=1)
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    some = counts > 0
    mean = [
        np.bincount(bins, weights=values, minlength=n_bins)[some] / counts[some]
        for values in (confidence, p.argmax(axis=1) == y)
    ]
    return Calibration(mean[0], mean[1], counts[some])


def reliability(
    ax: Axes | None,
    y_true: ArrayLike,
    probabilities: ArrayLike,
    *,
    n_bins: int = 10,
    name: str = "predictions",
) -> Axes:
    """Draw accuracy over confidence, with the share of predictions in each bin as bars.

    On the dotted diagonal, probabilities are calibrated; below it, the model is overconfident.

    Args:
        ax: the axes to draw on; None makes new ones.
        y_true: class of each point, as a column of `probabilities`, (n,).
        probabilities: p(y|x), (n, c).
        n_bins: number of bins between 0 and 1.
        name: name of the curve in the legend, which also shows the expected calibration error.

    Raises:
        DataError: for shapes that do not fit each other, or classes without a column.
    """
    found = calibration(y_true, probabilities, n_bins=n_bins)
    ax = axes_or_new(ax, (4.4, 4.2))
    share = found.counts / found.counts.sum()
    ax.bar(
        found.confidence,
        share,
        width=0.6 / n_bins,
        color=MUTED,
        alpha=0.25,
        label="share of points",
    )
    ax.plot((0, 1), (0, 1), color=INK, linewidth=0.9, linestyle=":")
    ax.plot(
        found.confidence,
        found.accuracy,
        color=OKABE_ITO[0],
        linewidth=1.8,
        marker="o",
        label=f"{name}, ECE {found.error:.3f}",
    )
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(0.0, 1.0)
    ax.set_xlabel("probability of the predicted class", color=MUTED)
    ax.set_ylabel("share of right predictions", color=MUTED)
    tidy(ax)
    legend(ax)
    return ax
