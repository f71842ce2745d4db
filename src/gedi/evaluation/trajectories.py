"""The positions of chains on their way from noise to samples."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Generator, Tensor

from gedi.evaluation.outliers import uniform_noise
from gedi.model.base import GaussianBase
from gedi.training.trained import TrainedModel

__all__ = ["positions_from_noise", "trajectories_from_noise"]


def trajectories_from_noise(
    trained: TrainedModel, n: int, rounds: Sequence[int], generator: Generator
) -> NDArray[np.float64]:
    """All positions of `positions_from_noise` in one array.

    Returns:
        Positions (n, len(rounds) + 1, d) in the user's units; the last one is denoised.
    """
    return np.stack(list(positions_from_noise(trained, n, rounds, generator)), 1)


def positions_from_noise(
    trained: TrainedModel,
    n: int,
    rounds: Sequence[int],
    generator: Generator,
    *,
    clusters: Sequence[int] = (),
) -> Iterator[NDArray[np.float64]]:
    """Positions of fresh chains after some rounds of moves, and their denoised end.

    Chains start where those of the training did: at draws of the Gaussian under the energy if the
    model has one, otherwise uniformly in the box.

    Args:
        trained: the model.
        n: number of chains.
        rounds: numbers of rounds of the sampler's moves after which positions are returned,
            ascending; 0 is the start.
        generator: source of all randomness.
        clusters: sample from p(x | y is one of these) instead of p(x).

    Yields:
        Positions (n, d) in the user's units: one array for each entry of `rounds`, and one for the
        denoised end.
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
