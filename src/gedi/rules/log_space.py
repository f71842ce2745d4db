"""Sums of probabilities given by their logarithms, also where all of them are zero."""

import torch
from torch import Tensor

__all__ = ["log_sum_exp"]


def log_sum_exp(x: Tensor) -> Tensor:
    """Log Σ exp(x) over the last dimension, (..., n) -> (...).

    -inf where all entries are, with gradients of zero, where those of torch.logsumexp are NaN.
    """
    nothing = (x == -torch.inf).all(-1, keepdim=True)
    total = torch.logsumexp(x.masked_fill(nothing, 0.0), -1)
    return total.masked_fill(nothing.squeeze(-1), -torch.inf)
