"""What to search settings by, when there are no labels."""

from typing import Any

from gedi.estimators.base import BaseGEDI
from gedi.estimators.inputs import image_shape_of
from gedi.evaluation.measures import usual_gap

__all__ = ["collapse_gap_scorer"]


def collapse_gap_scorer(estimator: BaseGEDI, X: Any, y: Any = None) -> float:  # noqa: N803
    """Minus the collapse gap in nats, for `GridSearchCV(..., scoring=collapse_gap_scorer)`.

    The views are the default ones, whatever those of the training were: a search over views would
    else choose the weakest. Compare at the same number of clusters, and on a few hundred points or
    more: n points leave a gap of about (c - 1) / 2n.

    Args:
        estimator: fitted.
        X: points (n, d), or images as they were fitted.
        y: not used.
    """
    return -usual_gap(estimator.model_, estimator._rows(X), image_shape_of(estimator.input_shape_))
