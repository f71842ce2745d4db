"""What to search settings by, when there are no labels."""

from typing import Any

import torch
from torch import Generator

from gedi.assembly import make_view
from gedi.defaults import resolve_views
from gedi.estimators.base import BaseGEDI
from gedi.estimators.inputs import image_shape_of
from gedi.monitor import Monitor
from gedi.settings import Settings, ViewSettings

__all__ = ["collapse_gap_scorer"]

_POINTS = 10_000
_SEED = 0


@torch.no_grad()
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
    rows = estimator._rows(X)
    trained = estimator.model_
    z = trained.scaling(rows)
    z = z[torch.randperm(len(z), generator=Generator().manual_seed(_SEED))]
    image_shape = image_shape_of(estimator.input_shape_)
    usual = Settings(views=resolve_views(ViewSettings(), image_shape))
    view = make_view(usual, z, image_shape, trained.scaling)
    monitor = Monitor(z[:_POINTS], view, _SEED)
    _, measured = monitor.measure(trained.model, trained.chains, trained.log_prior)
    return -float(measured["gap"])
