"""The terms of GEDI for one batch; JEM and GEDI no gen are special cases with zero weights."""

import torch
from torch import Tensor

from gedi.distributed import means
from gedi.evidence import Observed
from gedi.model import EnergyClassifier, energy_of_logits
from gedi.objective import Terms, contrast, invariance, noise_contrast, prior_agreement

__all__ = ["gedi_terms"]


def gedi_terms(
    model: EnergyClassifier,
    x: Tensor,
    view: Tensor | None,
    negatives: Tensor | None,
    log_prior: Tensor,
    *,
    smoothed: Tensor | None = None,
    observed: Observed | None = None,
    draws_of_base: bool = False,
    normalized: bool = False,
) -> Terms:
    """GEN, INV, PRIOR and EVIDENCE of one batch, from a single pass through the network.

    If the batch is shared by several processes, the terms are those of the whole batch.

    INV uses p(y|x) as the target and p(y|x') as the prediction. Both orders give a bound on the
    likelihood. This one works with views that are chosen to change the prediction most, because the
    prediction at x is the more reliable one.

    Args:
        model: the network, or any function from points (..., d) to logits (..., c).
        x: the data, (..., n, d).
        view: a view of each point, (..., n, d); if None, INV is zero.
        negatives: samples from the model, or draws of its base, (..., m, d); if None, GEN is zero.
        log_prior: log π, (c,).
        smoothed: the data with noise, for GEN, (..., n, d); None is x itself.
        observed: inputs about which something is known; if None, EVIDENCE is zero.
        draws_of_base: whether the negatives are draws of the base. GEN is then their contrast with
            the data, see `gedi.objective.noise_contrast`.
        normalized: whether the network is normalised over its base. GEN is then the log-likelihood
            of the data minus that under the base, and needs no negatives.

    Returns:
        The terms in nats, (...).
    """
    parts = {
        "x": x,
        "view": view,
        "negatives": negatives,
        "smoothed": smoothed,
        "observed": None if observed is None else observed.x,
    }
    given = {name: part for name, part in parts.items() if part is not None}
    together = torch.cat(list(given.values()), -2)
    # Posteriors do not depend on the base, and neither do a contrast with its draws and a gain.
    relative = draws_of_base or normalized
    outputs = model(together, with_base=False) if relative else model(together)
    sizes = [part.shape[-2] for part in given.values()]
    logits = dict(zip(given, outputs.split(sizes, -2), strict=True))
    prior = prior_agreement(logits["x"], log_prior)
    zero = torch.zeros_like(prior)
    inv = zero if view is None else invariance(logits["view"], logits["x"])
    evidence = zero if observed is None else observed.log_likelihood(logits["observed"])
    if negatives is None and not normalized:
        inv, evidence = means(inv, evidence)
        return Terms(zero, inv, prior, evidence)
    energies = energy_of_logits(logits["x" if smoothed is None else "smoothed"])
    if normalized:
        gen = -energies.mean(-1)
    elif draws_of_base:
        gen = noise_contrast(-energies, -energy_of_logits(logits["negatives"]))
    else:
        gen = contrast(energies, energy_of_logits(logits["negatives"]))
    gen, inv, evidence, energy = means(gen, inv, evidence, energies.detach().mean(-1))
    return Terms(gen, inv, prior, evidence, energy)
