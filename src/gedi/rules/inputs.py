"""The inputs of a rule: log posteriors of groups and codes of their outcomes."""

from typing import NamedTuple

import torch
from torch import Tensor

from gedi.errors import RuleError

__all__ = ["Inputs", "checked"]


class Inputs(NamedTuple):
    """Log posteriors and codes of matching shapes.

    Attributes:
        log_posteriors: log p(y_i | x_i), (*leading, k, c).
        codes: codes of the outcomes, int64, (*leading).
    """

    log_posteriors: Tensor
    codes: Tensor

    @property
    def leading(self) -> torch.Size:
        """The leading dimensions, the shape of the log-probabilities."""
        return self.codes.shape

    def flat(self) -> "Inputs":
        """The same inputs with one leading dimension n."""
        shape = self.log_posteriors.shape[-2:]
        return Inputs(self.log_posteriors.reshape(-1, *shape), self.codes.reshape(-1))


def checked(log_posteriors: Tensor, codes: Tensor, n_symbols: int, n_values: int) -> Inputs:
    """Check the inputs, and expand the codes to all leading dimensions.

    Args:
        log_posteriors: log p(y_i | x_i), (..., m, k, c).
        codes: codes of the outcomes, int64, (..., m); leading dimensions may be missing.
        n_symbols: the number of symbols, k.
        n_values: the number of values of each symbol, c.

    Raises:
        RuleError: if the shapes do not fit the rule or each other, or the codes are not int64.
    """
    shape = tuple(log_posteriors.shape)
    if log_posteriors.ndim < 2 or shape[-2:] != (n_symbols, n_values):
        raise RuleError(
            f"log posteriors: expected {n_symbols} symbols of {n_values} values, shape "
            f"(..., {n_symbols}, {n_values}), got shape {shape}"
        )
    leading = shape[:-2]
    if codes.dtype != torch.int64:
        raise RuleError(f"codes: expected int64 from the rule's encode, got {codes.dtype}")
    if codes.ndim > len(leading) or tuple(codes.shape) != leading[len(leading) - codes.ndim :]:
        raise RuleError(
            f"codes: expected shape {leading}, or its last dimensions, because the log posteriors "
            f"have shape {shape}; got {tuple(codes.shape)}"
        )
    return Inputs(log_posteriors, codes.expand(leading))
