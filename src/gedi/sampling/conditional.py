"""The energy of some coordinates, given the others."""

import torch
from torch import Tensor

from gedi.sampling.chains import Energy

__all__ = ["given"]


def given(energy: Energy, known: Tensor, free: Tensor) -> Energy:
    """The conditional energy E(x_free | x_known) up to a constant.

    It is the energy of the whole point as a function of its free coordinates: p(x_free | x_known)
    is proportional to p(x) for fixed x_known.

    Args:
        energy: the energy of whole points in nats, (..., n, d) -> (..., n).
        known: one point, (d,); its free coordinates are ignored.
        free: which coordinates are free, (d,); k of them are true.

    Returns:
        A function (..., n, k) -> (..., n).
    """
    places = free.nonzero().squeeze(-1)

    def of_free(x: Tensor) -> Tensor:
        whole = known.to(x).expand(*x.shape[:-1], -1)
        return energy(torch.index_copy(whole, -1, places, x))

    return of_free
