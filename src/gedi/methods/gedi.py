"""GEDI's three terms for one batch; JEM and GEDI no gen are the same with weights of zero."""

import torch
from torch import Tensor

from gedi.model import EnergyClassifier, energy_of_logits
from gedi.objective import Terms, contrast, invariance, prior_agreement

__all__ = ["gedi_terms"]


def gedi_terms(
    model: EnergyClassifier,
    x: Tensor,
    view: Tensor | None,
    negatives: Tensor | None,
    log_prior: Tensor,
) -> Terms:
    """GEN, INV and PRIOR of one batch, from a single pass through the network.

    Args:
        model: the network, or anything that maps (..., d) to logits (..., c).
        x: data, (..., n, d).
        view: a view of each x, (..., n, d); None leaves INV at zero.
        negatives: samples from the model, (..., m, d); None leaves GEN at zero.
        log_prior: log π, (c,).
    """
    parts = [part for part in (x, view, negatives) if part is not None]
    sizes = [part.shape[-2] for part in parts]
    outputs = iter(model(torch.cat(parts, -2)).split(sizes, -2))
    logits = next(outputs)
    prior = prior_agreement(logits, log_prior)
    inv = torch.zeros_like(prior) if view is None else invariance(logits, next(outputs))
    if negatives is None:
        return Terms(torch.zeros_like(prior), inv, prior)
    gen = contrast(energy_of_logits(logits), energy_of_logits(next(outputs)))
    return Terms(gen, inv, prior)
