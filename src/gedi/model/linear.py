"""Affine logits on a Gaussian base, for which log Z is known exactly.

For features of pretrained networks an affine head is enough, and its energy is that of a mixture of
Gaussians with one covariance. GEN is then the log-likelihood itself: no chains move, no negatives
are drawn, and samples are independent.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Generator, Tensor

from gedi.model.base import NormalizedGaussian
from gedi.model.classifier import EnergyClassifier
from gedi.model.encoders import OnAxes

__all__ = ["FAR", "LinearClassifier"]

FAR = 8.0  # robust standard deviations beyond which columns are cut off


class LinearClassifier(EnergyClassifier):
    """A classifier of affine features e(x) on a normalised Gaussian base b(x) = log N(x; m, Σ).

        f_y(x) = w_y · e(x) + v_y - log Z + b(x)
        Z = Σ_y exp( v_y + w_y · a + w_yᵀ S w_y / 2 ),   e(x) ~ N(a, S) under the base

    Hence p(x, y) = exp f_y(x) is normalised and E(x) = -log p(x). With e(x) = (x - o) V / s, p(x|y)
    is the Gaussian with mean m + Σ V w_y / s and covariance Σ. Columns beyond 8 robust standard
    deviations are cut off for the features, where the base has no mass.

    Args:
        encoder: the affine features.
        n_clusters: the number of clusters, c.
        base: the base; without one, or before `stand_on`, Z is wrong, which does not matter for the
            size of a network.
        members: leading dimensions of the head.
        generator: draws the initial weights of the head.

    Attributes:
        feature_mean: a, (k,).
        feature_covariance: S, (k, k).
    """

    feature_mean: Tensor
    feature_covariance: Tensor

    def __init__(
        self,
        encoder: OnAxes,
        n_clusters: int,
        *,
        base: NormalizedGaussian | None = None,
        encoder_dtype: torch.dtype | None = None,
        members: tuple[int, ...] = (),
        generator: Generator,
    ) -> None:
        super().__init__(
            encoder,
            n_clusters,
            base=base,
            encoder_dtype=encoder_dtype,
            members=members,
            generator=generator,
        )
        k = encoder.n_features
        self.register_buffer("feature_mean", torch.zeros(k))
        self.register_buffer("feature_covariance", torch.zeros(k, k))

    @property
    def _axes(self) -> Tensor:
        """V / s, (d, k)."""
        encoder = cast(OnAxes, self.encoder)
        return encoder.axes / encoder.scale

    @torch.no_grad()
    def stand_on(self, base: NormalizedGaussian) -> None:
        """Take another base, and the law of the features under it; posteriors stay as they are."""
        self.base = base
        half = base.root(self._axes.T)
        self.feature_covariance.copy_(half @ half.T)
        self.feature_mean.copy_(self.encoder(base.mean[None])[0])

    def encoder_input(self, x: Tensor) -> Tensor:
        """The points with far values cut off, (..., d) -> (..., d)."""
        return x.clamp(-FAR, FAR)

    def read_out(self, features: Tensor) -> Tensor:
        """The logits of features without the base, (..., k) -> (..., c)."""
        logits: Tensor = self.head(features)
        return logits - torch.logsumexp(self.log_masses(), -1, keepdim=True)

    def log_masses(self) -> Tensor:
        """The log of the mass of each cluster, before it is divided by Z, (*members, 1, c)."""
        weight, bias = self.head.weight, self.head.bias
        mean, covariance = self.feature_mean.to(weight), self.feature_covariance.to(weight)
        spread = (weight * (covariance @ weight)).sum(-2, keepdim=True)
        masses: Tensor = bias + mean[None] @ weight + 0.5 * spread
        return masses

    @torch.no_grad()
    def sample(self, n: int, generator: Generator, clusters: Sequence[int] = ()) -> Tensor:
        """Independent draws of p(x), or of p(x | y is one of some clusters), (n, d)."""
        base = cast(NormalizedGaussian, self.base)
        shares = self.log_masses()[0].softmax(-1)
        among = torch.tensor(clusters or range(self.n_clusters), device=shares.device)
        drawn = torch.multinomial(shares[among], n, replacement=True, generator=generator)
        codes = among[drawn]
        shifts = base.root(base.root((self._axes @ self.head.weight).T))
        draws: Tensor = base.sample((n,), generator) + shifts[codes]
        return draws
