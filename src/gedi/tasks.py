"""Symbol grounding: tasks in which only a rule over several images of digits is observed.

The experiment of the paper (Sansone & Manhaeve, TMLR 2025) is addition, from DeepProbLog (Manhaeve
et al., NeurIPS 2018): pairs of digits with their sum. The others ask for more symbols, for rules
that do not say all about them, and for logic.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from statistics import median, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gedi.errors import DataError, SettingsError
from gedi.experiments import Tree, merged
from gedi.markdown import table
from gedi.rules import CircuitRule, Rule, SymbolicRule, sum_rule
from gedi.settings import Settings, from_dict

__all__ = [
    "COMPARED",
    "RULE_METHODS",
    "TASKS",
    "RuleCell",
    "Task",
    "group_rows",
    "outcome_accuracy_of",
    "rule_cells",
    "rule_settings",
    "rule_table",
]

Integers = NDArray[np.int64]

RULE_METHODS: Mapping[str, Tree] = {
    # At a quarter of the rate, the default for GEN, few images are learned too slowly.
    "GEDI": {"gen_slowdown": 0.5},
    "GEDI not renamed": {"gen_slowdown": 0.5, "rename": False},
    "GEDI no gen": {"weights": {"gen": 0.0}},
    "SwAV": {"method": "swav", "rename": False},
    "SwAV renamed": {"method": "swav"},
    "rule alone": {"weights": {"gen": 0.0, "inv": 0.0, "prior": 0.0}, "rename": False},
}
"""What sets a method apart; all have the rule's term. Rivals train as published: clusters keep
their numbers, and the rule alone is as DeepProbLog trains."""

COMPARED = ("GEDI", "GEDI no gen", "SwAV", "rule alone")
"""Methods of a table where none are asked for; the others say what changing numbers does."""

_SETTINGS: Tree = {"encoder": {"kind": "conv"}, "batch_size": 128, "restarts": {"n": 1}}
_FOREVER = 1_000_000_000  # iterations


@dataclass(frozen=True)
class Task:
    """What is observed of groups of digits.

    Args:
        n_symbols: digits in a group, k.
        n_values: digits from 0 to c - 1 take part.
        rule: makes the rule over them.
        outcome: from symbols (m, k) to what is observed, (m,).
        groups: numbers of groups for which there are tables.
        symbols: draws symbols of m groups, (m, k), where they are not to be those of images at
            random.
        symmetric: whether some renaming of the symbols leaves all outcomes as they are, so that the
            rule cannot name them.
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
    """Three different digits, in ascending order in every second group."""
    symbols = np.stack([rng.permutation(10)[:3] for _ in range(m)])
    symbols[::2].sort(1)
    return symbols


_SUDOKU = [
    *([4 * row + column for column in range(4)] for row in range(4)),
    *([4 * row + column for row in range(4)] for column in range(4)),
    *([8 * i + 2 * j + k for k in (0, 1, 4, 5)] for i in range(2) for j in range(2)),
]
"""Cells of rows, columns and blocks that are all different."""


def _is_sudoku(boards: Integers) -> Integers:
    """Whether rows, columns and blocks of boards (m, 16) hold each of four values."""
    whole = np.sort(boards[:, _SUDOKU], -1) == np.arange(4)
    found: Integers = whole.all((1, 2)).astype(np.int64)
    return found


def _boards(m: int, rng: np.random.Generator) -> Integers:
    """Boards, every second one valid, and the others with two cells of a valid one exchanged."""
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
    """Which images make up m groups: rows (m, k), no image twice where there are enough.

    Args:
        task: whose groups.
        labels: digits of all images, (n,).
        m: groups.
        rng: source of all randomness.

    Raises:
        DataError: for fewer images than the groups take.
    """
    k = task.n_symbols
    if task.symbols is None:
        rows = rng.permutation(np.flatnonzero(labels < task.n_values))
        if len(rows) < m * k:
            raise DataError(f"{m} groups of {k} take {m * k} images, but there are {len(rows)}")
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


@dataclass(frozen=True)
class RuleCell:
    """One training.

    Args:
        task: a key of `TASKS`.
        n_groups: groups that are observed.
        unlabelled: whether all other images are there as well, without outcomes.
        method: a key of `RULE_METHODS`.
        seed: of the groups and of all other random numbers.
    """

    task: str
    n_groups: int
    unlabelled: bool
    method: str
    seed: int

    @property
    def name(self) -> str:
        """The folder of the cell among others."""
        method = self.method.lower().replace(" ", "-")
        others = "-all" if self.unlabelled else ""
        return f"{self.task}-{self.n_groups}{others}-{method}-{self.seed}"


def rule_cells(
    task: str, numbers: Sequence[int], unlabelled: bool, methods: Sequence[str], seeds: int
) -> list[RuleCell]:
    """The cells of a table; every method gets its first seed before any gets its second.

    Raises:
        SettingsError: for a method that is not known.
    """
    for method in methods:
        if method not in RULE_METHODS:
            raise SettingsError(
                f"methods: expected some of {', '.join(RULE_METHODS)}; got {method!r}"
            )
    return [
        RuleCell(task, n, unlabelled, method, seed)
        for n in numbers
        for seed in range(seeds)
        for method in methods
    ]


def rule_settings(cell: RuleCell, minutes: float, changes: Tree) -> Settings:
    """The settings of a cell's training, not yet resolved.

    Args:
        cell: which.
        minutes: of the training.
        changes: over the defaults, for every method.

    Raises:
        SettingsError: for changes that do not fit.
    """
    tree: Tree = {
        "n_clusters": TASKS[cell.task].n_values,
        "seed": cell.seed,
        "patience": _FOREVER,
        "max_time": 60 * minutes,
        "max_iter": _FOREVER,
    }
    for part in (_SETTINGS, changes, RULE_METHODS[cell.method]):
        tree = merged(tree, part)
    return from_dict(tree)


def outcome_accuracy_of(log_probabilities: NDArray[np.floating]) -> float:
    """Share of groups whose observed outcome is more likely than all others together."""
    return float(np.mean(log_probabilities > math.log(0.5)))


def rule_table(found: Sequence[tuple[RuleCell, Tree]]) -> str:
    """The table in Markdown: median and standard deviation over the seeds of each method."""
    groups: dict[tuple[str, ...], list[Tree]] = {}
    for cell, measured in found:
        others = "all images" if cell.unlabelled else "none"
        about = (cell.task, f"{cell.n_groups:,}", others, cell.method)
        groups.setdefault(about, []).append(measured)
    lines = [
        (
            *about,
            str(len(trees)),
            *(_told(_figures(about[0], name, trees)) for name in _COLUMNS),
        )
        for about, trees in groups.items()
    ]
    return table(("task", "groups", "beside them", "method", "seeds", *_COLUMNS), lines)


_COLUMNS = (
    "symbol accuracy",
    "matched accuracy",
    "NMI",
    "outcomes right",
    "outcomes right, training",
    "AUROC noise",
    "rule's share",
    "minutes",
)


def _figures(task: str, name: str, trees: Sequence[Tree]) -> list[float]:
    """The figure of every cell that has it; where the rule names no symbol, none of names."""
    if name == "symbol accuracy" and TASKS[task].symmetric:
        return []
    return [tree[name] for tree in trees if name in tree]


def _told(values: Sequence[Any]) -> str:
    """Median and standard deviation."""
    if not values:
        return "-"
    around = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
    return f"{median(values):.3f}{around}"
