"""Barlow Twins: embeddings of two views whose features agree and are not redundant.

It is implemented for comparison. It has no clusters of its own: those compared are found by k-means
in its embedding. Source: Zbontar et al., ICML 2021, https://arxiv.org/abs/2103.03230.
"""

from torch import Tensor

from gedi.distributed import mean

__all__ = ["barlow_twins_loss"]

_FLOOR = 1e-5  # added to variances, as by the batch normalisation of the published code


def barlow_twins_loss(z1: Tensor, z2: Tensor, off_diagonal_weight: float = 5e-3) -> Tensor:
    """The distance between the cross-correlation of two views and the identity.

        L = Σ_i (1 - C_ii)² + λ Σ_{i≠j} C_ij²,  C = (1/n) Σ_k u_k v_kᵀ

    u and v are z1 and z2 with each feature standardised over the batch of all processes.

    Args:
        z1: embeddings of one view, (..., n, d).
        z2: embeddings of the other view of the same points, (..., n, d).
        off_diagonal_weight: the weight of the off-diagonal entries, λ.

    Returns:
        The loss, a number without unit, (...). Gradients flow through both arguments.
    """
    correlation = mean(_standardised(z1).mT @ _standardised(z2) / z1.shape[-2])
    diagonal = correlation.diagonal(dim1=-2, dim2=-1)
    on = (diagonal - 1).square().sum(-1)
    off = correlation.square().sum((-2, -1)) - diagonal.square().sum(-1)
    return on + off_diagonal_weight * off


def _standardised(z: Tensor) -> Tensor:
    """Scale each feature to mean 0 and variance 1 over the batch, (..., n, d)."""
    centred = z - mean(z.mean(-2, keepdim=True))
    return centred / (mean(centred.square().mean(-2, keepdim=True)) + _FLOOR).sqrt()
