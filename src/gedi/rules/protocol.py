"""The interface of rules."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

__all__ = ["SymbolicRule"]


@runtime_checkable
class SymbolicRule(Protocol):
    """A rule over the symbols of k inputs that are observed together.

    A *world* assigns one of c values to each symbol. A rule defines which worlds agree with an
    observed outcome, and

        log P(outcome | x_1, ..., x_k) = log Σ_{worlds that agree} Π_i p(y_i | x_i).

    This is the symbolic term of Sansone & Manhaeve, TMLR 2025, https://arxiv.org/abs/2401.00873. Up
    to its sign it is the semantic loss of Xu et al., ICML 2018, https://arxiv.org/abs/1711.11157.

    Attributes:
        n_symbols: the number of symbols, k.
        n_values: the number of values of each symbol, c.
        values: the values of a symbol in the user's terms; value j is cluster j.
        outcomes: all possible outcomes, in the order of their codes.
    """

    @property
    def n_symbols(self) -> int:
        """The number of symbols, k."""
        ...

    @property
    def n_values(self) -> int:
        """The number of values of each symbol, c."""
        ...

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of a symbol in the user's terms, in the order of the clusters."""
        ...

    @property
    def outcomes(self) -> tuple[Any, ...]:
        """All possible outcomes, in the order of their codes."""
        ...

    def encode(self, outcomes: Sequence[Any]) -> Tensor:
        """The codes of m outcomes in the user's terms, int64, (m,).

        Raises:
            RuleError: if a value is not an outcome of the rule, or no world agrees with it.
        """
        ...

    def log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        """The log-probability log P(outcome | x_1, ..., x_k) in nats, (..., m).

        It is -inf, with gradients of zero, if all worlds that agree have probability 0.

        Args:
            log_posteriors: log p(y_i | x_i), normalised over the last dimension, (..., m, k, c).
            codes: codes of the outcomes, (..., m); missing leading dimensions are broadcast.

        Raises:
            RuleError: if the number of symbols or values is not that of the rule.
        """
        ...
