"""What a model makes up: parts of images, gaps of rows, ways between points."""

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

_STEP_SIZE = 1e-3  # to begin with


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
    """Draw some coordinates of a point from p(x_free | x_known), by Langevin with the others fixed.

    Free coordinates start as those of the chains that the training ended with. Steps are tested by
    Metropolis; their size adapts over the first half.

    Args:
        trained: the model.
        x: the point, in the user's units, (d,); what is free in it is not looked at.
        free: which coordinates to draw, (d,).
        n: chains.
        n_steps: Langevin steps.
        looks: after how many equal shares of the steps to look.
        generator: source of all randomness.

    Returns:
        Points (n, looks + 1, d) in the user's units, the first of them where chains started. What
        is known in them is x to the last bit.

    Raises:
        ValueError: where nothing is free, or shapes do not fit.
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
    index = torch.randint(len(trained.chains), (n,), generator=generator)
    chains = evaluate(
        given(trained.model.energy, known, mask), box.clamp(trained.chains[index][:, mask])
    )
    energy = given(trained.model.energy, known, mask)
    states = [chains.x]
    for half in range(2 * looks):
        sampler.train(half < looks)
        chains = sampler.step(energy, chains, generator)
        if half % 2:
            states.append(chains.x)
    found = np.repeat(point[None, None], n, 0).repeat(looks + 1, 1)
    for look, state in enumerate(states):
        whole = known.expand(n, -1).clone()
        whole[:, mask] = state
        found[:, look, places] = trained.scaling.inverse(whole)[:, places]
    return found


def interpolate(a: ArrayLike, b: ArrayLike, n: int = 9) -> NDArray[np.float64]:
    """Points on the straight line from a to b, (d,) each, both ends among them: (n, d)."""
    first, last = (np.asarray(end, dtype=np.float64) for end in (a, b))
    shares = np.linspace(0, 1, n)[:, None]
    return (1 - shares) * first + shares * last
