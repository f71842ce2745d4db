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
    """Symbols, and what is observed of them.

    Attributes:
        symbols: the values of each symbol by its name; value j of each is cluster j.
        observed: the values by name of what is observed.
        joint: whether an outcome is a tuple, of the values of all that is observed.
    """

    symbols: Mapping[str, tuple[Any, ...]]
    observed: Mapping[str, tuple[Any, ...]]
    joint: bool

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of any symbol; numbers from 0 to c - 1 where symbols differ in them."""
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
        """The domains a user gives, in their order.

        Args:
            domains: values by name.
            observed: a name; several, whose outcomes are tuples; None for the last one.
            max_worlds: worlds up to which they may be listed; None for any number.
            max_checks: worlds times outcomes up to which they may be tried; likewise.

        Raises:
            RuleError: a domain is empty, repeats a value or has another length than the others'; an
                observed name has no domain; or there are too many worlds.
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
    """Values as a tuple.

    Raises:
        RuleError: two are equal, or one cannot be compared by its hash.
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
    """The values of a symbol: those given, or numbers from 0 to c - 1.

    Args:
        values: different from each other, c of them; None for numbers.
        n_values: c.

    Raises:
        RuleError: another number of values, or some that repeat.
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
        raise RuleError("expected a name that is not observed, whose values are those of a symbol")
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{shown(name)} {length}" for name, length in lengths.items())
        raise RuleError(
            "expected equally many values of each symbol, since value j is cluster j of all; got "
            f"{told}"
        )


def _check_sizes(
    n_worlds: int, n_outcomes: int, max_worlds: int | None, max_checks: int | None
) -> None:
    instead = (
        "use FoldRule, which goes through the symbols one by one, or CircuitRule, which compiles "
        "logic"
    )
    if max_worlds is not None and n_worlds > max_worlds:
        raise RuleError(
            f"the symbols have {n_worlds:,} worlds, more than the {max_worlds:,} that are listed: "
            f"{instead}"
        )
    if max_checks is not None and n_worlds * n_outcomes > max_checks:
        raise RuleError(
            f"{n_worlds:,} worlds times {n_outcomes:,} outcomes are more than the {max_checks:,} "
            f"that are tried: {instead}"
        )
