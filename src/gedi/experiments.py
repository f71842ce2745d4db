"""The paper's comparisons, cell by cell: each method on the same data, encoder, views and budget.

A cell is one training, of one method from one seed, in a run folder of its own; what was measured
on it lies beside the model. Tables are read off the cells that are there, so that they can grow
over several sittings.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Literal

from gedi.errors import SettingsError
from gedi.markdown import spread
from gedi.markdown import table as table_of
from gedi.settings import Settings, from_dict

__all__ = [
    "METHODS",
    "PRESETS",
    "TOYS",
    "Budget",
    "Cell",
    "Preset",
    "PresetName",
    "TableName",
    "TaskName",
    "Tree",
    "cells",
    "markdown",
    "merged",
    "settings_of",
]

TableName = Literal["clustering", "generation", "ood", "toy"]
TaskName = Literal["addition", "carry", "parity", "ordering", "sudoku"]
PresetName = Literal["cpu", "gpu", "paper"]
Budget = Literal["updates", "minutes"]
Tree = dict[str, Any]

TOYS = ("moons", "circles")

METHODS: Mapping[str, Tree] = {
    "GEDI": {},
    "GEDI no gen": {"weights": {"gen": 0.0}},
    "JEM": {"weights": {"inv": 0.0, "prior": 0.0}},
    "Barlow Twins": {"method": "barlow-twins"},
    "SwAV": {"method": "swav"},
}
"""What sets a method apart, over the settings that all share."""


@dataclass(frozen=True)
class Preset:
    """What all methods share.

    Args:
        data: the data sets, as `gedi train` takes them; each makes a table of its own.
        against: other sets of images, as outliers.
        settings: over the defaults.
        by_method: over those, what was tuned for one method.
        updates: batches that a cell trains on, those of all its restarts together; None leaves
            `max_iter` as it is.
        epochs: passes over each data set, where these say how long.
        toy: settings for moons and circles, over the defaults.
        seeds: how many.
        toy_seeds: how many for moons and circles.
    """

    data: tuple[str, ...]
    against: tuple[str, ...] = ()
    settings: Tree = field(default_factory=dict)
    by_method: Mapping[str, Tree] = field(default_factory=dict)
    updates: int | None = None
    epochs: Mapping[str, int] = field(default_factory=dict)
    toy: Tree = field(default_factory=dict)
    seeds: int = 3
    toy_seeds: int = 5


PRESETS: Mapping[PresetName, Preset] = {
    "cpu": Preset(
        data=("mnist",),
        settings={"encoder": {"kind": "conv"}},
        # A quarter of the rate, the default for GEN alone, is too slow for so few updates.
        by_method={"JEM": {"gen_slowdown": 1.0}},
        updates=1600,
    ),
    "gpu": Preset(
        data=("cifar10",),
        against=("svhn", "cifar100"),
        settings={
            "encoder": {"kind": "resnet8"},
            "precision": "bf16-mixed",
            "compile": True,
        },
        updates=50_000,
    ),
    # What is known of the paper's set-up (Sansone & Manhaeve, TMLR 2025). Not known, and here as
    # JEM has them (Grathwohl et al., ICLR 2020): steps of size 1 without Metropolis test, and noise
    # of 0.03 in the data; the weights are the defaults.
    "paper": Preset(
        data=("svhn", "cifar10", "cifar100"),
        settings={
            "batch_size": 64,
            "learning_rate": 1e-4,
            "gen_slowdown": 1.0,
            "decay": 0.0,
            "data_noise": 0.03,
            "weights": {"max_contrast": math.inf},
            "encoder": {"kind": "resnet8", "base": False},
            "restarts": {"n": 1},
            "sampler": {
                "step_size": 1.0,
                "n_steps": 20,
                "every": 1,
                "metropolis": False,
                "noise": 0.01,
                "precondition": False,
                "boundary": "clamp",
                "jumps": 0,
                "buffer_size": 10_000,
                "reinit": 0.05,
            },
        },
        epochs={"svhn": 20, "cifar10": 200, "cifar100": 200},
        toy={"max_iter": 7000, "learning_rate": 1e-3},
        seeds=1,
    ),
}


@dataclass(frozen=True)
class Cell:
    """One training.

    Args:
        method: a key of `METHODS`.
        data: the data set, as `gedi train` takes it.
        seed: of all random numbers.
        budget: what all methods have as much of.
        preset: the settings that they share.
    """

    method: str
    data: str
    seed: int
    budget: Budget
    preset: PresetName

    @property
    def data_name(self) -> str:
        """The data set, without where it lies."""
        return Path(self.data).stem

    @property
    def name(self) -> str:
        """The folder of the cell among others."""
        method = self.method.lower().replace(" ", "-")
        return f"{self.data_name}-{self.preset}-{self.budget}-{method}-{self.seed}"

    def row(self) -> dict[str, str | int]:
        """What the cell is, for those who read its measures elsewhere."""
        return {
            "data": self.data_name,
            "preset": self.preset,
            "budget": self.budget,
            "method": self.method,
            "seed": self.seed,
        }


def cells(
    preset: PresetName,
    data: Sequence[str],
    methods: Sequence[str],
    seeds: int,
    budget: Budget,
) -> list[Cell]:
    """The cells of a table; every method gets its first seed before any gets its second.

    Raises:
        SettingsError: for a method that is not known.
    """
    for method in methods:
        if method not in METHODS:
            raise SettingsError(f"methods: expected some of {', '.join(METHODS)}; got {method!r}")
    return [
        Cell(method, name, seed, budget, preset)
        for name in data
        for seed in range(seeds)
        for method in methods
    ]


def settings_of(
    cell: Cell, n_points: int, n_classes: int, minutes: float, changes: Tree
) -> Settings:
    """The settings of a cell's training, not yet resolved.

    Args:
        cell: which.
        n_points: of the data.
        n_classes: of the data, which is all that is told of them.
        minutes: of a training, if the budget is `minutes`.
        changes: over those of the preset, for every method.

    Raises:
        SettingsError: for changes that do not fit.
    """
    preset = PRESETS[cell.preset]
    tree: Tree = {"n_clusters": n_classes, "patience": _FOREVER, "seed": cell.seed}
    toy = cell.data in TOYS
    for part in (
        preset.toy if toy else preset.settings,
        {} if toy else preset.by_method.get(cell.method, {}),
        _duration(cell, preset, n_points, minutes),
        changes,
        METHODS[cell.method],
    ):
        tree = merged(tree, part)
    return from_dict(tree)


def _duration(cell: Cell, preset: Preset, n_points: int, minutes: float) -> Tree:
    if cell.budget == "minutes":
        return {"max_time": 60 * minutes, "max_iter": _FOREVER}
    epochs = preset.epochs.get(cell.data_name)
    if epochs is not None:
        return {"max_iter": math.ceil(epochs * n_points / preset.settings["batch_size"])}
    if preset.updates is None or cell.data in TOYS:
        return {}
    if cell.method not in _CHOOSING:
        return {"max_iter": preset.updates}
    # Restarts side by side take a batch each.
    beside = (_RESTARTS["n"] - 1) * _RESTARTS["iterations"]
    return {"max_iter": preset.updates - beside, "restarts": _RESTARTS}


def merged(tree: Tree, part: Mapping[str, Any]) -> Tree:
    """The tree with the values of another put over its own, leaf by leaf.

    Args:
        tree: nested names with values.
        part: the same, of which any may be missing.
    """
    found = dict(tree)
    for name, value in part.items():
        known = found.get(name)
        found[name] = merged(known, value) if isinstance(known, dict) else value
    return found


@dataclass(frozen=True)
class _Row:
    """A line of a table: what it is about, and the figures of its cells.

    Args:
        about: the values of the first columns.
        measured: the measures of the cells, one for each seed.
        path: the keys under which the figures lie.
    """

    about: tuple[str, ...]
    measured: Sequence[Tree]
    path: tuple[str, ...] = ()

    def figures(self, *keys: str) -> list[float]:
        """The figure of every cell that has it."""
        found = []
        for tree in self.measured:
            value: Any = tree
            for key in (*self.path, *keys):
                value = value.get(key) if isinstance(value, Mapping) else None
            if value is not None:
                found.append(float(value))
        return found


def markdown(table: TableName, found: Sequence[tuple[Cell, Tree]]) -> str:
    """The table in Markdown, for each method and budget over its seeds.

    Median and range; for the toys mean and standard deviation, as the paper has them.

    Args:
        table: which.
        found: cells with what was measured on them.
    """
    groups: dict[tuple[str, ...], list[Tree]] = {}
    for cell, measured in found:
        named = (cell.data_name, cell.method, f"equal {cell.budget}")
        groups.setdefault(named, []).append(measured)
    if table == "ood":
        return "\n".join(_of_outliers(groups, figure) for figure in ("AUROC", "AUPR", "FPR95"))
    told = _deviation if table == "toy" else spread
    lines = []
    for about, group in groups.items():
        row = _Row(about, group)
        minutes = [seconds / 60 for seconds in row.figures("seconds")]
        figures = [told(row.figures(*keys)) for _, keys in _COLUMNS[table]]
        lines.append((*about, str(len(group)), *figures, spread(minutes, 1)))
    heads = ("data", "method", "budget", "seeds", *(head for head, _ in _COLUMNS[table]), "minutes")
    return table_of(heads, lines)


def _of_outliers(groups: Mapping[tuple[str, ...], Sequence[Tree]], figure: str) -> str:
    """One figure of detection for every score, method and set of outliers."""
    first: Tree = next(
        (tree["ood"] for found in groups.values() for tree in found if "ood" in tree), {}
    )
    names = list(next(iter(first.values()), {}))
    rows = [
        _Row((*about, score), group, ("ood", score))
        for score in first
        for about, group in groups.items()
    ]
    lines = [(*row.about, *(spread(row.figures(name, figure)) for name in names)) for row in rows]
    heads = ("data", "method", "budget", "score", *names)
    return f"{figure}\n\n{table_of(heads, lines)}"


def _deviation(values: Sequence[float], digits: int = 3) -> str:
    """Mean and standard deviation over seeds."""
    if not values:
        return "-"
    around = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{around}"


_FOREVER = 1_000_000_000  # iterations
_CHOOSING = ("GEDI", "GEDI no gen")  # the methods that have a gap to choose a restart by
_RESTARTS = {"n": 3, "iterations": 250}
_COLUMNS: Mapping[TableName, Sequence[tuple[str, tuple[str, ...]]]] = {
    "clustering": [
        *((name, ("clustering", name)) for name in ("NMI", "ARI", "accuracy")),
        ("20-NN accuracy", ("embedding", "knn accuracy")),
        ("linear probe accuracy", ("embedding", "linear probe accuracy")),
        ("collapse gap (nats)", ("collapse_gap",)),
    ],
    "generation": [(name, ("generation", name)) for name in ("FID", "KID", "precision", "recall")],
    "toy": [
        *((name, ("toy", name)) for name in ("NMI", "accuracy", "log-likelihood", "regret")),
        ("collapse gap (nats)", ("collapse_gap",)),
    ],
}
