"""The base density of vectors: a Gaussian mixture, chosen on held-out points. (Interim.)"""

import math
import warnings
from typing import Self

import numpy as np
import torch
from torch import Generator, Tensor, nn

from gedi.model.spectral import SpectralMatrix

__all__ = ["MixtureBase"]


class MixtureBase(nn.Module):
    log_weights: Tensor
    means: Tensor
    whiteners: Tensor

    def __init__(self, log_weights: Tensor, means: Tensor, whiteners: Tensor) -> None:
        super().__init__()
        self.register_buffer("log_weights", log_weights)
        self.register_buffer("means", means)
        self.register_buffer("whiteners", whiteners)

    def forward(self, x: Tensor) -> Tensor:
        shape, d = x.shape[:-1], x.shape[-1]
        points = x.reshape(-1, d)
        white = points @ self.whiteners - (self.means[:, None] @ self.whiteners)
        log_det = self.whiteners.diagonal(dim1=1, dim2=2).log().sum(-1)
        constant = self.log_weights + log_det - 0.5 * d * math.log(2 * math.pi)
        return torch.logsumexp(constant[:, None] - 0.5 * white.square().sum(-1), 0).reshape(shape)

    def sample(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        n, d = math.prod(shape), self.means.shape[1]
        which = torch.multinomial(self.log_weights.exp(), n, replacement=True, generator=generator)
        noise = torch.randn(n, d, dtype=self.means.dtype, generator=generator)
        points = torch.empty_like(noise)
        for k in range(len(self.means)):
            of = which == k
            points[of] = self.means[k] + torch.linalg.solve_triangular(self.whiteners[k].mT, noise[of].mT, upper=False).mT
        return points.reshape(*shape, d)

    @property
    def root(self) -> SpectralMatrix:
        weights, means = self.log_weights.double().exp(), self.means.double()
        w = self.whiteners.double()
        within = torch.linalg.inv(w @ w.mT)
        centred = means - weights @ means
        cov = torch.einsum("k,kij->ij", weights, within) + (weights[:, None] * centred).T @ centred
        return SpectralMatrix.of(cov).power(0.5).to(self.means)

    @property
    def mean(self) -> Tensor:
        return self.log_weights.exp() @ self.means

    @classmethod
    def fit(cls, x: Tensor, generator: Generator) -> Self:
        from sklearn.mixture import GaussianMixture
        z = x.double().numpy()[:3000]
        held, train = z[::5], np.delete(z, np.s_[::5], 0)
        best = (-math.inf, 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for k in (1, 2, 4, 8, 16, 32):
                if k * 5 > len(train): break
                s = GaussianMixture(k, reg_covar=1e-3, max_iter=50, random_state=0).fit(train).score(held)
                if s > best[0]: best = (s, k)
                elif k > 2 * best[1]: break
            g = GaussianMixture(best[1], reg_covar=1e-3, random_state=0).fit(z)
        t = lambda a: torch.as_tensor(a, dtype=x.dtype)
        return cls(t(np.log(g.weights_)), t(g.means_), t(g.precisions_cholesky_))
