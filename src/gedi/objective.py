"""The three terms of the bound, their weights, and the collapse gap.

Every function reduces the last two dimensions (points, clusters) or the last one (points) and
keeps the leading dimensions, so that several models can be trained in one computation. All values
are in nats per data point. Source: Sansone & Manhaeve, TMLR 2025, https://arxiv.org/abs/2401.00873.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

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
    "prior_agreement",
    "restrained",
    "uniform_log_prior",
]


def uniform_log_prior(n_clusters: int) -> Tensor:
    """The logarithm of the uniform prior over c clusters, log π = -log c, shape (c,)."""
    return torch.full((n_clusters,), -math.log(n_clusters))


def entropy(log_prior: Tensor) -> Tensor:
    """The entropy of a prior, H(π) = -Σ_y π_y log π_y, in nats, (..., c) -> (...).

    Args:
        log_prior: log π, (..., c); entries of -inf (π_y = 0) count as zero.
    """
    prior = log_prior.exp()
    negative: Tensor = torch.special.xlogy(prior, prior).sum(-1)
    return -negative


def contrast(energy_data: Tensor, energy_samples: Tensor) -> Tensor:
    """The contrast E_θ[E(x)] - E_data[E(x)], whose gradient is that of GEN = E_data[log p_θ(x)].

        ∇GEN = E_{x~p_θ}[∇E(x)] - E_{x~data}[∇E(x)]

    The value itself is not a likelihood: it is zero at the optimum.

    Args:
        energy_data: energies of the data in nats, (..., n).
        energy_samples: energies in nats of samples from the model, which are held fixed, (..., m).
    """
    return energy_samples.mean(-1) - energy_data.mean(-1)


def restrained(contrast: Tensor, limit: float | Tensor) -> Tensor:
    """The contrast with a penalty that keeps it from growing without bound, C - C² / 2L.

    Its gradient shrinks as C grows, is zero at C = L, and has the opposite sign beyond L. Without a
    penalty, GEN keeps lowering the energy of the data and raising that of the chains when the
    chains cannot follow. A penalty on the energies would stop that, but bias the density. This one
    is zero where the density is right, because C is zero there.

    Args:
        contrast: C in nats, (...).
        limit: L in nats.
    """
    return contrast - contrast.square() / (2 * limit)


def invariance(logits: Tensor, view_logits: Tensor) -> Tensor:
    """The agreement between views, INV = -mean_j CE(p(y|x'_j), p(y|x_j)) <= 0.

    Gradients flow through both arguments.

    Args:
        logits: f(x), (..., n, c).
        view_logits: f(x') of a view of each x, (..., n, c).
    """
    target = log_softmax(view_logits, -1).exp()
    return (target * log_softmax(logits, -1)).sum(-1).mean(-1)


def log_marginal(logits: Tensor) -> Tensor:
    """The logarithm of the mean posterior, log (1/n) Σ_j p(y|x_j), (..., n, c) -> (..., c).

    The mean is taken over the points of all processes. It is computed in log space, so that the
    loss of an empty cluster is large but finite.
    """
    own = torch.logsumexp(log_softmax(logits, -1), -2) - math.log(logits.shape[-2])
    return log_mean_exp(own)


def prior_agreement(logits: Tensor, log_prior: Tensor) -> Tensor:
    """The agreement of the cluster sizes with the prior, PRIOR = -CE(π, mean_j p(y|x_j)) <= -H(π).

    Args:
        logits: f(x), (..., n, c).
        log_prior: log π, (c,).
    """
    return (log_prior.exp() * log_marginal(logits)).sum(-1)


def collapse_gap(inv: Tensor, prior: Tensor, log_prior: Tensor) -> Tensor:
    """The collapse gap, -INV + (-H(π) - PRIOR) >= 0.

    It is zero only if assignments are one-hot, are the same for all views of a point, and fill the
    clusters in the shares π. It needs no labels. Gaps are comparable only for the same views and
    the same number of clusters c, and on many points: with n points, the gap is about (c - 1) / 2n
    even when every assignment is right.

    Args:
        inv: INV, (...).
        prior: PRIOR, (...).
        log_prior: log π, (c,).
    """
    return -inv - entropy(log_prior) - prior


class Weights(NamedTuple):
    """The weights of the terms: w_gen GEN + w_inv INV + w_prior PRIOR + w_evidence EVIDENCE.

    `inv = prior = 0` is JEM without labels, `gen = 0` is GEDI no gen. The entries may be tensors
    with one value for each model that is trained in the same computation.

    Attributes:
        gen: w_gen, weight of the log-likelihood.
        inv: w_inv, weight of the agreement between views.
        prior: w_prior, weight of the balance of the clusters.
        evidence: w_evidence, weight of what is known of some inputs, such as labels.
        max_contrast: the contrast in nats at which the gradient of GEN is zero, the limit L of
            `restrained`; None is no limit.
    """

    gen: float | Tensor = 1.0
    inv: float | Tensor = 1.0
    prior: float | Tensor = 1.0
    evidence: float | Tensor = 1.0
    max_contrast: float | Tensor | None = None

    def scaled(self, *, gen: float, clustering: float | Tensor) -> "Weights":
        """The weights multiplied by factors in [0, 1]: one for GEN, one for INV and PRIOR."""
        return self._replace(
            gen=self.gen * gen, inv=self.inv * clustering, prior=self.prior * clustering
        )


class Terms(NamedTuple):
    """The terms of the bound for one batch, each of shape (...) in nats.

    Attributes:
        gen: the contrast, whose gradient is that of GEN.
        inv: INV.
        prior: PRIOR.
        evidence: EVIDENCE; zero if nothing is known.
        energy: the mean energy of the data, for monitoring; zero without GEN.
    """

    gen: Tensor
    inv: Tensor
    prior: Tensor
    evidence: Tensor | float = 0.0
    energy: Tensor | float = 0.0

    def bound(self, weights: Weights) -> Tensor:
        """The weighted sum of the terms, with the contrast in place of GEN, (...)."""
        return (
            weights.gen * self.gen
            + weights.inv * self.inv
            + weights.prior * self.prior
            + weights.evidence * self.evidence
        )

    def detach(self) -> "Terms":
        """The same values, detached from the graph of gradients."""
        evidence, energy = (
            each.detach() if isinstance(each, Tensor) else each
            for each in (self.evidence, self.energy)
        )
        return Terms(self.gen.detach(), self.inv.detach(), self.prior.detach(), evidence, energy)

    def loss(self, weights: Weights) -> Tensor:
        """The scalar to minimise.

        It is summed over the models that are trained together, whose gradients do not mix.
        """
        if weights.max_contrast is None:
            return -self.bound(weights).sum()
        gen = restrained(self.gen, weights.max_contrast)
        return -self._replace(gen=gen).bound(weights).sum()


def balance_threshold(n_clusters: int) -> float:
    """The smallest w_prior / w_inv at which the uniform posterior is the best constant one.

    For a posterior q that does not depend on x, the bound is -w_inv H(q) - w_prior CE(u, q). The
    uniform posterior u is therefore best if and only if

        w_prior / w_inv >= max_q KL(q, u) / KL(u, q).

    The maximum is at a q with one cluster of mass a and c - 1 equal others. Below this threshold,
    moving all points into one cluster increases the bound.

    Args:
        n_clusters: the number of clusters, c.
    """
    a = torch.linspace(1 / n_clusters, 1, 200_001, dtype=torch.float64)[1000:-1]
    rest = (1 - a) / (n_clusters - 1)
    forward = a * (n_clusters * a).log() + (1 - a) * (n_clusters * rest).log()
    backward = -((n_clusters * a).log() + (n_clusters - 1) * (n_clusters * rest).log()) / n_clusters
    return max(1.0, float((forward / backward).max()))
