"""Symbol grounding: methods that learn digits from the outcomes of a rule, and their table.

The experiment of the paper (Sansone & Manhaeve, TMLR 2025) is the task `addition`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from gedi.experiments.comparisons import Tree, check_methods, merged
from gedi.experiments.markdown import Row, count, deviation, figures, grouped
from gedi.experiments.tasks import TASKS
from gedi.settings import Settings, from_dict

__all__ = [
    "COMPARED",
    "RULE_METHODS",
    "RuleCell",
    "outcome_accuracy_of",
    "rule_cells",
    "rule_settings",
    "rule_table",
]

RULE_METHODS: Mapping[str, Tree] = {
    # The default with GEN, a quarter of the rate, is too slow for few images.
    "GEDI": {"gen_slowdown": 0.5},
    "GEDI not renamed": {"gen_slowdown": 0.5, "rename": False},
    "GEDI no gen": {"weights": {"gen": 0.0}},
    "SwAV": {"method": "swav", "rename": False},
    "SwAV renamed": {"method": "swav"},
    "rule alone": {"weights": {"gen": 0.0, "inv": 0.0, "prior": 0.0}, "rename": False},
}
"""The settings in which each method differs; all have the term of the rule. Rivals train in their
published form: clusters keep their numbers, and "rule alone" is the objective of DeepProbLog."""

COMPARED = ("GEDI", "GEDI no gen", "SwAV", "rule alone")
"""The default methods of a table; the others show the effect of renaming clusters."""

_SETTINGS: Tree = {"encoder": {"kind": "conv"}, "batch_size": 128, "restarts": {"n": 1}}
_FOREVER = 1_000_000_000  # iterations


@dataclass(frozen=True)
class RuleCell:
    """One training.

    Args:
        task: a key of `TASKS`.
        n_groups: number of groups that are observed.
        unlabelled: whether all other images are used as well, without outcomes.
        method: a key of `RULE_METHODS`.
        seed: seed of the groups and of all other random numbers.
    """

    task: str
    n_groups: int
    unlabelled: bool
    method: str
    seed: int

    @property
    def name(self) -> str:
        """The name of the cell's folder."""
        method = self.method.lower().replace(" ", "-")
        others = "-all" if self.unlabelled else ""
        return f"{self.task}-{self.n_groups}{others}-{method}-{self.seed}"


def rule_cells(
    task: str, numbers: Sequence[int], unlabelled: bool, methods: Sequence[str], seeds: int
) -> list[RuleCell]:
    """The cells of a table, in an order in which each seed has every method before the next seed.

    Raises:
        SettingsError: for a method that is not known.
    """
    check_methods(methods, RULE_METHODS)
    return [
        RuleCell(task, n, unlabelled, method, seed)
        for n in numbers
        for seed in range(seeds)
        for method in methods
    ]


def rule_settings(cell: RuleCell, minutes: float, changes: Tree) -> Settings:
    """The settings of a cell's training, without those that are chosen from the data.

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
    """The share of groups whose observed outcome is more likely than all others together."""
    return float(np.mean(log_probabilities > math.log(0.5)))


def rule_table(found: Sequence[tuple[RuleCell, Tree]]) -> str:
    """The table in Markdown: median and standard deviation over the seeds of each method."""
    rows = [
        {
            **measured,
            "task": cell.task,
            "groups": f"{cell.n_groups:,}",
            "unlabelled": "all images" if cell.unlabelled else "none",
            "method": cell.method,
        }
        for cell, measured in found
    ]
    keys = {name: name for name in ("task", "groups", "unlabelled", "method")}
    columns = {name: lambda group, name=name: _figure(group, name) for name in _COLUMNS}
    return grouped(rows, keys, {"seeds": count, **columns})


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


def _figure(group: Sequence[Row], name: str) -> str:
    """Median and standard deviation; a dash for the symbol accuracy if the rule is symmetric."""
    if name == "symbol accuracy" and TASKS[group[0]["task"]].symmetric:
        return "-"
    return deviation(figures(group, name), centre=median)
