"""Points that a model completes: parts of images, gaps in rows, and lines between points."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Generator

from gedi.model.box import Box
from gedi.sampling import Langevin
from gedi.sampling.chains import evaluate
from gedi.sampling.conditional import given
from gedi.training.trained import TrainedModel

__all__ = ["fill_in", "interpolate"]

_STEP_SIZE = 1e-3  # the initial value, which adapts


def fill_in(
    trained: TrainedModel,
    x: ArrayLike,
    free: ArrayLike,
    *,
    n: int = 4,
    n_steps: int = 400,
    looks: int = 5,
    generator: Generator,
) -> NDArray[np.float64]:
    """Draw some coordinates of a point from p(x_free | x_known) by Langevin with the others fixed.

    Free coordinates start at those of the last chains of the training. Steps pass a Metropolis
    test, and their size adapts during the first half of the steps.

    Args:
        trained: the model.
        x: the point in the user's units, (d,); its free coordinates are ignored and may be NaN.
        free: a mask of the coordinates to draw, (d,).
        n: number of chains.
        n_steps: number of Langevin steps.
        looks: number of times, evenly spaced over the steps, at which positions are returned.
        generator: source of all randomness.

    Returns:
        Points (n, looks + 1, d) in the user's units; the first is the start of each chain. Known
        coordinates are equal to those of x to the last bit.

    Raises:
        ValueError: if no coordinate is free, or shapes do not fit.
    """
    point, places = np.asarray(x, dtype=np.float64), np.asarray(free, dtype=bool)
    if point.shape != (trained.box.low.numel(),) or places.shape != point.shape:
        raise ValueError(
            f"expected a point and a mask of {trained.box.low.numel()} numbers, "
            f"got {point.shape} and {places.shape}"
        )
    if not places.any():
        raise ValueError("expected some coordinates to be free, got none")
    known = trained.scaling(np.nan_to_num(np.where(places, 0, point))[None])[0]
    mask = torch.from_numpy(places)
    box = Box(trained.box.low[mask], trained.box.high[mask])
    sampler = Langevin(
        _STEP_SIZE,
        max(1, n_steps // (2 * looks)),
        metropolis=True,
        target_acceptance=0.6,
        box=box,
        boundary="reject",
    )
    energy = given(trained.model.energy, known, mask)
    index = torch.randint(len(trained.chains), (n,), generator=generator)
    chains = evaluate(energy, box.clamp(trained.chains[index][:, mask]))
    states = [chains.x]
    for half in range(2 * looks):
        sampler.train(half < looks)
        chains = sampler.step(energy, chains, generator)
        if half % 2:
            states.append(chains.x)
    filled = np.repeat(point[None, None], n, 0).repeat(looks + 1, 1)
    for look, state in enumerate(states):
        whole = known.expand(n, -1).clone()
        whole[:, mask] = state
        filled[:, look, places] = trained.scaling.inverse(whole)[:, places]
    return filled


def interpolate(a: ArrayLike, b: ArrayLike, n: int = 9) -> NDArray[np.float64]:
    """The n points, (n, d), that are evenly spaced on the line from a to b, ends included."""
    first, last = (np.asarray(end, dtype=np.float64) for end in (a, b))
    shares = np.linspace(0, 1, n)[:, None]
    return (1 - shares) * first + shares * last
