"""What every rule can do."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

__all__ = ["SymbolicRule"]


@runtime_checkable
class SymbolicRule(Protocol):
    """A rule over the symbols of k inputs that are seen together.

    A *world* gives each symbol one of c values. A rule says which worlds agree with an observed
    outcome, and

        log P(outcome | x_1, ..., x_k) = log Σ_{worlds that agree} Π_i p(y_i | x_i),

    the symbolic term of Sansone & Manhaeve (TMLR 2025), which is the semantic loss of Xu et al.
    (ICML 2018) up to its sign.

    Attributes:
        n_symbols: k.
        n_values: c.
        values: of a symbol, as users have them; value j is cluster j.
        outcomes: all that can be observed, in the order of their codes.
    """

    @property
    def n_symbols(self) -> int:
        """Inputs that are seen together, k."""
        ...

    @property
    def n_values(self) -> int:
        """Values of each symbol, c."""
        ...

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of a symbol as users have them, in the order of the clusters."""
        ...

    @property
    def outcomes(self) -> tuple[Any, ...]:
        """All outcomes that can be observed, in the order of their codes."""
        ...

    def encode(self, outcomes: Sequence[Any]) -> Tensor:
        """Codes of outcomes as users have them: m values -> int64 (m,).

        Raises:
            RuleError: a value is no outcome of the rule, or no world agrees with it.
        """
        ...

    def log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        """Log P(outcome | x_1, ..., x_k) in nats: (..., m, k, c) and (..., m) -> (..., m).

        It is -inf, with gradients of zero, where all worlds that agree have probability 0.

        Args:
            log_posteriors: log p(y_i | x_i), normalised over the last dimension.
            codes: of the outcomes; all leading dimensions share them where they have fewer.

        Raises:
            RuleError: other numbers of symbols or values than the rule's.
        """
        ...
