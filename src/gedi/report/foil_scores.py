"""The section on outliers: how well scores separate foils from the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gedi import plot
from gedi.evaluation.measures import Detection
from gedi.report.pictures import Picture, chart

__all__ = ["OutlierRow", "outliers_part"]

Floats = NDArray[np.floating[Any]]

DENSITY = "log density"


@dataclass(frozen=True)
class OutlierRow:
    """One set of outliers with the figures of each score."""

    name: str
    figures: Sequence[str]


def outliers_part(outliers: Detection) -> dict[str, object]:
    """The variables of the template: scores, figures, rows, number of points, pictures."""
    scores, (first, *_) = list(outliers.figures), outliers.figures.values()
    names = list(first)
    data, *_ = outliers.scores[DENSITY].values()
    return {
        "scores": scores,
        "figures": list(first[names[0]]),
        "rows": [
            OutlierRow(
                name,
                [
                    f"{value:.3f}"
                    for score in scores
                    for value in outliers.figures[score][name].values()
                ],
            )
            for name in names
        ],
        "n": len(data),
        "pictures": _pictures(outliers.scores),
    }


def _pictures(scores: Mapping[str, Mapping[str, Floats]]) -> list[Picture]:
    """Histograms of the log density, and a ROC curve for each score."""
    sets = scores[DENSITY]
    label = "log density (nats, up to a constant); higher is likelier"
    return [
        chart(
            lambda ax: plot.energy_histogram(ax, sets, bins=50, label=label),
            alt=f"Histograms of the log density of {', '.join(sets)}",
            caption="Log density of data and foils; the outermost bins count all values beyond",
            size=(4.6, 3.4),
        ),
        *(_curves(score, found) for score, found in scores.items()),
    ]


def _curves(score: str, sets: Mapping[str, Floats]) -> Picture:
    (_, data), *others = sets.items()
    return chart(
        lambda ax: plot.roc(ax, data, dict(others)),
        alt=f"Receiver operating characteristics of the {score} for {len(others)} foils",
        caption=f"Foils detected by a low {score}; the dotted line is chance",
        size=(4.6, 3.4),
    )
