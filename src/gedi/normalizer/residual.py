"""log Z of a network on a normalised base, by draws of the base."""

import math

import torch
from torch import Generator, Tensor

from gedi.model import EnergyClassifier, ResidualClassifier, energy_of_logits
from gedi.normalizer.estimate import LogNormalizer

__all__ = ["likeliest_gain", "residual_log_normalizer"]

_CHUNK = 4096  # points at a time
_GAINS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)


@torch.no_grad()
def residual_log_normalizer(
    model: EnergyClassifier, *, n_draws: int = 20_000, generator: Generator
) -> LogNormalizer:
    """Log Z of a network on a normalised base q, over all space: Z = E_q[ exp r(x) ].

    r = -E - log q is what the network adds to the base. Where that is little, so is the error.

    Args:
        model: a single network with a base that can be sampled.
        n_draws: draws of the base.
        generator: draws them.
    """
    residual = _residual(model, _draws(model, n_draws, generator))
    log_sum = torch.logsumexp(residual, 0)
    ess = float(1 / (residual - log_sum).exp().square().sum())
    value = float(log_sum) - math.log(n_draws)
    return LogNormalizer(value, math.sqrt(max(0.0, 1 / ess - 1 / n_draws)), ess, "base")


@torch.no_grad()
def likeliest_gain(
    model: ResidualClassifier, held_out: Tensor, generator: Generator, *, n_draws: int = 20_000
) -> float:
    """The factor s of the residual r under which points that were not trained on are likeliest.

    The gain in log-density is mean s r(x) - log E_q[ exp(s r) ]. It has to exceed one standard
    error, or the base stays as it is.

    Args:
        model: a single network with a base, and a gain of 1.
        held_out: the points, (m, d).
        generator: draws from the base.
        n_draws: draws of the base.
    """
    if len(held_out) < 2:
        return 0.0
    seen, drawn = _residual(model, held_out), _residual(model, _draws(model, n_draws, generator))
    gains = [
        s * seen.mean()
        - (torch.logsumexp(s * drawn, 0) - math.log(n_draws))
        - s * seen.std() / math.sqrt(len(seen))
        for s in _GAINS
    ]
    return _GAINS[int(torch.stack(gains).argmax())]


def _draws(model: EnergyClassifier, n: int, generator: Generator) -> Tensor:
    draws: Tensor = model.base.sample((n,), generator)  # type: ignore[union-attr, operator]
    return draws


def _residual(model: EnergyClassifier, x: Tensor) -> Tensor:
    """R of points (n, d), (n,), float64."""
    parts = [-energy_of_logits(model(part, with_base=False)) for part in torch.split(x, _CHUNK)]
    return torch.cat(parts).double()
