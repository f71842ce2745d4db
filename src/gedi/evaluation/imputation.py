"""Points that a model completes: parts of images, gaps in rows, and lines between points."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Generator, Tensor

from gedi.model.box import Box
from gedi.sampling import Langevin
from gedi.sampling.chains import evaluate
from gedi.sampling.conditional import given
from gedi.training.trained import TrainedModel

__all__ = ["fill_in", "impute", "interpolate"]

_STEP_SIZE = 1e-3  # the initial value, which adapts
_STARTS = 256  # states of chains among which the missing values of a row start
_NUMBERS = 2**22  # in the candidates that are looked at together


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


@torch.no_grad()
def impute(
    trained: TrainedModel,
    x: ArrayLike,
    *,
    n_draws: int = 20,
    n_steps: int = 200,
    generator: Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fill in missing values by their mean under p(x_missing | x_known), with an error.

    Each draw starts at the missing values of a state of the last chains of the training, chosen
    with probabilities proportional to p(x_known, x_missing), and goes on by Langevin steps that
    pass a Metropolis test.

    Args:
        trained: the model.
        x: points in the user's units, (n, d); NaN where a value is missing.
        n_draws: draws for each row.
        n_steps: Langevin steps of each draw.
        generator: source of all randomness.

    Returns:
        The points with missing values replaced by the mean of the draws, (n, d), and the standard
        deviation of the draws, (n, d), zero where values are known.
    """
    filled = np.array(x, dtype=np.float64)
    missing = np.isnan(filled)
    error = np.zeros_like(filled)
    rows = np.flatnonzero(missing.any(1))
    index = torch.randperm(len(trained.chains), generator=generator)[:_STARTS]
    starts = trained.chains[index]
    step = max(1, _NUMBERS // (max(len(starts), n_draws) * filled.shape[1]))
    for first in range(0, len(rows), step):
        part = rows[first : first + step]
        free = torch.from_numpy(missing[part])
        known = trained.scaling(np.nan_to_num(filled[part])).to(starts)
        z = _draws(
            trained,
            known,
            free.to(starts.device),
            starts,
            n_draws=n_draws,
            n_steps=n_steps,
            generator=generator,
        )
        drawn = trained.scaling.inverse(z.flatten(0, 1)).reshape(*z.shape)
        filled[part] = np.where(missing[part], drawn.mean(1), filled[part])
        error[part] = np.where(missing[part], drawn.std(1), 0.0)
    return filled, error


def _draws(
    trained: TrainedModel,
    known: Tensor,
    free: Tensor,
    starts: Tensor,
    *,
    n_draws: int,
    n_steps: int,
    generator: Generator,
) -> Tensor:
    """Draws of the free coordinates of scaled rows (n, d), whole, (n, n_draws, d)."""

    def whole(z: Tensor) -> Tensor:
        """Points (n, m, d) with the known coordinates of their row."""
        return torch.where(free[:, None], z, known[:, None])

    def energy(z: Tensor) -> Tensor:
        rows = whole(z.reshape(len(known), -1, z.shape[-1])).flatten(0, 1)
        found: Tensor = trained.model.energy(rows)
        return found

    candidates = starts.expand(len(known), -1, -1)
    weights = (-energy(candidates.flatten(0, 1))).reshape(len(known), -1).softmax(1)
    chosen = torch.multinomial(weights.cpu(), n_draws, replacement=True, generator=generator)
    sampler = Langevin(
        _STEP_SIZE, n_steps // 2, metropolis=True, target_acceptance=0.6, box=trained.box
    )
    # Known coordinates wander as well, which changes nothing.
    chains = evaluate(energy, trained.box.clamp(starts[chosen].flatten(0, 1)))
    for adapts in (True, False):
        sampler.train(adapts)
        chains = sampler.step(energy, chains, generator)
    return whole(chains.x.reshape(len(known), n_draws, -1))


def interpolate(a: ArrayLike, b: ArrayLike, n: int = 9) -> NDArray[np.float64]:
    """The n points, (n, d), that are evenly spaced on the line from a to b, ends included."""
    first, last = (np.asarray(end, dtype=np.float64) for end in (a, b))
    shares = np.linspace(0, 1, n)[:, None]
    return (1 - shares) * first + shares * last
