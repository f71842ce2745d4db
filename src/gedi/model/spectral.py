"""Symmetric matrices by their leading eigenvectors, so that they stay cheap in many dimensions."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Generator, Tensor, nn

__all__ = ["LEADING", "WHOLE", "SpectralMatrix"]

WHOLE = 256  # features, up to which all eigenvectors are kept
LEADING = 128  # of them, beyond
_ITERATIONS = 8  # of the subspace, which tell eigenvalues a factor of two apart well apart


class SpectralMatrix(nn.Module):
    """A = V diag(v) Vᵀ + r (I - V Vᵀ), with k orthonormal columns in V.

    With k = d it is any symmetric matrix. With fewer, all directions outside of V share r, and a
    product costs 2 d k instead of d² (the covariance of probabilistic PCA; Tipping & Bishop, JRSS B
    1999).

    Args:
        vectors: V, (d, k).
        values: v, (k,).
        rest: r, a scalar; without effect where k = d.
    """

    vectors: Tensor
    values: Tensor
    rest: Tensor

    def __init__(self, vectors: Tensor, values: Tensor, rest: Tensor) -> None:
        super().__init__()
        # As they come back from a file, where rounding hangs on the order in memory.
        self.register_buffer("vectors", vectors.contiguous())
        self.register_buffer("values", values)
        self.register_buffer("rest", rest)

    @classmethod
    def of(cls, matrix: Tensor) -> Self:
        """A symmetric matrix (d, d): the same up to 256 dimensions.

        Beyond, its 128 largest eigenvalues, which must not be negative, and the mean of the others.
        """
        d = len(matrix)
        if d <= WHOLE:
            values, vectors = torch.linalg.eigh(matrix)
            return cls(vectors, values, values.new_ones(()))
        return cls.leading(lambda vectors: matrix @ vectors, matrix.diagonal())

    @classmethod
    def leading(cls, product: Callable[[Tensor], Tensor], diagonal: Tensor) -> Self:
        """A matrix of which only products are known, by its 128 largest eigenvalues.

        Subspace iteration (Halko, Martinsson & Tropp, SIAM Review 2011): many times faster than
        all eigenvectors, and the same ones every time.

        Args:
            product: V to A V, both (d, 128).
            diagonal: of A, (d,), which gives the mean of the other eigenvalues.
        """
        d = len(diagonal)
        start = torch.randn(d, LEADING, dtype=torch.float64, generator=Generator().manual_seed(0))
        basis = start.to(diagonal)
        for _ in range(_ITERATIONS):
            basis = torch.linalg.qr(product(basis)).Q
        values, within = torch.linalg.eigh(basis.T @ product(basis))
        rest = (diagonal.sum() - values.sum()).clamp_min(0) / (d - LEADING)
        return cls(basis @ within, values, rest)

    @classmethod
    def blank(cls, d: int) -> Self:
        """The identity, in the shape that all matrices of d dimensions have."""
        k = d if d <= WHOLE else LEADING
        return cls(torch.eye(d, k), torch.ones(k), torch.ones(()))

    @property
    def is_whole(self) -> bool:
        """Whether all eigenvectors are there."""
        return self.vectors.shape[0] == self.vectors.shape[1]

    @property
    def log_det(self) -> float:
        """Log |det A| of a matrix without negative eigenvalues."""
        d, k = self.vectors.shape
        return float(self.values.double().log().sum() + (d - k) * self.rest.double().log())

    def power(self, exponent: float) -> "SpectralMatrix":
        """A^p of a positive definite matrix, with the same eigenvectors."""
        return SpectralMatrix(self.vectors, self.values**exponent, self.rest**exponent)

    def plus(self, factor: float, ridge: float | Tensor) -> "SpectralMatrix":
        """A factor + ridge I."""
        return SpectralMatrix(
            self.vectors, factor * self.values + ridge, factor * self.rest + ridge
        )

    def quadratic(self, x: Tensor) -> Tensor:
        """X A xᵀ, (..., d) -> (...)."""
        squares = (x @ self.vectors).square()
        if self.is_whole:
            return squares @ self.values
        return squares @ (self.values - self.rest) + self.rest * x.square().sum(-1)

    def forward(self, x: Tensor) -> Tensor:
        """X A, (..., d) -> (..., d)."""
        along = x @ self.vectors
        if self.is_whole:
            return (along * self.values) @ self.vectors.T
        return (along * (self.values - self.rest)) @ self.vectors.T + self.rest * x
