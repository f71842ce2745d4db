"""Rules whose probability the user computes."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from gedi.errors import RuleError
from gedi.rules.base import BaseRule
from gedi.rules.domains import distinct, values_of
from gedi.rules.inputs import checked
from gedi.rules.outcomes import Outcomes

__all__ = ["CallableRule"]


class CallableRule(BaseRule):
    """Any differentiable function from log posteriors and codes to log probabilities.

    Args:
        function: from log posteriors (..., m, k, c) and codes (..., m), both with all leading
            dimensions, to log P(outcome | x_1, ..., x_k) in nats, (..., m).
        n_symbols: k.
        n_values: c.
        outcomes: all that can be observed; their places are their codes.
        values: of a symbol, value j of which is cluster j; None: 0 to c - 1.

    Raises:
        RuleError: outcomes or values that repeat, no outcome, or another number of values.
    """

    def __init__(
        self,
        function: Callable[[Tensor, Tensor], Tensor],
        n_symbols: int,
        n_values: int,
        outcomes: Sequence[Any],
        values: Sequence[Any] | None = None,
    ) -> None:
        super().__init__(
            n_symbols, values_of(values, n_values), Outcomes(distinct(outcomes, "outcomes"))
        )
        self._function = function
        if not self.outcomes:
            raise RuleError("outcomes: expected at least 1, got none")

    def log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        """What the function gives, see `SymbolicRule`.

        Raises:
            RuleError: the inputs do not fit the rule, or what the function gives is of another
                shape than the codes.
        """
        inputs = checked(log_posteriors, codes, self.n_symbols, self.n_values)
        found = self._function(*inputs)
        if not isinstance(found, Tensor) or found.shape != inputs.leading:
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise RuleError(
                f"expected log probabilities of shape {tuple(inputs.leading)} from the function of "
                f"the rule, got {got}"
            )
        return found
