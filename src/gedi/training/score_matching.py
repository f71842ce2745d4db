"""A start for the energy by denoising score matching, before any chain has moved.

Chains under an energy that knows nothing have a long way to the data, and the energy learns from
them only as fast as they go. Score matching needs no chains: the slope of the energy at a noisy
point is to lead back to where it came from. It takes GEN's place beside INV and PRIOR: alone it
would settle the energy first, and clusters then cut across what the energy holds together.
"""

import time

import torch
from torch import Generator, Tensor

from gedi.data.points import Points
from gedi.distributed import most
from gedi.model import EnergyClassifier
from gedi.training.algorithm import Algorithm, TrainingState

__all__ = ["denoising_loss", "match_scores"]

_WIDTH = 0.1  # σ, in units of the scaled data
_LEARNING_RATE = 2e-3
_MOST_TIME = 0.2  # of a training whose time is limited


def denoising_loss(model: EnergyClassifier, x: Tensor, noise: Tensor, width: float) -> Tensor:
    """E |σ ∇E(x + σ ξ) - ξ|², least where exp(-E) is the density of the noisy points, (...).

    Source: Vincent, Neural Computation 2011.

    Args:
        model: with the energy E.
        x: points, (..., n, d).
        noise: ξ ~ N(0, I), (..., n, d).
        width: σ.
    """
    noisy = (x + width * noise).requires_grad_(True)
    (slope,) = torch.autograd.grad(model.energy(noisy).sum(), noisy, create_graph=True)
    return (width * slope - noise).square().sum(-1).mean(-1)


def match_scores(
    state: TrainingState,
    data: Tensor | Points,
    algorithm: Algorithm,
    *,
    n_steps: int,
    seed: int,
    in_place: bool = True,
) -> None:
    """Fit a fresh state, all of its members, by so many steps of Adam.

    Args:
        state: whose networks, and their average, are changed; its time runs.
        data: points, (n, d).
        algorithm: with views, terms, and their weights at the first iteration.
        n_steps: how many; fewer where the time of the training is limited.
        seed: of the points and their noise; of several processes all do the same.
        in_place: whether points have the places that views know them by.
    """
    device, shape = data.device, (*state.members, algorithm.batch_size)
    generator = Generator(device).manual_seed(seed)
    optimizer = torch.optim.Adam(state.model.parameters(), lr=_LEARNING_RATE, fused=True)
    weights = algorithm.weights_at(state)._replace(gen=0.0)
    for _ in range(n_steps):
        if algorithm.progress(state) > _MOST_TIME:
            break
        start = time.perf_counter()
        index = torch.randint(len(data), shape, device=device, generator=generator)
        x = data[index]
        noise = torch.randn(x.shape, dtype=x.dtype, device=device, generator=generator)
        view = None
        if algorithm.weights.inv != 0:
            view = algorithm.view(
                x,
                posterior=state.model.posterior,
                generator=generator,
                index=index if in_place else None,
            )
        terms = algorithm.method.terms(state.model, x, view, None, state.log_prior)
        optimizer.zero_grad(set_to_none=True)
        energies = denoising_loss(state.model, x, noise, _WIDTH).sum()
        torch.autograd.backward(energies + terms.loss(weights))
        optimizer.step()
        state.seconds = most(state.seconds + time.perf_counter() - start)
    optimizer.zero_grad(set_to_none=True)
    state.average.load_state_dict(state.model.state_dict())
