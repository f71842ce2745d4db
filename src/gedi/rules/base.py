"""The base class of rules: named values, numbered outcomes, and groups in one flat batch."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from gedi.rules.inputs import checked
from gedi.rules.outcomes import Outcomes

__all__ = ["BaseRule"]


class BaseRule:
    """A `SymbolicRule` with a list of outcomes.

    Subclasses define `_log_probability` for groups in one flat batch, or override
    `log_probability`.

    Args:
        n_symbols: the number of symbols, k.
        values: the values of each symbol, (c,); value j is cluster j.
        outcomes: all possible outcomes.
    """

    def __init__(self, n_symbols: int, values: tuple[Any, ...], outcomes: Outcomes) -> None:
        self.n_symbols = n_symbols
        self.values = values
        self.n_values = len(values)
        self._outcomes = outcomes

    @property
    def outcomes(self) -> tuple[Any, ...]:
        """All possible outcomes, in the order of their codes."""
        return self._outcomes.values

    def encode(self, outcomes: Sequence[Any]) -> Tensor:
        """The codes of outcomes, see `SymbolicRule`."""
        return self._outcomes.encode(outcomes)

    def log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        """The log-probability log P(outcome | x_1, ..., x_k) in nats, see `SymbolicRule`."""
        inputs = checked(log_posteriors, codes, self.n_symbols, self.n_values)
        return self._log_probability(*inputs.flat()).view(inputs.leading)

    def _log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        """The log-probability log P(outcome): (n, k, c) and (n,) -> (n,)."""
        raise NotImplementedError
