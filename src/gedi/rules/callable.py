"""Rules whose probability is computed by a function of the user."""

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
    """A rule given by any differentiable function from log posteriors to log probabilities.

    Args:
        function: maps log posteriors (..., m, k, c) and codes (..., m), both with all leading
            dimensions, to log P(outcome | x_1, ..., x_k) in nats, (..., m).
        n_symbols: the number of symbols, k.
        n_values: the number of values of each symbol, c.
        outcomes: all possible outcomes; the code of an outcome is its index.
        values: the values of each symbol, value j being cluster j; None is 0 to c - 1.

    Raises:
        RuleError: if outcomes or values repeat, there is no outcome, or the number of values is not
            c.
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
        """The log-probability from the function, see `SymbolicRule`.

        Raises:
            RuleError: if the inputs do not fit the rule, or the function does not return a tensor
                of the shape of the codes.
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
