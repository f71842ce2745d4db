"""The picture of how scores tell outliers: what is found of them for what is raised in vain."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from gedi import plot

__all__ = ["roc"]

Floats = NDArray[np.floating[Any]]


def roc(ax: Axes, inliers: Floats, outliers: Mapping[str, Floats]) -> Axes:
    """Draw the receiver operating characteristic of each set of outliers.

    Outliers are found by a low score. Scores that know nothing lie on the dotted diagonal.

    Args:
        ax: where to draw.
        inliers: scores of points like the data, shape (n,).
        outliers: name of a set -> its scores, shape (m,).
    """
    ax.plot((0, 1), (0, 1), color=plot.MUTED, linewidth=0.9, linestyle=":")
    # Without the first colour, which is the data's in the histogram beside.
    for color, (name, scores) in zip(
        plot.cycle(len(outliers) + 1)[1:], outliers.items(), strict=True
    ):
        truth = np.repeat([0, 1], [len(inliers), len(scores)])
        raised, found, _ = roc_curve(truth, -np.concatenate([inliers, scores]))
        label = plot.short_name(name)
        ax.plot(raised, found, color=color, linewidth=1.6, label=label, clip_on=False)
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(0.0, 1.0)
    ax.set_xlabel("share of the data taken for outliers", color=plot.MUTED)
    ax.set_ylabel("share of outliers found", color=plot.MUTED)
    plot.tidy(ax)
    plot.legend(ax)
    return ax
