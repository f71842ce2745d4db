"""Samples of some coordinates, given the others."""

import torch
from torch import Tensor

from gedi.sampling.chains import Energy

__all__ = ["given"]


def given(energy: Energy, known: Tensor, free: Tensor) -> Energy:
    """E(x_free | x_known) up to a constant: the energy of the whole point, seen by what is free.

    Chains under it have the law p(x_free | x_known), to which p(x) is proportional where x_known
    is fixed.

    Args:
        energy: of whole points, (..., n, d) -> (..., n).
        known: one point, of which the coordinates that are not free count, (d,).
        free: which coordinates move, (d,), k of them true.

    Returns:
        A function (..., n, k) -> (..., n).
    """
    places = free.nonzero().squeeze(-1)

    def of_free(x: Tensor) -> Tensor:
        whole = known.to(x).expand(*x.shape[:-1], -1)
        return energy(torch.index_copy(whole, -1, places, x))

    return of_free
