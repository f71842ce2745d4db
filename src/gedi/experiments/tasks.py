"""Tasks of symbol grounding, in which only outcomes of a rule over several digits are known.

The experiment of the paper (Sansone & Manhaeve, TMLR 2025) is addition, from DeepProbLog (Manhaeve
et al., NeurIPS 2018): pairs of digits with their sum. The others have more symbols, rules
that do not determine them, and logic.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from gedi.errors import DataError
from gedi.rules import CircuitRule, Rule, SymbolicRule, sum_rule

__all__ = ["TASKS", "Task", "group_rows"]

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """A rule over groups of digits, and its outcomes.

    Args:
        n_symbols: number of digits in a group, k.
        n_values: number of values of a digit, c; digits from 0 to c - 1 take part.
        rule: returns the rule over the digits.
        outcome: maps symbols (m, k) to observed outcomes, (m,).
        groups: numbers of groups in the tables.
        symbols: draws the symbols of m groups, (m, k); None: those of images drawn at random.
        symmetric: whether a renaming of the symbols leaves all outcomes unchanged, so that the rule
            cannot name them.
    """

    n_symbols: int
    n_values: int
    rule: Callable[[], SymbolicRule]
    outcome: Callable[[Integers], Integers]
    groups: tuple[int, ...] = (1000,)
    symbols: Callable[[int, np.random.Generator], Integers] | None = None
    symmetric: bool = False


def _sum(symbols: Integers) -> Integers:
    return np.asarray(symbols.sum(1))


def _odd(symbols: Integers) -> Integers:
    return np.asarray(_sum(symbols) % 2)


def _ascending(symbols: Integers) -> Integers:
    return np.asarray((np.diff(symbols, axis=1) > 0).all(1), dtype=np.int64)


def _two_digits(symbols: Integers) -> Integers:
    return 10 * (symbols[:, 0] + symbols[:, 2]) + symbols[:, 1] + symbols[:, 3]


def _carry() -> Rule:
    names: dict[str, Sequence[int]] = dict.fromkeys("abcd", range(10))
    return Rule(
        lambda a, b, c, d, s: 10 * (a + c) + b + d == s, {**names, "s": range(199)}, observed="s"
    )


def _parity() -> Rule:
    domains = {"a": range(10), "b": range(10), "odd": range(2)}
    return Rule(lambda a, b, odd: (a + b) % 2 == odd, domains)


def _ordering() -> Rule:
    domains = {**dict.fromkeys("abc", range(10)), "ordered": range(2)}
    return Rule(lambda a, b, c, ordered: (a < b < c) == ordered, domains)


def _in_order(m: int, rng: np.random.Generator) -> Integers:
    """Three different digits, sorted in every second group."""
    symbols = np.stack([rng.permutation(10)[:3] for _ in range(m)])
    symbols[::2].sort(1)
    return symbols


_SUDOKU = [
    *([4 * row + column for column in range(4)] for row in range(4)),
    *([4 * row + column for row in range(4)] for column in range(4)),
    *([8 * i + 2 * j + k for k in (0, 1, 4, 5)] for i in range(2) for j in range(2)),
]
"""The cells of each row, column and block."""


def _is_sudoku(boards: Integers) -> Integers:
    """Returns whether all rows, columns and blocks of boards (m, 16) hold each of four values."""
    whole = np.sort(boards[:, _SUDOKU], -1) == np.arange(4)
    found: Integers = whole.all((1, 2)).astype(np.int64)
    return found


def _boards(m: int, rng: np.random.Generator) -> Integers:
    """Boards: every second one is valid, and in the others two cells of a valid one are swapped."""
    valid = _valid_boards()
    boards = valid[rng.integers(len(valid), size=m)]
    for board in boards[1::2]:
        i, j = rng.choice(16, size=2, replace=False)
        while board[i] == board[j]:
            i, j = rng.choice(16, size=2, replace=False)
        board[[i, j]] = board[[j, i]]
    return boards


def _valid_boards() -> Integers:
    """All 288 valid boards, (288, 16)."""
    rows = np.array(list(permutations(range(4))))
    halves = np.concatenate(
        [np.repeat(rows, len(rows), 0), np.tile(rows, (len(rows), 1))], 1
    )  # (576, 8)
    blocks = [np.sort(halves[:, cells], 1) == np.arange(4) for cells in _SUDOKU[8:10]]
    halves = halves[np.logical_and(*blocks).all(1)]
    boards = np.concatenate(
        [np.repeat(halves, len(halves), 0), np.tile(halves, (len(halves), 1))], 1
    )
    valid: Integers = boards[_is_sudoku(boards) == 1]
    return valid


TASKS: Mapping[str, Task] = {
    "addition": Task(2, 10, lambda: sum_rule(2, 10), _sum, (100, 1000, 10_000)),
    "carry": Task(4, 10, _carry, _two_digits),
    "parity": Task(2, 10, _parity, _odd, symmetric=True),
    "ordering": Task(
        3,
        10,
        _ordering,
        _ascending,
        symbols=_in_order,
    ),
    "sudoku": Task(
        16,
        4,
        lambda: CircuitRule.all_different(_SUDOKU, 16, 4),
        _is_sudoku,
        (300,),
        _boards,
        symmetric=True,
    ),
}


def group_rows(task: Task, labels: Integers, m: int, rng: np.random.Generator) -> Integers:
    """The images of m groups: rows (m, k), without repetition if there are enough images.

    Args:
        task: the task.
        labels: digits of all images, (n,).
        m: number of groups.
        rng: source of all randomness.

    Raises:
        DataError: if there are too few images.
    """
    k = task.n_symbols
    if task.symbols is None:
        rows = rng.permutation(np.flatnonzero(labels < task.n_values))
        if len(rows) < m * k:
            raise DataError(f"{m} groups of {k} need {m * k} images, but there are {len(rows)}")
        return rows[: m * k].reshape(m, k)
    symbols = task.symbols(m, rng).ravel()
    rows = np.empty(m * k, dtype=np.int64)
    for value in range(task.n_values):
        places, images = np.flatnonzero(symbols == value), np.flatnonzero(labels == value)
        if len(images) == 0:
            raise DataError(
                f"expected images of every digit up to {task.n_values - 1}, got none of {value}"
            )
        rows[places] = np.resize(rng.permutation(images), len(places))
    return rows.reshape(m, k)
