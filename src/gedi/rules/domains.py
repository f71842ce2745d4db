"""The values that each name in a rule can take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from gedi.errors import RuleError
from gedi.rules.outcomes import plain, shown

__all__ = ["Domains", "distinct", "values_of"]


@dataclass(frozen=True)
class Domains:
    """The domains of symbols and of observed names.

    Attributes:
        symbols: the values of each symbol by its name; value j of each is cluster j.
        observed: the values of each observed name.
        joint: whether an outcome is a tuple of the values of all observed names.
    """

    symbols: Mapping[str, tuple[Any, ...]]
    observed: Mapping[str, tuple[Any, ...]]
    joint: bool

    @property
    def values(self) -> tuple[Any, ...]:
        """The values that all symbols share; 0 to c - 1 if they have different values."""
        first, *others = self.symbols.values()
        return first if all(each == first for each in others) else tuple(range(len(first)))

    @classmethod
    def of(
        cls,
        domains: Mapping[str, Sequence[Any]],
        observed: str | Sequence[str] | None,
        *,
        max_worlds: int | None,
        max_checks: int | None,
    ) -> "Domains":
        """Split the domains of a user into symbols and observed names, keeping their order.

        Args:
            domains: the values of each name.
            observed: the observed name; several names, whose outcomes are tuples; None is the last
                name.
            max_worlds: the largest number of worlds; None is no limit.
            max_checks: the largest number of pairs of a world and an outcome; None is no limit.

        Raises:
            RuleError: if a domain is empty, repeats a value or has another length than those of the
                other symbols, an observed name has no domain, or there are too many worlds.
        """
        for name, values in domains.items():
            if isinstance(values, str) or not hasattr(values, "__len__"):
                raise RuleError(
                    f"domain of {shown(name)}: expected a sequence of values such as range(10), "
                    f"got {shown(values)}"
                )
            if len(values) == 0:
                raise RuleError(f"domain of {shown(name)}: expected at least 1 value, got none")
        names = _observed(tuple(domains), observed)
        symbols = [name for name in domains if name not in names]
        _check_symbols({name: len(domains[name]) for name in symbols})
        _check_sizes(
            prod(len(domains[name]) for name in symbols),
            prod(len(domains[name]) for name in names),
            max_worlds,
            max_checks,
        )
        return cls(
            {name: distinct(domains[name], f"domain of {shown(name)}") for name in symbols},
            {name: distinct(domains[name], f"domain of {shown(name)}") for name in names},
            joint=observed is not None and not isinstance(observed, str),
        )


def distinct(values: Sequence[Any], what: str) -> tuple[Any, ...]:
    """The values as a tuple, checked to be different and hashable.

    Args:
        values: the values.
        what: what they are, for the error message.

    Raises:
        RuleError: if two values are equal, or one is not hashable.
    """
    found = tuple(plain(values))
    seen = set()
    for value in found:
        try:
            known = value in seen
        except TypeError as error:
            raise RuleError(
                f"{what}: expected values that can be keys of a dictionary, got {shown(value)}"
            ) from error
        if known:
            raise RuleError(f"{what}: expected different values, got {shown(value)} twice")
        seen.add(value)
    return found


def values_of(values: Sequence[Any] | None, n_values: int) -> tuple[Any, ...]:
    """The values of a symbol: those given, or 0 to c - 1.

    Args:
        values: c different values; None is 0 to c - 1.
        n_values: the number of values, c.

    Raises:
        RuleError: if values repeat, or their number is not c.
    """
    found = tuple(range(n_values)) if values is None else distinct(values, "values")
    if len(found) != n_values:
        raise RuleError(f"values: expected {n_values}, as n_values says, got {len(found)}")
    return found


def _observed(names: tuple[str, ...], observed: str | Sequence[str] | None) -> tuple[str, ...]:
    if observed is None:
        return names[-1:]
    chosen = (observed,) if isinstance(observed, str) else tuple(observed)
    for name in chosen:
        if name not in names:
            raise RuleError(
                f"observed: expected names among {', '.join(map(shown, names))}, got {shown(name)}"
            )
    return chosen


def _check_symbols(lengths: Mapping[str, int]) -> None:
    if not lengths:
        raise RuleError("expected at least 1 symbol, a name that is not observed, got none")
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{shown(name)} {length}" for name, length in lengths.items())
        raise RuleError(
            "expected the same number of values for each symbol, because value j is cluster j; got "
            f"{counts}"
        )


def _check_sizes(
    n_worlds: int, n_outcomes: int, max_worlds: int | None, max_checks: int | None
) -> None:
    instead = (
        "use FoldRule, which takes the symbols one by one, or CircuitRule, which compiles a formula"
    )
    if max_worlds is not None and n_worlds > max_worlds:
        raise RuleError(
            f"the symbols have {n_worlds:,} worlds: expected at most {max_worlds:,}; {instead}"
        )
    if max_checks is not None and n_worlds * n_outcomes > max_checks:
        raise RuleError(
            f"the rule has {n_worlds:,} worlds times {n_outcomes:,} outcomes: expected at most "
            f"{max_checks:,}; {instead}"
        )
