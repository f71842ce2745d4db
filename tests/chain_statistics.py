"""What tells whether chains have the right law; used by several tests."""

import math

import torch
from torch import Tensor


def split_r_hat(draws: Tensor) -> float:
    """Split R-hat of draws (steps, chains, d), the worst over d (Gelman et al., BDA3, 11.4)."""
    half = len(draws) // 2
    halves = torch.cat([draws[:half], draws[half : 2 * half]], dim=1).double()
    within = halves.var(0).mean(0)
    between = half * halves.mean(0).var(0)
    return float(((half - 1) / half + between / (half * within)).sqrt().max())


def effective_sample_size(draws: Tensor) -> float:
    """Of draws (steps, chains, d), the least over d, by the variance of the chains' means."""
    values = draws.double()
    each = values.mean(0)
    return float((values.flatten(0, 1).var(0) * values.shape[1] / each.var(0)).min())


def within(value: float, expected: float, standard_error: float, n_errors: float = 4.0) -> bool:
    """Whether an estimate lies within some standard errors of what it should be."""
    return math.fabs(value - expected) <= n_errors * standard_error
