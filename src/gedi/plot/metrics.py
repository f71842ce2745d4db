"""Metrics over the iterations of a training."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

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

__all__ = ["history"]


def history(
    ax: Axes | None,
    records: pd.DataFrame | Mapping[str, ArrayLike],
    columns: Sequence[str] = ("gap",),
    *,
    log_scale: bool = False,
) -> Axes:
    """Draw metrics over the column `iteration`, one line each.

    A noisy metric is drawn faint, under its moving average. The vertical range follows the
    averages and the middle 98 % of the raw values, so that one spike does not flatten the rest.

    Args:
        ax: the axes to draw on; None makes new ones.
        records: columns by name, such as `history_` of an estimator or `Run.history()`; missing
            values are skipped.
        columns: metrics to draw; those without a finite value are left out.
        log_scale: draw a logarithmic vertical axis.
    """
    ax, frame = axes_or_new(ax), pd.DataFrame(records)
    spans: list[float] = []
    drawn = 0
    for stroke, column in zip(strokes(len(columns)), columns, strict=True):
        iteration, values = _finite_series(frame, column)
        if values.size == 0:
            continue
        drawn += 1
        line = values
        if _is_noisy(values):
            line = _moving_average(values)
            ax.plot(iteration, values, color=stroke.color, linewidth=0.8, alpha=0.25)
        marker = "o" if values.size == 1 else None
        label = short_name(column)
        ax.plot(iteration, line, **stroke._asdict(), linewidth=1.8, label=label, marker=marker)
        spans += [*np.quantile(values, (0.01, 0.99)), line.min(), line.max(), values[-1]]
    tidy(ax)
    if not drawn:
        return say(ax, "nothing recorded")
    if log_scale:
        ax.set_yscale("log", nonpositive="mask")
    else:
        ax.set_ylim(*padded(min(spans), max(spans)))
    ax.set_xlabel("iteration", color=MUTED)
    legend(ax)
    return ax


def _finite_series(frame: pd.DataFrame, column: str) -> tuple[Floats, Floats]:
    """Iterations and values of a metric where it is finite, both shape (records,)."""
    values = frame[column].to_numpy(dtype=float)
    keep = np.isfinite(values)
    return frame["iteration"].to_numpy(dtype=float)[keep], values[keep]


def _is_noisy(values: Floats) -> bool:
    """Returns whether a series jitters, compared with its range.

    Second differences of noise of scale σ have scale √6 σ, those of a trend nearly vanish.
    """
    if values.size < 30:
        return False
    jitter = float(np.diff(values, n=2).std()) / 6**0.5
    return jitter > 0.03 * float(values.std())


def _moving_average(values: Floats) -> Floats:
    window = max(5, values.size // 25)
    smooth = pd.Series(values).rolling(window, center=True, min_periods=1).mean()
    return smooth.to_numpy(dtype=float)
