"""The way of chains from noise to samples, for pictures."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Generator

from gedi.base import GaussianBase
from gedi.evaluation.outliers import uniform_noise
from gedi.trained import TrainedModel

__all__ = ["way_from_noise"]


def way_from_noise(
    trained: TrainedModel, n: int, rounds: Sequence[int], generator: Generator
) -> NDArray[np.float64]:
    """Positions of fresh chains on their way, and where they end without the noise of training.

    Chains start as those of the training did: at the Gaussian of the data where the energy has it
    for a base, else anywhere in the box.

    Args:
        trained: the model.
        n: number of chains.
        rounds: after how many rounds of the sampler's moves to look, ascending; 0 is the start.
        generator: source of all randomness.

    Returns:
        Positions (n, len(rounds) + 1, d) in the user's units, the last of them denoised.
    """
    base, box = trained.model.base, trained.box
    if isinstance(base, GaussianBase):
        z = box.clamp(base.sample((n,), generator))
    else:
        z = uniform_noise(box.low, box.high, n, generator)
    places, done = [], 0
    for number in rounds:
        z = trained.run_chains(trained.model.energy, z, number - done, generator)
        places.append(z)
        done = number
    places.append(trained.denoise(z))
    return np.stack([trained.scaling.inverse(place) for place in places], 1)
