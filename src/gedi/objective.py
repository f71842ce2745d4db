"""The three terms of the bound, their weights, and the collapse gap.

Every function reduces the trailing two dimensions (points, clusters) or the last one (points)
and keeps whatever comes before, so several models can be trained in one computation.
All values are in nats per data point. Source: Sansone & Manhaeve, TMLR 2025.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid

from gedi.distributed import log_mean_exp

__all__ = [
    "Terms",
    "Weights",
    "balance_threshold",
    "collapse_gap",
    "contrast",
    "entropy",
    "invariance",
    "log_marginal",
    "noise_contrast",
    "prior_agreement",
    "restrained",
    "uniform_log_prior",
]


def uniform_log_prior(n_clusters: int) -> Tensor:
    """Log π of the uniform prior, shape (c,)."""
    return torch.full((n_clusters,), -math.log(n_clusters))


def entropy(log_prior: Tensor) -> Tensor:
    """H(π) = -Σ_y π_y log π_y of a prior given by its logarithm (..., c); zero entries allowed."""
    prior = log_prior.exp()
    negative: Tensor = torch.special.xlogy(prior, prior).sum(-1)
    return -negative


def contrast(energy_data: Tensor, energy_samples: Tensor) -> Tensor:
    """The contrast E_θ[E(x)] - E_data[E(x)], whose gradient is that of GEN = E_data[log p_θ(x)].

    ∇GEN = E_{x~p_θ}[∇E(x)] - E_{x~data}[∇E(x)]. The value itself is no likelihood: at the optimum
    it is zero.

    Args:
        energy_data: energies of data, (..., n).
        energy_samples: energies of samples from the model, held fixed, (..., m).
    """
    return energy_samples.mean(-1) - energy_data.mean(-1)


def noise_contrast(residual_data: Tensor, residual_draws: Tensor) -> Tensor:
    """GEN without chains: how well the residual tells data from draws of a known density.

    With q the density of the draws, p = q exp(r) that of the model and ν draws for each point,

        E_data[ log σ(r(x) - log ν) ] + ν E_q[ log σ(log ν - r(x)) ]

    in nats. It is largest where p is the density of the data, with Z = 1: the constant of r is
    learned along. For large ν its gradient is that of E_data[ log p(x) ].

    Source: Gutmann & Hyvärinen, JMLR 2012, https://jmlr.org/papers/v13/gutmann12a.html.

    Args:
        residual_data: r of data, (..., n).
        residual_draws: r of draws from q, (..., m), where ν = m / n.
    """
    ratio = residual_draws.shape[-1] / residual_data.shape[-1]
    log_ratio = math.log(ratio)
    data = logsigmoid(residual_data - log_ratio).mean(-1)
    return data + ratio * logsigmoid(log_ratio - residual_draws).mean(-1)


def restrained(contrast: Tensor, limit: float | Tensor) -> Tensor:
    """C - C² / 2L for a contrast C: its pull falls as C grows, ends at L, and turns back beyond.

    Where chains cannot follow, GEN lowers the energy of the data and raises that of the chains
    without end. A penalty on the energies would stop that and bias the density; this one is zero
    where the density is right, as C is zero there.

    Args:
        contrast: C in nats, (...).
        limit: L in nats.
    """
    return contrast - contrast.square() / (2 * limit)


def invariance(logits: Tensor, view_logits: Tensor) -> Tensor:
    """INV = -mean_j CE(p(y|x'_j), p(y|x_j)) <= 0, with gradients through both arguments.

    Args:
        logits: f(x), (..., n, c).
        view_logits: f(x') of a view of each x, (..., n, c).
    """
    target = log_softmax(view_logits, -1).exp()
    return (target * log_softmax(logits, -1)).sum(-1).mean(-1)


def log_marginal(logits: Tensor) -> Tensor:
    """Log of the mean posterior, log (1/n) Σ_j p(y|x_j), (..., n, c) -> (..., c).

    The mean is over the points of all processes. In log space throughout, so that an empty cluster
    costs a large number, never an infinite one.
    """
    own = torch.logsumexp(log_softmax(logits, -1), -2) - math.log(logits.shape[-2])
    return log_mean_exp(own)


def prior_agreement(logits: Tensor, log_prior: Tensor) -> Tensor:
    """PRIOR = -CE(π, mean_j p(y|x_j)) <= -H(π).

    Args:
        logits: f(x), (..., n, c).
        log_prior: log π, (c,).
    """
    return (log_prior.exp() * log_marginal(logits)).sum(-1)


def collapse_gap(inv: Tensor, prior: Tensor, log_prior: Tensor) -> Tensor:
    """The collapse gap -INV + (-H(π) - PRIOR) >= 0.

    Zero only for one-hot, view-consistent assignments that fill the clusters as π says. Needs no
    labels. Comparable only at equal views and clusters, and on many points: n points leave about
    (c - 1) / 2n even when every assignment is right.
    """
    return -inv - entropy(log_prior) - prior


class Weights(NamedTuple):
    """How much each term counts: w_gen GEN + w_inv INV + w_prior PRIOR + w_evidence EVIDENCE.

    `inv = prior = 0` is JEM without labels, `gen = 0` is GEDI no gen. The entries may be tensors,
    one value for each model that is trained in the same computation.

    Attributes:
        gen: w_gen, weight of the log-likelihood.
        inv: w_inv, weight of the agreement between views.
        prior: w_prior, weight of the balance of the clusters.
        evidence: w_evidence, weight of what is known of some inputs, such as labels.
        max_contrast: where GEN's pull ends, see `restrained`; None for nowhere.
    """

    gen: float | Tensor = 1.0
    inv: float | Tensor = 1.0
    prior: float | Tensor = 1.0
    evidence: float | Tensor = 1.0
    max_contrast: float | Tensor | None = None

    def scaled(self, *, gen: float, clustering: float | Tensor) -> "Weights":
        """The same weights times factors in [0, 1], one for GEN and one for INV and PRIOR."""
        return self._replace(
            gen=self.gen * gen, inv=self.inv * clustering, prior=self.prior * clustering
        )


class Terms(NamedTuple):
    """The terms of the bound for one batch, each of shape (...) in nats.

    Attributes:
        gen: the contrast, whose gradient is that of GEN.
        inv: INV.
        prior: PRIOR.
        evidence: EVIDENCE; zero where nothing is known.
        energy: mean energy of data, which no term but GEN's contrast knows; zero without GEN.
    """

    gen: Tensor
    inv: Tensor
    prior: Tensor
    evidence: Tensor | float = 0.0
    energy: Tensor | float = 0.0

    def bound(self, weights: Weights) -> Tensor:
        """w_gen GEN + w_inv INV + w_prior PRIOR + w_evidence EVIDENCE, up to GEN's normaliser."""
        return (
            weights.gen * self.gen
            + weights.inv * self.inv
            + weights.prior * self.prior
            + weights.evidence * self.evidence
        )

    def detach(self) -> "Terms":
        """The values alone, without what their gradients would need."""
        evidence, energy = (
            each.detach() if isinstance(each, Tensor) else each
            for each in (self.evidence, self.energy)
        )
        return Terms(self.gen.detach(), self.inv.detach(), self.prior.detach(), evidence, energy)

    def loss(self, weights: Weights) -> Tensor:
        """The scalar to minimise; the gradients of models side by side do not mix in the sum."""
        if weights.max_contrast is None:
            return -self.bound(weights).sum()
        gen = restrained(self.gen, weights.max_contrast)
        return -self._replace(gen=gen).bound(weights).sum()


def balance_threshold(n_clusters: int) -> float:
    """The least w_prior / w_inv at which the uniform posterior beats every other constant one.

    For posteriors q that do not depend on x the bound is -w_inv H(q) - w_prior CE(u, q), so the
    uniform u is best if and only if w_prior / w_inv >= max_q KL(q, u) / KL(u, q). The maximum has
    one cluster of mass a and c - 1 equal others; below the threshold, everything sliding into one
    cluster is a direction of ascent.
    """
    a = torch.linspace(1 / n_clusters, 1, 200_001, dtype=torch.float64)[1000:-1]
    rest = (1 - a) / (n_clusters - 1)
    forward = a * (n_clusters * a).log() + (1 - a) * (n_clusters * rest).log()
    backward = -((n_clusters * a).log() + (n_clusters - 1) * (n_clusters * rest).log()) / n_clusters
    return max(1.0, float((forward / backward).max()))
