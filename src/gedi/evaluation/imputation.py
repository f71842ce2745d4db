"""Points that a model completes: parts of images, gaps in rows, and lines between points."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Generator, Tensor

from gedi.model.base import GaussianBase
from gedi.model.box import Box
from gedi.sampling import Energy, Langevin
from gedi.sampling.chains import evaluate
from gedi.sampling.conditional import given
from gedi.sampling.crank_nicolson import crank_nicolson
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
    """Draw some coordinates of a point from p(x_free | x_known), with the others fixed.

    Above a Gaussian base, free coordinates start at draws of the Gaussian given the known ones, and
    take moves that leave it as it is (`gedi.sampling.crank_nicolson`). Otherwise they start at
    those of the last chains of the training, and take Langevin steps. Both pass a Metropolis test,
    and their size adapts during the first half of the steps. The last positions are without the
    noise that the training adds.

    Args:
        trained: the model.
        x: the point in the user's units, (d,); its free coordinates are ignored and may be NaN.
        free: a mask of the coordinates to draw, (d,).
        n: number of chains.
        n_steps: number of steps.
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
    energy = given(trained.model.energy, known, mask)
    times = _Looks(looks, max(1, n_steps // (2 * looks)), generator)
    base = trained.model.base
    if isinstance(base, GaussianBase):
        states = _above_gaussian(energy, base.given(known, mask), box, n, times)
    else:
        index = torch.randint(len(trained.chains), (n,), generator=generator)
        start = box.clamp(trained.chains[index][:, mask])
        states = _by_langevin(energy, start, box, times)
    filled = np.repeat(point[None, None], n, 0).repeat(looks + 1, 1)
    for look, state in enumerate(states):
        whole = known.expand(n, -1).clone()
        whole[:, mask] = state
        if look == looks:
            whole = trained.denoise(whole)
        filled[:, look, places] = trained.scaling.inverse(whole)[:, places]
    return filled


@dataclass(frozen=True)
class _Looks:
    """How often positions are looked at, and the number of steps between half of these times."""

    n: int
    steps: int
    generator: Generator


def _above_gaussian(
    energy: Energy, gaussian: GaussianBase, box: Box, n: int, looks: _Looks
) -> list[Tensor]:
    """Positions (n, k) of chains from draws of a Gaussian, at the start and after equal times."""

    def log_factor(x: Tensor) -> Tensor:
        return torch.where(box.contains(x), -energy(x) - gaussian(x), -torch.inf)

    x = box.clamp(gaussian.sample((n,), looks.generator))
    length = x.new_ones(())
    states = [x]
    for half in range(2 * looks.n):
        x, length = crank_nicolson(
            log_factor,
            gaussian,
            x,
            looks.steps,
            looks.generator,
            length=length,
            adapts=half < looks.n,
        )
        if half % 2:
            states.append(x)
    return states


def _by_langevin(energy: Energy, start: Tensor, box: Box, looks: _Looks) -> list[Tensor]:
    """Positions (n, k) of chains from a start (n, k), there and after equal times."""
    sampler = Langevin(
        _STEP_SIZE, looks.steps, metropolis=True, target_acceptance=0.6, box=box, boundary="reject"
    )
    chains = evaluate(energy, start)
    states = [chains.x]
    for half in range(2 * looks.n):
        sampler.train(half < looks.n)
        chains = sampler.step(energy, chains, looks.generator)
        if half % 2:
            states.append(chains.x)
    return states


def interpolate(a: ArrayLike, b: ArrayLike, n: int = 9) -> NDArray[np.float64]:
    """The n points, (n, d), that are evenly spaced on the line from a to b, ends included."""
    first, last = (np.asarray(end, dtype=np.float64) for end in (a, b))
    shares = np.linspace(0, 1, n)[:, None]
    return (1 - shares) * first + shares * last
