"""A start for the energy by denoising score matching, before any chain has moved.

Chains under an energy that knows nothing have a long way to the data, and the energy learns from
them only as fast as they go. Score matching needs no chains: the slope of the energy at a noisy
point is to lead back to where it came from.
"""

import time

import torch
from torch import Generator, Tensor

from gedi.model import EnergyClassifier
from gedi.points import Points
from gedi.training import TrainingState

__all__ = ["denoising_loss", "match_scores"]

_WIDTH = 0.1  # σ, in units of the scaled data
_LEARNING_RATE = 2e-3


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
    state: TrainingState, data: Tensor | Points, *, n_steps: int, batch_size: int, seed: int
) -> None:
    """Fit the energy of a fresh state, of all its members, by so many steps of Adam.

    Args:
        state: whose networks, and their average, are changed; its time runs.
        data: points, (n, d).
        n_steps: how many.
        batch_size: points in each.
        seed: of the points and their noise; of several processes all do the same.
    """
    start = time.perf_counter()
    device = data.device
    generator = Generator(device).manual_seed(seed)
    optimizer = torch.optim.Adam(state.model.parameters(), lr=_LEARNING_RATE, fused=True)
    shape = (*state.members, batch_size)
    for _ in range(n_steps):
        x = data[torch.randint(len(data), shape, device=device, generator=generator)]
        noise = torch.randn(x.shape, dtype=x.dtype, device=device, generator=generator)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(denoising_loss(state.model, x, noise, _WIDTH).sum())
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    state.average.load_state_dict(state.model.state_dict())
    state.seconds += time.perf_counter() - start
