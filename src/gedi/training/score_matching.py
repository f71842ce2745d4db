"""Denoising score matching, which gives the energy a start before any chain moves.

Under an untrained energy, chains have a long way to the data, and the energy learns from them only
as fast as they move. Score matching needs no chains: the slope of the energy at a noisy point
should lead back to the clean point. It replaces GEN and runs together with INV and PRIOR: alone it
would fix the energy first, and clusters would then cut across its dense regions.
"""

import time

import torch
from torch import Generator, Tensor

from gedi.adam import Adam
from gedi.data.points import Points
from gedi.distributed import most
from gedi.model import EnergyClassifier
from gedi.training.algorithm import Algorithm, TrainingState

__all__ = ["denoising_loss", "match_scores"]

_WIDTH = 0.1  # σ, in units of the scaled data
_LEARNING_RATE = 2e-3
_MOST_TIME = 0.2  # the largest share of a training whose time is limited


def denoising_loss(model: EnergyClassifier, x: Tensor, noise: Tensor, width: float) -> Tensor:
    """The loss E |σ ∇E(x + σ ξ) - ξ|² of denoising score matching, (...).

    It is least if exp(-E) is the density of the noisy points (Vincent, Neural Computation 2011).

    Args:
        model: the model with the energy E.
        x: points, (..., n, d), scaled.
        noise: ξ ~ N(0, I), (..., n, d).
        width: σ, in units of the scaled data.
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
    """Fit all members of a fresh state by steps of Adam.

    Args:
        state: the state; its networks, their average and its time are changed.
        data: points, (n, d), scaled.
        algorithm: the views, the terms, and their weights at the first iteration.
        n_steps: the number of steps; fewer are taken if the time of the training is limited.
        seed: the seed of the points and their noise, the same in all processes.
        in_place: whether the points have the places that the views refer to.
    """
    device, shape = data.device, (*state.members, algorithm.batch_size)
    generator = Generator(device).manual_seed(seed)
    optimizer = Adam(state.model.parameters(), lr=_LEARNING_RATE, fused=True)
    weights = algorithm.weights_at(state)._replace(gen=0.0)
    rows = algorithm.rows
    n = len(data) if rows is None else len(rows)
    for _ in range(n_steps):
        if algorithm.progress(state) > _MOST_TIME:
            break
        start = time.perf_counter()
        index = torch.randint(n, shape, device=device, generator=generator)
        index = index if rows is None else rows[index]
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
