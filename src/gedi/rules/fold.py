"""Rules that take the symbols one by one and keep a state."""

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

MAX_STATES = 50_000  # in total over all symbols


class FoldRule(BaseRule):
    """A rule whose outcome is a fold over the symbols, for groups of many symbols.

        state_0 = start,   state_{i+1} = step(state_i, y_i),   outcome = outcome(state_k)

    For example, the sum of eight digits has 10^8 worlds, but at most 73 states. All reachable
    states are found once; the functions are not needed afterwards. If all outcomes are numbers,
    they are sorted; otherwise they are in the order in which they were found.

    Args:
        step: maps a state and a value to the next state. If it has a third parameter, it also gets
            the number of the symbol, from 0.
        start: the first state; states can be any keys of a dictionary.
        n_symbols: the number of symbols, k.
        values: the values of each symbol; value j is cluster j.
        outcome: maps the last state to the outcome; None is the state itself.

    Raises:
        RuleError: if there is no symbol, values repeat, states are not hashable, or there are more
            than 50,000 states over all symbols.
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
    """The rule whose outcome is the sum of symbols with values 0 to c - 1.

    Args:
        n_symbols: the number of symbols, k.
        n_values: the number of values of each symbol, c.
    """
    return FoldRule(operator.add, 0, n_symbols, range(n_values))


def _with_place(step: Callable[..., Hashable]) -> Callable[[Any, Any, int], Hashable]:
    try:
        parameters = list(inspect.signature(step).parameters.values())
    except ValueError:  # some built-in functions, such as max, have no signature
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
    """The next state of each state and value (S_i, c) for each symbol, and the last states."""
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
                    f"the fold reaches more than {MAX_STATES:,} states at symbol {place}: store "
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
