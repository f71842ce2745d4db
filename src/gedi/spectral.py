"""Symmetric matrices by their leading eigenvectors, so that they stay cheap in many dimensions."""

from typing import Self

import torch
from sklearn.utils.extmath import randomized_range_finder
from torch import Tensor, nn

__all__ = ["LEADING", "SpectralMatrix"]

_WHOLE = 256  # features, up to which all eigenvectors are kept
LEADING = 128  # of them, beyond
_ITERATIONS = 7  # of the subspace, which tell eigenvalues a factor of two apart well apart


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
        if d <= _WHOLE:
            values, vectors = torch.linalg.eigh(matrix)
            return cls(vectors, values, values.new_ones(()))
        # Many times faster than all eigenvectors, and the same ones every time.
        basis = torch.from_numpy(
            randomized_range_finder(
                matrix.cpu().numpy(),
                size=LEADING,
                n_iter=_ITERATIONS,
                power_iteration_normalizer="QR",
                random_state=0,
            )
        ).to(matrix)
        values, within = torch.linalg.eigh(basis.T @ matrix @ basis)
        rest = (matrix.trace() - values.sum()) / (d - LEADING)
        return cls(basis @ within, values, rest)

    @classmethod
    def blank(cls, d: int) -> Self:
        """The identity, in the shape that all matrices of d dimensions have."""
        k = d if d <= _WHOLE else LEADING
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
