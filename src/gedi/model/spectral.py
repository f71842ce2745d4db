"""Symmetric matrices given by their leading eigenvectors, which are cheap in many dimensions."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Generator, Tensor, nn

__all__ = ["LEADING", "WHOLE", "SpectralMatrix"]

WHOLE = 256  # the largest number of features for which all eigenvectors are kept
LEADING = 128  # the number of eigenvectors that are kept for more features
_ITERATIONS = 8  # of the subspace; enough to separate eigenvalues that differ by a factor of two


class SpectralMatrix(nn.Module):
    """The symmetric matrix A = V diag(v) Vᵀ + r (I - V Vᵀ) with k orthonormal columns in V.

    For k = d this is any symmetric matrix. For k < d, all directions outside the span of V share
    the eigenvalue r, and a product costs 2 d k instead of d². This is the covariance of
    probabilistic PCA (Tipping & Bishop, JRSS B 1999, https://doi.org/10.1111/1467-9868.00196).

    Args:
        vectors: the eigenvectors V, (d, k).
        values: their eigenvalues v, (k,).
        rest: the eigenvalue r of all other directions, a scalar; it has no effect for k = d.
    """

    vectors: Tensor
    values: Tensor
    rest: Tensor

    def __init__(self, vectors: Tensor, values: Tensor, rest: Tensor) -> None:
        super().__init__()
        # The memory layout of a tensor read from a file: rounding in products depends on it.
        self.register_buffer("vectors", vectors.contiguous())
        self.register_buffer("values", values)
        self.register_buffer("rest", rest)

    @classmethod
    def of(cls, matrix: Tensor) -> Self:
        """Decompose a symmetric matrix (d, d).

        Up to 256 dimensions the result is exact. Above, it has the 128 largest eigenvalues, which
        must not be negative, and the mean of the others.
        """
        d = len(matrix)
        if d <= WHOLE:
            values, vectors = torch.linalg.eigh(matrix)
            return cls(vectors, values, values.new_ones(()))
        return cls.leading(lambda vectors: matrix @ vectors, matrix.diagonal())

    @classmethod
    def leading(cls, product: Callable[[Tensor], Tensor], diagonal: Tensor) -> Self:
        """Find the 128 largest eigenvalues of a matrix that is given by its products.

        This is subspace iteration (Halko, Martinsson & Tropp, SIAM Review 2011,
        https://arxiv.org/abs/0909.4061). It is many times faster than a full decomposition, and it
        is deterministic.

        Args:
            product: the function V -> A V, both (d, 128).
            diagonal: the diagonal of A, (d,), from which the mean of the other eigenvalues follows.
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
    def of_rows(cls, rows: Tensor) -> Self:
        """Decompose the product Xᵀ X of few rows, X (n, d), of many dimensions, in O(n² d).

        It has the 128 largest eigenvalues, or as many as are not zero, and the mean of the others.
        They are those of X Xᵀ, whose eigenvectors u give those of Xᵀ X, Xᵀ u / |Xᵀ u|. Products are
        in float32.
        """
        d, small = rows.shape[1], rows.float()
        values, across = torch.linalg.eigh((small @ small.T).to(rows))
        k = min(LEADING, int((values > 1e-6 * values[-1]).sum()), d - 1)
        values, across = values[-k:].clamp_min(0), across[:, -k:]
        vectors = torch.linalg.qr((small.T @ across.float()).to(rows)).Q
        rest = (rows.square().sum() - values.sum()).clamp_min(0) / (d - k)
        return cls(vectors, values, rest)

    @classmethod
    def blank(cls, d: int) -> Self:
        """The identity, with the number of eigenvectors kept for matrices of d dimensions."""
        k = d if d <= WHOLE else LEADING
        return cls(torch.eye(d, k), torch.ones(k), torch.ones(()))

    @property
    def is_whole(self) -> bool:
        """Whether all eigenvectors are kept, k = d."""
        return self.vectors.shape[0] == self.vectors.shape[1]

    @property
    def log_det(self) -> float:
        """The log-determinant log |det A| of a matrix without negative eigenvalues."""
        d, k = self.vectors.shape
        return float(self.values.double().log().sum() + (d - k) * self.rest.double().log())

    def power(self, exponent: float) -> "SpectralMatrix":
        """The power A^p of a positive definite matrix."""
        return SpectralMatrix(self.vectors, self.values**exponent, self.rest**exponent)

    def plus(self, factor: float, ridge: float | Tensor) -> "SpectralMatrix":
        """The matrix factor · A + ridge · I."""
        return SpectralMatrix(
            self.vectors, factor * self.values + ridge, factor * self.rest + ridge
        )

    def within(self, places: Tensor) -> "SpectralMatrix":
        """The rows and columns of the matrix at some places, (d,) of which k are true; (k, k)."""
        rows = self.vectors[places].double()
        if self.is_whole:
            values, vectors = torch.linalg.eigh((rows * self.values) @ rows.T)
            return SpectralMatrix(vectors, values, self.rest).to(self.vectors)
        across, triangle = torch.linalg.qr(rows)
        values, along = torch.linalg.eigh((triangle * (self.values - self.rest)) @ triangle.T)
        return SpectralMatrix(across @ along, values + self.rest, self.rest).to(self.vectors)

    def quadratic(self, x: Tensor) -> Tensor:
        """The quadratic form x A xᵀ, (..., d) -> (...)."""
        squares = (x @ self.vectors).square()
        if self.is_whole:
            return squares @ self.values
        return squares @ (self.values - self.rest) + self.rest * x.square().sum(-1)

    def forward(self, x: Tensor) -> Tensor:
        """The product x A, (..., d) -> (..., d)."""
        along = x @ self.vectors
        if self.is_whole:
            return (along * self.values) @ self.vectors.T
        return (along * (self.values - self.rest)) @ self.vectors.T + self.rest * x
