"""log Z of a network on a normalised base, by draws of the base."""

import math

import torch

from gedi.model import EnergyClassifier, energy_of_logits
from gedi.normalizer.estimate import LogNormalizer

__all__ = ["residual_log_normalizer"]

_CHUNK = 4096  # draws at a time


@torch.no_grad()
def residual_log_normalizer(
    model: EnergyClassifier, *, n_draws: int = 20_000, generator: torch.Generator
) -> LogNormalizer:
    """Log Z of a network on a normalised base q, over all space: Z = E_q[ exp r(x) ].

    r = -E - log q is what the network adds to the base. Where that is little, so is the error.

    Args:
        model: a single network with a base that can be sampled.
        n_draws: draws of the base.
        generator: draws them.
    """
    draws = model.base.sample((n_draws,), generator)  # type: ignore[union-attr, operator]
    parts = [-energy_of_logits(model(x, with_base=False)) for x in torch.split(draws, _CHUNK)]
    residual = torch.cat(parts).double()
    log_sum = torch.logsumexp(residual, 0)
    weights = (residual - log_sum).exp()
    ess = float(1 / weights.square().sum())
    value = float(log_sum) - math.log(n_draws)
    return LogNormalizer(value, math.sqrt(max(0.0, 1 / ess - 1 / n_draws)), ess, "base")
