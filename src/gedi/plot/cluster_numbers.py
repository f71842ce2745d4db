"""The results of a sweep over the number of clusters."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from gedi.plot.style import INK, MUTED, OKABE_ITO, Floats, axes_or_new, legend, tidy

__all__ = ["sweep_stability", "sweep_told"]


def sweep_stability(
    ax: Axes | None, results: Mapping[str, ArrayLike], *, suggested: int | None = None
) -> Axes:
    """Draw the agreement of trainings on halves of the data over the number of clusters.

    Args:
        ax: the axes to draw on; None makes new ones.
        results: columns `n_clusters`, `stability` and `least_stability`, such as `results_` of a
            `ClusterSweep`.
        suggested: number of clusters to mark.
    """
    ax = axes_or_new(ax)
    numbers, mean, least = _columns(results, "n_clusters", "stability", "least_stability")
    ax.fill_between(numbers, least, mean, color=OKABE_ITO[2], alpha=0.2, label="lowest pair")
    ax.plot(numbers, mean, color=OKABE_ITO[2], marker="o", linewidth=1.8, label="mean")
    ax.set_ylim(min(0.0, float(np.nanmin(least, initial=0.0))), 1.02)
    ax.set_ylabel("agreement (adjusted Rand index)", color=MUTED)
    return _finished(ax, numbers, suggested)


def sweep_told(
    ax: Axes | None, results: Mapping[str, ArrayLike], *, suggested: int | None = None
) -> Axes:
    """Draw the information of clusters about unseen points, and its maximum log c, over c.

    The information is log c minus the collapse gap on unseen points, in nats.

    Args:
        ax: the axes to draw on; None makes new ones.
        results: columns `n_clusters`, `told` and `told_spread`, such as `results_` of a
            `ClusterSweep`.
        suggested: number of clusters to mark.
    """
    ax = axes_or_new(ax)
    numbers, information, spread = _columns(results, "n_clusters", "told", "told_spread")
    ax.plot(numbers, np.log(numbers), color=MUTED, linewidth=1.2, linestyle="--", label="log c")
    ax.errorbar(
        numbers,
        information,
        spread,
        color=OKABE_ITO[0],
        marker="s",
        linewidth=1.8,
        capsize=3,
        label="mean and standard deviation",
    )
    ax.set_ylim(min(0.0, float(np.nanmin(information - spread))), None)
    ax.set_ylabel("information on unseen points (nats)", color=MUTED)
    return _finished(ax, numbers, suggested)


def _columns(results: Mapping[str, ArrayLike], *names: str) -> Sequence[Floats]:
    return [np.asarray(results[name], float) for name in names]


def _finished(ax: Axes, numbers: Floats, suggested: int | None) -> Axes:
    if suggested is not None:
        ax.axvline(suggested, color=INK, linewidth=1.0, linestyle=":", label="suggested")
    ax.set_xticks(numbers)
    ax.set_xlabel("number of clusters", color=MUTED)
    tidy(ax, grid="y")
    legend(ax)
    return ax
