"""Energies and other scores of several sets of points."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from gedi.plot.style import (
    MUTED,
    Floats,
    axes_or_new,
    legend,
    padded,
    say,
    short_name,
    strokes,
    tidy,
)

__all__ = ["energy_histogram", "overlay"]


def energy_histogram(
    ax: Axes | None,
    energies: Mapping[str, Floats],
    *,
    bins: int = 80,
    label: str = "energy (nats); lower is likelier",
) -> Axes:
    """Overlay histograms of energies, as shares of each set.

    The range covers the bulk of the first set and its surroundings. Values outside of it are
    counted in the outermost bins, which may be cut off at the top.

    Args:
        ax: the axes to draw on; None makes new ones.
        energies: energies of each set in nats, by name, shape (n,).
        bins: number of bins.
        label: label of the horizontal axis.
    """
    sets = [(short_name(name), values) for name, values in energies.items()]
    return overlay(ax, sets, bins=bins, label=label)


def overlay(ax: Axes | None, sets: Sequence[tuple[str, Floats]], *, bins: int, label: str) -> Axes:
    """Overlay histograms of sets with any legend; see `energy_histogram`."""
    ax = axes_or_new(ax)
    finite = [(name, np.asarray(values)[np.isfinite(values)]) for name, values in sets]
    finite = [(name, values) for name, values in finite if values.size]
    tidy(ax, grid="y")
    if not finite:
        return say(ax, "no finite energies")
    edges = np.linspace(*_robust_range([values for _, values in finite]), bins + 1)
    highest = 0.0
    for stroke, (name, values) in zip(strokes(len(finite)), finite, strict=True):
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        share = counts / values.size
        highest = max(highest, float(share[1:-1].max()))
        ax.stairs(share, edges, fill=True, color=stroke.color, alpha=0.18)
        ax.stairs(share, edges, **stroke._asdict(), linewidth=1.6, label=name)
    ax.set_xlabel(label, color=MUTED)
    ax.set_ylabel("share", color=MUTED)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0.0, 1.15 * highest or 1.0)
    legend(ax)
    return ax


def _robust_range(series: Sequence[Floats]) -> tuple[float, float]:
    """Range of the bulk of all series, at most six times as wide as that of the first."""
    first_low, first_high = np.quantile(series[0], (0.005, 0.995))
    reach = 2.5 * max(float(first_high - first_low), 1e-6)
    low = min(float(np.quantile(values, 0.005)) for values in series)
    high = max(float(np.quantile(values, 0.995)) for values in series)
    return padded(max(low, float(first_low) - reach), min(high, float(first_high) + reach))
