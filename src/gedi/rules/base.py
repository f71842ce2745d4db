"""What the rules here share: named values, numbered outcomes, and one batch of groups at a time."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from gedi.rules.inputs import checked
from gedi.rules.outcomes import Outcomes

__all__ = ["BaseRule"]


class BaseRule:
    """A `SymbolicRule` over listed outcomes.

    Subclasses define `_log_probability` of groups in one batch, or `log_probability` itself.

    Args:
        n_symbols: k.
        values: of a symbol; value j is cluster j, (c,).
        outcomes: all that can be observed.
    """

    def __init__(self, n_symbols: int, values: tuple[Any, ...], outcomes: Outcomes) -> None:
        self.n_symbols = n_symbols
        self.values = values
        self.n_values = len(values)
        self._outcomes = outcomes

    @property
    def outcomes(self) -> tuple[Any, ...]:
        """All outcomes that can be observed, in the order of their codes."""
        return self._outcomes.values

    def encode(self, outcomes: Sequence[Any]) -> Tensor:
        """Codes of outcomes, see `SymbolicRule`."""
        return self._outcomes.encode(outcomes)

    def log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        """Log P(outcome | x_1, ..., x_k) in nats, see `SymbolicRule`."""
        inputs = checked(log_posteriors, codes, self.n_symbols, self.n_values)
        return self._log_probability(*inputs.flat()).view(inputs.leading)

    def _log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        """Log P(outcome): (n, k, c) and (n,) -> (n,)."""
        raise NotImplementedError
