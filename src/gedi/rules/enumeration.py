"""Rules that are evaluated once for all worlds."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gedi.errors import RuleError
from gedi.rules.base import BaseRule
from gedi.rules.domains import Domains
from gedi.rules.expressions import as_function
from gedi.rules.lattice import Lattice
from gedi.rules.outcomes import Outcomes, shown
from gedi.rules.worlds import Worlds

__all__ = ["MAX_CHECKS", "MAX_WORLDS", "Rule"]

MAX_WORLDS = 1_000_000
MAX_CHECKS = 10_000_000  # calls of the function, which take a few seconds


class Rule(BaseRule):
    """A rule given by a function that returns whether a world agrees with an outcome.

        Rule(lambda a, b, s: a + b == s, {"a": range(10), "b": range(10), "s": range(19)})

    The symbols are the inputs of a group in the order of the function's parameters; value j of a
    symbol's domain is cluster j. The function is called once for each world and outcome, and is not
    needed afterwards: the probability of a group is a sum over the worlds of its outcome, or over
    the states of a `Lattice` if that is cheaper.

    Args:
        function: returns whether the values of all names agree.
        domains: the values of each name. The names are the function's parameters; a function of
            `*cells` may have any names, and gets their values in this order.
        observed: the name whose value is observed; several names, whose outcomes are tuples; or ()
            for a rule that holds for every group and has the single outcome True. None is the last
            name.

    Raises:
        RuleError: if names do not fit the function, domains do not fit each other, there are more
            than 1,000,000 worlds, or no world agrees with any outcome.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        domains: Mapping[str, Sequence[Any]],
        observed: str | Sequence[str] | None = None,
    ) -> None:
        names = _parameters(function, tuple(domains))
        known = Domains.of(
            {name: domains[name] for name in names},
            observed,
            max_worlds=MAX_WORLDS,
            max_checks=MAX_CHECKS,
        )
        possible = list(product(*known.observed.values()))
        worlds, found = _agreeing(function, names, known, possible)
        if len(found) == 0:
            raise RuleError(
                "the rule is unsatisfiable: no world of "
                f"{', '.join(map(shown, known.symbols))} agrees with any outcome"
            )
        used, codes = np.unique(found, return_inverse=True)
        values = [_outcome(each, known.joint) for each in possible]
        left = set(range(len(values))) - set(used.tolist())
        outcomes = Outcomes([values[i] for i in used], [values[i] for i in left])
        super().__init__(len(known.symbols), known.values, outcomes)
        self._sum = _cheapest(worlds, codes, self.n_symbols, self.n_values)

    @classmethod
    def from_expression(
        cls,
        text: str,
        domains: Mapping[str, Sequence[int]],
        observed: str | Sequence[str] | None = None,
    ) -> "Rule":
        """A rule from text over whole numbers, such as "a + b == s".

        The text may contain names, whole numbers, + - * // %, comparisons, `in (...)`, and, or,
        not, parentheses, abs, min and max. It cannot contain other code, so it may come from a
        file.

        Args:
            text: the expression.
            domains: the values of each name, whole numbers.
            observed: the observed names, see the class.

        Raises:
            RuleError: if the text contains anything else, or as for the class.
        """
        return cls(as_function(text, domains), domains, observed)

    def _log_probability(self, log_posteriors: Tensor, codes: Tensor) -> Tensor:
        return self._sum.log_probability(log_posteriors, codes)


def _parameters(function: Callable[..., Any], names: tuple[str, ...]) -> tuple[str, ...]:
    """The names in the order of the function's parameters."""
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return names
    if any(each.kind in {each.KEYWORD_ONLY, each.VAR_KEYWORD} for each in parameters):
        raise RuleError(
            "expected a function with positional parameters only, got one with keyword parameters"
        )
    own = tuple(each.name for each in parameters)
    if set(own) != set(names):
        raise RuleError(
            f"expected domains for the parameters of the function, {', '.join(map(shown, own))}; "
            f"got {', '.join(map(shown, names)) or 'none'}"
        )
    return own


def _agreeing(
    function: Callable[..., Any],
    names: tuple[str, ...],
    known: Domains,
    possible: Sequence[tuple[Any, ...]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The numbers of the worlds and of the outcomes that agree, each (R,)."""
    given = [*known.symbols, *known.observed]
    order = [given.index(name) for name in names]
    in_order = order == sorted(order)
    worlds, outcomes = [], []
    for i, world in enumerate(product(*known.symbols.values())):
        for j, outcome in enumerate(possible):
            values = world + outcome
            if function(*(values if in_order else [values[k] for k in order])):
                worlds.append(i)
                outcomes.append(j)
    return np.array(worlds, dtype=np.int64), np.array(outcomes, dtype=np.int64)


def _outcome(values: tuple[Any, ...], joint: bool) -> Any:
    if not values:
        return True
    return values if joint else values[0]


def _cheapest(
    worlds: NDArray[np.int64], codes: NDArray[np.int64], n_symbols: int, n_values: int
) -> Worlds | Lattice:
    """The list of worlds, or a lattice of states if its sums are cheaper."""
    digits = np.stack(np.unravel_index(worlds, (n_values,) * n_symbols), 1)
    if len(np.unique(worlds)) < len(worlds):
        # In a lattice, a world leads to a single state, so it cannot agree with two outcomes.
        return Worlds(digits, codes, n_values)
    steps = [np.arange(n_values ** (i + 1)).reshape(-1, n_values) for i in range(n_symbols)]
    last = np.full(n_values**n_symbols, -1)
    last[worlds] = codes
    steps[-1] = last.reshape(-1, n_values)
    lattice = Lattice(steps, int(codes.max()) + 1)
    if lattice.cost < n_symbols * np.bincount(codes).max():
        return lattice
    return Worlds(digits, codes, n_values)
