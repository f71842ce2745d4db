"""How much of the time limit the end of a training needs: log Z, the report, and clusters."""

import copy
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from gedi.model import EnergyClassifier, ResidualClassifier
from gedi.training.monitor import Monitor

__all__ = ["EndCosts", "end_costs"]

_TRIED = 256  # points, or draws, of a trial
_TRIED_VALUES = 2**15  # in the points of a trial; fewer than 256 images are enough
_FEWEST_TRIED = 32
_AGAIN = 1.2  # as some points are near a boundary, and computed again in float64


class EndCosts(NamedTuple):
    """Seconds that the end takes, by trials on a few points.

    Attributes:
        clusters: of the clusters of all points, which there must be.
        rest: of log Z and the measurements of the report, which can do with fewer points.
        look: of measuring one point during the training.
    """

    clusters: float
    rest: float
    look: float


def end_costs(
    model: EnergyClassifier,
    monitor: Monitor,
    n_points: int,
    n_reported: int,
    n_draws: int,
    *,
    n_scored: int,
) -> EndCosts:
    """Try the steps of the end on a few points.

    Args:
        model: the network, on any device; of several, one will be left.
        monitor: measures the training, with at least a point.
        n_points: the number of points that get clusters.
        n_reported: the number of points of the report.
        n_draws: the number of draws of the base, for a residual of one.
        n_scored: the number of held-out images, whose energies need gradients.
    """
    d = monitor.x.shape[-1]
    some = monitor.x[: min(_TRIED, max(_FEWEST_TRIED, _TRIED_VALUES // d))]
    members = math.prod(model.head.bias.shape[:-1])
    exact = copy.deepcopy(model).cpu().double().eval()
    with torch.no_grad():
        predicted = _seconds(lambda: exact(some.cpu().double())) / len(some)
        clustered = _seconds(lambda: model(some, with_base=False)) / len(some)
        seen = _seconds(lambda: model(some)) / len(some)
        viewed = _seconds(lambda: _view(model, monitor, some)) / len(some)
        drawn = 0.0
        if isinstance(model, ResidualClassifier):
            drawn = _seconds(lambda: model(_draws(model), with_base=False)) / _TRIED
    # The report needs a view, its logits, and twice those of the points.
    rest = n_reported * (viewed + 3 * seen) + n_draws * drawn + n_scored * 2 * predicted
    clusters = _AGAIN * n_points * clustered
    return EndCosts(clusters / members, rest / members, look=viewed + 3 * seen)


def _view(model: EnergyClassifier, monitor: Monitor, x: Tensor) -> Tensor:
    index = None if monitor.index is None else monitor.index[: len(x)]
    generator = Generator(x.device).manual_seed(monitor.seed)
    return monitor.view(x, posterior=model.posterior, generator=generator, index=index)


def _draws(model: ResidualClassifier) -> Tensor:
    generator = Generator(model.gain.device).manual_seed(0)
    return model.draws_of_base(_TRIED, generator)


def _seconds(step: Callable[[], object]) -> float:
    """The time of the faster of two runs; the first may load a library."""
    took = []
    for _ in range(2):
        begun = time.perf_counter()
        step()
        took.append(time.perf_counter() - begun)
    return min(took)
