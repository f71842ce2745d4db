"""Groups of inputs and their outcomes, as arguments of an estimator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gedi.errors import DataError, RuleError
from gedi.estimators.frames import as_points
from gedi.rules import SymbolicRule
from gedi.rules.outcomes import listed

__all__ = ["array_of", "check_rule", "check_values", "codes_of", "inputs_of", "with_others"]


def check_rule(rule: Any) -> None:
    """Refuse anything but a rule.

    Raises:
        RuleError: for anything else.
    """
    if not isinstance(rule, SymbolicRule):
        raise RuleError(
            "rule: expected a rule, such as a gedi.Rule, gedi.FoldRule or gedi.CircuitRule, "
            f"got {type(rule).__name__}"
        )


def check_values(rule: SymbolicRule, values: Sequence[Any]) -> None:
    """Refuse a rule whose symbols have other values than those that were learned.

    Raises:
        RuleError: for other values, or the same values in another order.
    """
    if rule.values != tuple(values):
        raise RuleError(
            f"rule: expected symbols whose values are {_all(values)}, in this order, as in the "
            f"rule that was fitted, got {_all(rule.values)}"
        )


def inputs_of(groups: Any, n_symbols: int) -> NDArray[Any]:
    """The inputs of all groups, in order.

    Args:
        groups: (m, k, d), (m, k, H, W) or (m, k, C, H, W).
        n_symbols: k.

    Returns:
        Inputs (m * k, ...).

    Raises:
        DataError: for no groups, or another number of dimensions.
        RuleError: for groups of another size.
    """
    expected = "groups: expected shape (m, k, d), or (m, k, H, W) or (m, k, C, H, W) of images"
    try:
        array = np.asarray(as_points(groups))
    except ValueError as error:  # of numpy, for lists that do not form an array
        raise DataError(f"{expected}, got inputs or groups of different shapes") from error
    if array.ndim not in (3, 4, 5):
        raise DataError(f"{expected}, got {array.shape}")
    if len(array) == 0:
        raise DataError("groups: expected at least one, got none")
    if array.shape[1] != n_symbols:
        raise RuleError(
            f"groups: expected {n_symbols} inputs in each, one for each symbol of the rule, "
            f"got {array.shape[1]}"
        )
    return array.reshape(-1, *array.shape[2:])


def with_others(inputs: NDArray[Any], others: Any) -> NDArray[Any]:
    """Inputs of groups, followed by inputs that belong to no group.

    Args:
        inputs: (n, ...).
        others: (u, ...), or None.

    Raises:
        DataError: for others of another shape, or in other units (bytes or values from 0 to 1).
    """
    if others is None:
        return inputs
    more = np.asarray(as_points(others))
    if more.shape[1:] != inputs.shape[1:] or more.ndim != inputs.ndim:
        shape = ", ".join(("n", *map(str, inputs.shape[1:])))
        raise DataError(
            f"unlabelled: expected inputs like those of the groups, shape ({shape}), "
            f"got {more.shape}"
        )
    if inputs.ndim > 2 and (inputs.dtype == np.uint8) != (more.dtype == np.uint8):
        raise DataError(
            f"unlabelled: expected images of {inputs.dtype}, like those of the groups, "
            f"got {more.dtype}"
        )
    return np.concatenate([inputs, more])


def codes_of(outcomes: Any, rule: SymbolicRule, n_groups: int) -> Tensor:
    """Codes of the outcomes of groups, (m,).

    Args:
        outcomes: one outcome of the rule for each group; None if the rule holds for every group.
        rule: the rule.
        n_groups: number of groups, m.

    Raises:
        DataError: for no outcomes, if the rule has other outcomes than True, or another number of
            them than groups.
        RuleError: for an outcome that the rule does not know, or that is impossible.
    """
    if outcomes is None:
        if not any(outcome is True for outcome in rule.outcomes):
            raise DataError(f"outcomes: expected {listed(rule.outcomes)} for each group, got None")
        return rule.encode([True] * n_groups)
    if not hasattr(outcomes, "__len__") or isinstance(outcomes, str):
        raise DataError(
            f"outcomes: expected one for each of the {n_groups} groups, "
            f"got a single {type(outcomes).__name__}"
        )
    if len(outcomes) != n_groups:
        raise DataError(
            f"outcomes: expected one for each of the {n_groups} groups, got {len(outcomes)}"
        )
    return rule.encode(outcomes)


def array_of(values: Sequence[Any]) -> NDArray[Any]:
    """Values in an array (n,) of numbers or text if all have the same type, else of objects."""
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and kinds <= {bool, int, float, str}:
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):  # one by one, as numpy would make rows of tuples
        array[place] = value
    return array


def _all(values: Sequence[Any]) -> str:
    return listed(values).removeprefix("one of ")
