"""How well scores separate outliers from the data."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from sklearn.metrics import roc_auc_score, roc_curve

from gedi.plot.histograms import overlay
from gedi.plot.style import MUTED, Floats, axes_or_new, legend, short_name, strokes, tidy

__all__ = ["auroc", "ood_histogram", "roc"]


def auroc(inliers: Floats, outliers: Floats) -> float:
    """The share of pairs in which the outlier has the lower score: 1 at best, 0.5 by chance.

    Args:
        inliers: scores of points like the data, (n,).
        outliers: scores of outliers, (m,).
    """
    truth = np.repeat([0, 1], [len(inliers), len(outliers)])
    return float(roc_auc_score(truth, -np.concatenate([inliers, outliers])))


def ood_histogram(
    ax: Axes | None,
    inliers: Floats,
    outliers: Mapping[str, Floats],
    *,
    threshold: float | None = None,
    label: str = "log density (nats); higher is likelier",
) -> Axes:
    """Overlay histograms of scores of the data and of sets of outliers, with the AUROC of each.

    Scores outside of the range are counted in the outermost bins.

    Args:
        ax: the axes to draw on; None makes new ones.
        inliers: scores of points like the data, shape (n,); those that are not finite are left out.
        outliers: scores of each set of outliers, by name, shape (m,).
        threshold: score below which points count as outliers.
        label: label of the horizontal axis.
    """
    data = np.asarray(inliers)[np.isfinite(inliers)]
    sets = [("data", data)]
    for name, scores in outliers.items():
        finite = np.asarray(scores)[np.isfinite(scores)]
        figure = f", AUROC {auroc(data, finite):.2f}" if data.size and finite.size else ""
        sets.append((short_name(name) + figure, finite))
    ax = overlay(ax, sets, bins=50, label=label)
    if threshold is not None:
        ax.axvline(threshold, color=MUTED, linewidth=1.2, linestyle=":", label="threshold")
        legend(ax)
    return ax


def roc(ax: Axes | None, inliers: Floats, outliers: Mapping[str, Floats]) -> Axes:
    """Draw the receiver operating characteristic of each set of outliers.

    Outliers are detected by a low score. Scores at random lie on the dotted diagonal.

    Args:
        ax: the axes to draw on; None makes new ones.
        inliers: scores of points like the data, shape (n,).
        outliers: scores of each set of outliers, by name, shape (m,).
    """
    ax = axes_or_new(ax)
    ax.plot((0, 1), (0, 1), color=MUTED, linewidth=0.9, linestyle=":")
    # The first stroke is that of the data in histograms.
    for stroke, (name, scores) in zip(
        strokes(len(outliers) + 1)[1:], outliers.items(), strict=True
    ):
        truth = np.repeat([0, 1], [len(inliers), len(scores)])
        raised, found, _ = roc_curve(truth, -np.concatenate([inliers, scores]))
        label = short_name(name)
        ax.plot(raised, found, **stroke._asdict(), linewidth=1.6, label=label, clip_on=False)
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(0.0, 1.0)
    ax.set_xlabel("share of the data that count as outliers", color=MUTED)
    ax.set_ylabel("share of outliers found", color=MUTED)
    tidy(ax)
    legend(ax)
    return ax
