"""A score to search settings by, without labels."""

from typing import Any

from gedi.estimators.base import BaseGEDI
from gedi.estimators.inputs import image_shape_of
from gedi.evaluation.measures import usual_gap

__all__ = ["collapse_gap_scorer"]


def collapse_gap_scorer(estimator: BaseGEDI, X: Any, y: Any = None) -> float:  # noqa: N803
    """Minus the collapse gap in nats, for `GridSearchCV(..., scoring=collapse_gap_scorer)`.

    The gap is measured under the default views, whatever the views of the training were: otherwise
    a search over views would choose the weakest. Compare models with the same number of clusters,
    on at least a few hundred points: n points leave a gap of about (c - 1) / 2n.

    Args:
        estimator: a fitted estimator.
        X: points (n, d), or images as they were fitted.
        y: not used.
    """
    return -usual_gap(estimator.model_, estimator._rows(X), image_shape_of(estimator.input_shape_))
