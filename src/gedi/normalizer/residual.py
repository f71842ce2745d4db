"""log Z of a network on a normalised base, by draws of the base."""

import math

import torch
from torch import Generator, Tensor

from gedi.model import EnergyClassifier, ResidualClassifier, energy_of_logits
from gedi.normalizer.estimate import LogNormalizer

__all__ = ["held_out_gain", "likeliest_gain", "residual_log_normalizer", "residuals_of_draws"]

_CHUNK = 4096  # points at a time
_GAINS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)


@torch.no_grad()
def residuals_of_draws(model: ResidualClassifier, n_draws: int, generator: Generator) -> Tensor:
    """What the network adds to the base at draws of it, r = -E - log q, (n_draws,), float64."""
    return _residual(model, model.draws_of_base(n_draws, generator))


def residual_log_normalizer(residuals: Tensor) -> LogNormalizer:
    """Log Z of a network on a normalised base q, over all space: Z = E_q[ exp r(x) ].

    Where r, what the network adds to the base, is little, so is the error.

    Args:
        residuals: r at draws of the base, (m,); see `residuals_of_draws`.
    """
    n_draws = len(residuals)
    log_sum = torch.logsumexp(residuals, 0)
    ess = float(1 / (residuals - log_sum).exp().square().sum())
    value = float(log_sum) - math.log(n_draws)
    return LogNormalizer(value, math.sqrt(max(0.0, 1 / ess - 1 / n_draws)), ess, "base")


@torch.no_grad()
def likeliest_gain(model: ResidualClassifier, held_out: Tensor, drawn: Tensor) -> float:
    """The factor s of the residual r under which points that were not trained on are likeliest.

    The gain in log-density is mean s r(x) - log E_q[ exp(s r) ]. It has to exceed one standard
    error, or the base stays as it is.

    Args:
        model: a single network with a base, and a gain of 1.
        held_out: the points, (m, d).
        drawn: r at draws of the base, (n,).
    """
    if len(held_out) < 2:
        return 0.0
    seen = _residual(model, held_out)
    gains = [
        s * seen.mean()
        - (torch.logsumexp(s * drawn, 0) - math.log(len(drawn)))
        - s * seen.std() / math.sqrt(len(seen))
        for s in _GAINS
    ]
    return _GAINS[int(torch.stack(gains).argmax())]


@torch.no_grad()
def held_out_gain(model: EnergyClassifier, held_out: Tensor, draws: Tensor) -> float:
    """What the network adds to the base's mean log-density of held-out points, in nats.

        mean r(x) - log E_q[ exp r ]

    Args:
        model: a single network with a base.
        held_out: points that it was not trained on, (m, d).
        draws: draws of the base q, (n, d).
    """
    drawn = _residual(model, draws)
    log_z = torch.logsumexp(drawn, 0) - math.log(len(drawn))
    return float(_residual(model, held_out).mean() - log_z)


def _residual(model: EnergyClassifier, x: Tensor) -> Tensor:
    """R of points (n, d), (n,), float64."""
    parts = [-energy_of_logits(model(part, with_base=False)) for part in torch.split(x, _CHUNK)]
    return torch.cat(parts).double()
