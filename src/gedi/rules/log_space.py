"""Sums of probabilities that are given by their logarithms, even if all of them are zero."""

import torch
from torch import Tensor

__all__ = ["log_sum_exp"]


def log_sum_exp(x: Tensor) -> Tensor:
    """The log-sum-exp over the last dimension, log Σ exp(x), (..., n) -> (...).

    If all entries are -inf, the result is -inf with gradients of zero; those of torch.logsumexp
    would be NaN.
    """
    nothing = (x == -torch.inf).all(-1, keepdim=True)
    total = torch.logsumexp(x.masked_fill(nothing, 0.0), -1)
    return total.masked_fill(nothing.squeeze(-1), -torch.inf)
