"""The way of chains from noise to samples, for pictures."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Generator, Tensor

from gedi.evaluation.outliers import uniform_noise
from gedi.model.base import GaussianBase
from gedi.training.trained import TrainedModel

__all__ = ["places_from_noise", "way_from_noise"]


def way_from_noise(
    trained: TrainedModel, n: int, rounds: Sequence[int], generator: Generator
) -> NDArray[np.float64]:
    """Positions of fresh chains on their way: those of `places_from_noise` together.

    Returns:
        Positions (n, len(rounds) + 1, d) in the user's units, the last of them denoised.
    """
    return np.stack(list(places_from_noise(trained, n, rounds, generator)), 1)


def places_from_noise(
    trained: TrainedModel,
    n: int,
    rounds: Sequence[int],
    generator: Generator,
    *,
    clusters: Sequence[int] = (),
) -> Iterator[NDArray[np.float64]]:
    """Positions of fresh chains one after the other, and where they end without noise.

    Chains start as those of the training did: at the Gaussian of the data where the energy has it
    for a base, else anywhere in the box.

    Args:
        trained: the model.
        n: number of chains.
        rounds: after how many rounds of the sampler's moves to look, ascending; 0 is the start.
        generator: source of all randomness.
        clusters: of p(x | y is one of these), instead of p(x).

    Yields:
        Positions (n, d) in the user's units after each of the rounds, and denoised at the end.
    """

    def energy_of_clusters(x: Tensor) -> Tensor:
        logits: Tensor = trained.model(x)[..., list(clusters)]
        return -logits.logsumexp(-1)

    energy = energy_of_clusters if clusters else trained.model.energy
    base, box = trained.model.base, trained.box
    if isinstance(base, GaussianBase):
        z = box.clamp(base.sample((n,), generator))
    else:
        z = uniform_noise(box.low, box.high, n, generator)
    done = 0
    for number in rounds:
        z = trained.run_chains(energy, z, number - done, generator)
        yield trained.scaling.inverse(z)
        done = number
    yield trained.scaling.inverse(trained.denoise(z))
