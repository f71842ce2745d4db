"""The outcomes of a rule and their codes."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from gedi.errors import RuleError
from gedi.printable import printable

__all__ = ["Outcomes", "listed", "plain", "shown"]

_SHOWN = 8  # the largest number of outcomes in a message


class Outcomes:
    """The possible outcomes, numbered from 0.

    Args:
        values: different values, in the order of their codes.
        impossible: values in the domain of the outcomes with which no world agrees.
    """

    def __init__(self, values: Sequence[Any], impossible: Iterable[Any] = ()) -> None:
        self.values = tuple(values)
        self._codes = {value: code for code, value in enumerate(self.values)}
        self._impossible = frozenset(impossible)

    def encode(self, outcomes: Sequence[Any]) -> Tensor:
        """The codes of m values, int64, (m,).

        Values that are equal in Python, such as 1 and True, have the same code.

        Raises:
            RuleError: if a value has no code; the message gives the value and its index.
        """
        codes = torch.empty(len(outcomes), dtype=torch.int64)
        for place, given in enumerate(plain(outcomes)):
            value = tuple(given) if isinstance(given, list) else given
            code = self._code(value)
            if code is None:
                raise RuleError(f"outcome {place} {self._complaint(value)}")
            codes[place] = code
        return codes

    def _code(self, value: Any) -> int | None:
        try:
            return self._codes.get(value)
        except TypeError:  # an unhashable value is not an outcome
            return None

    def _complaint(self, value: Any) -> str:
        expected = f"expected {listed(self.values)}"
        try:
            impossible = value in self._impossible
        except TypeError:
            impossible = False
        if impossible:
            return f"is {shown(value)}, with which no world agrees under the rule: {expected}"
        return f"is {shown(value)}, which is outside the rule's domain: {expected}"


def plain(values: Sequence[Any]) -> list[Any]:
    """Plain Python values from a list, an array or a tensor."""
    whole = values.tolist() if hasattr(values, "tolist") else values
    return [value.tolist() if hasattr(value, "tolist") else value for value in whole]


def shown(value: Any) -> str:
    """The text of a value in a message."""
    text = printable(repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def listed(values: Sequence[Any]) -> str:
    """The text of some values in a message, with the middle omitted if there are many."""
    if len(values) == 1:
        return shown(values[0])
    if len(values) <= _SHOWN:
        return f"one of {', '.join(map(shown, values))}"
    first = ", ".join(map(shown, values[: _SHOWN - 2]))
    return f"one of {first}, ..., {shown(values[-1])} ({len(values)} in all)"
