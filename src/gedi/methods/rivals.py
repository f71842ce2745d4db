"""Methods to compare GEDI with: their losses replace INV, on two views of each point."""

from collections.abc import Callable

import torch
from torch import Tensor

from gedi.distributed import mean
from gedi.evidence import Observed
from gedi.methods.barlow_twins import barlow_twins_loss
from gedi.methods.swav import swav_loss
from gedi.model import EnergyClassifier
from gedi.objective import Terms

__all__ = ["SWAV_TEMPERATURE", "barlow_twins_terms", "swav_terms"]

SWAV_TEMPERATURE = 0.1  # between cosines and logits


def _of_two_views(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Terms]:
    """Turn a loss of the outputs (..., n, c) for two views into the term INV; see `gedi_terms`."""

    def terms(
        model: EnergyClassifier,
        x: Tensor,
        view: Tensor | None,
        negatives: Tensor | None,
        log_prior: Tensor,
        *,
        smoothed: Tensor | None = None,
        observed: Observed | None = None,
    ) -> Terms:
        if view is None:
            raise ValueError("expected a second view, got None")
        others = [] if observed is None else [observed.x]
        outputs = model(torch.cat([x, view, *others], -2))
        n = x.shape[-2]
        first, second, rest = outputs.split([n, n, outputs.shape[-2] - 2 * n], -2)
        term = -loss(first, second)
        zero = torch.zeros_like(term)
        evidence = zero if observed is None else mean(observed.log_likelihood(rest))
        return Terms(zero, term, zero, evidence)

    return terms


def _swav_loss_of_logits(logits1: Tensor, logits2: Tensor) -> Tensor:
    cosines1, cosines2 = SWAV_TEMPERATURE * logits1, SWAV_TEMPERATURE * logits2
    return swav_loss(cosines1, cosines2, SWAV_TEMPERATURE)


barlow_twins_terms = _of_two_views(barlow_twins_loss)
swav_terms = _of_two_views(_swav_loss_of_logits)
