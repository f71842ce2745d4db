"""Rules that take their symbols one by one and keep a state."""

import inspect
import operator
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gedi.errors import RuleError
from gedi.rules.base import BaseRule
from gedi.rules.domains import distinct
from gedi.rules.lattice import Lattice
from gedi.rules.outcomes import Outcomes, shown

__all__ = ["MAX_STATES", "FoldRule", "sum_rule"]

MAX_STATES = 50_000  # over all symbols


class FoldRule(BaseRule):
    """A rule whose outcome is a fold over the symbols, for groups of many.

        state_0 = start,   state_{i+1} = step(state_i, y_i),   outcome = outcome(state_k)

    The sum of eight digits has 10^8 worlds and 73 states at most. All states that can be reached
    are found once; the functions are forgotten afterwards. Outcomes that are all numbers are in the
    order of their size, others in the order in which they were found.

    Args:
        step: from a state and a value, and the symbol's number from 0 if it takes a third
            parameter, to the next state.
        start: the first state; states can be anything that can be a key of a dictionary.
        n_symbols: k.
        values: of each symbol; value j is cluster j.
        outcome: from the last state to the outcome; by default the state itself.

    Raises:
        RuleError: no symbol, values that repeat, states that are no keys, or more than 50,000 of
            them over all symbols.
    """

    def __init__(
        self,
        step: Callable[..., Hashable],
        start: Hashable,
        n_symbols: int,
        values: Sequence[Any],
        outcome: Callable[[Any], Hashable] | None = None,
    ) -> None:
        if n_symbols < 1:
            raise RuleError(f"expected at least 1 symbol, got {n_symbols}")
        known = distinct(values, "values")
        if not known:
            raise RuleError("values: expected at least 1, got none")
        steps, last = _explored(_with_place(step), start, n_symbols, known)
        found = [outcome(state) if outcome else state for state in last]
        super().__init__(n_symbols, known, Outcomes(_in_order(list(dict.fromkeys(found)))))
        codes = self.encode(found).numpy()
        steps[-1] = codes[steps[-1]]
        self._lattice = Lattice(steps, len(self.outcomes))

    def _log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        return self._lattice.log_probability(log_posteriors, codes)


def sum_rule(n_symbols: int, n_values: int) -> FoldRule:
    """The sum of symbols with values 0 to c - 1 is observed.

    Args:
        n_symbols: k.
        n_values: c.
    """
    return FoldRule(operator.add, 0, n_symbols, range(n_values))


def _with_place(step: Callable[..., Hashable]) -> Callable[[Any, Any, int], Hashable]:
    try:
        parameters = list(inspect.signature(step).parameters.values())
    except ValueError:  # some built-in functions, such as max, do not tell
        parameters = []
    if len(parameters) >= 3 and parameters[2].kind is not parameters[2].KEYWORD_ONLY:
        return step
    return lambda state, value, _: step(state, value)


def _explored(
    step: Callable[[Any, Any, int], Hashable],
    start: Hashable,
    n_symbols: int,
    values: Sequence[Any],
) -> tuple[list[NDArray[np.int64]], list[Any]]:
    """For each symbol the next state of each state and value (S_i, c), and the last states."""
    states, total = [start], 1
    steps = []
    for place in range(n_symbols):
        numbers: dict[Hashable, int] = {}
        table = np.empty((len(states), len(values)), dtype=np.int64)
        for i, state in enumerate(states):
            for j, value in enumerate(values):
                table[i, j] = _number(step(state, value, place), numbers)
            if total + len(numbers) > MAX_STATES:
                raise RuleError(
                    f"the fold reaches more than {MAX_STATES:,} states by symbol {place}: keep "
                    "less in the state, or use CircuitRule"
                )
        steps.append(table)
        states = list(numbers)
        total += len(states)
    return steps, states


def _number(state: Hashable, numbers: dict[Hashable, int]) -> int:
    try:
        return numbers.setdefault(state, len(numbers))
    except TypeError as error:
        raise RuleError(
            f"expected states that can be keys of a dictionary, such as numbers or tuples, got "
            f"{shown(state)}"
        ) from error


def _in_order(outcomes: list[Any]) -> list[Any]:
    numbers = all(isinstance(each, int | float) for each in outcomes)
    return sorted(outcomes) if numbers else outcomes
