"""Rivals of GEDI with its trainer: their losses in place of INV, on two views of each point."""

import torch
from torch import Tensor

from gedi.evidence import Observed
from gedi.methods.barlow_twins import barlow_twins_loss
from gedi.methods.swav import swav_loss
from gedi.model import EnergyClassifier
from gedi.objective import Terms

__all__ = ["SWAV_TEMPERATURE", "barlow_twins_terms", "swav_terms"]

SWAV_TEMPERATURE = 0.1  # between cosines and logits


def barlow_twins_terms(
    model: EnergyClassifier,
    x: Tensor,
    view: Tensor | None,
    negatives: Tensor | None,
    log_prior: Tensor,
    *,
    smoothed: Tensor | None = None,
    observed: Observed | None = None,
) -> Terms:
    """Barlow Twins as the term INV, on what the head makes of two views; see `gedi_terms`."""
    first, second = _outputs(model, x, view)
    return _alone(-barlow_twins_loss(first, second))


def swav_terms(
    model: EnergyClassifier,
    x: Tensor,
    view: Tensor | None,
    negatives: Tensor | None,
    log_prior: Tensor,
    *,
    smoothed: Tensor | None = None,
    observed: Observed | None = None,
) -> Terms:
    """SwAV as the term INV; logits are cosines over its temperature; see `gedi_terms`."""
    first, second = (SWAV_TEMPERATURE * logits for logits in _outputs(model, x, view))
    return _alone(-swav_loss(first, second, SWAV_TEMPERATURE))


def _outputs(model: EnergyClassifier, x: Tensor, view: Tensor | None) -> tuple[Tensor, Tensor]:
    """Outputs for both views from a single pass."""
    if view is None:
        raise ValueError("expected a second view, got None")
    first, second = model(torch.cat([x, view], -2)).chunk(2, -2)
    return first, second


def _alone(term: Tensor) -> Terms:
    zero = torch.zeros_like(term)
    return Terms(zero, term, zero, zero)
