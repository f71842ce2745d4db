"""The paper's comparisons: each method on the same data, encoder, views and budget.

A cell is one training of one method from one seed, and has its own run folder.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gedi.errors import SettingsError
from gedi.experiments.markdown import (
    count,
    deviation,
    figure,
    figures,
    grouped,
    groups,
    spread,
)
from gedi.experiments.markdown import table as table_of
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
    "check_methods",
    "comparison_table",
    "merged",
    "settings_of",
]

TableName = Literal["clustering", "generation", "ood", "toy"]
TaskName = Literal["addition", "carry", "parity", "ordering", "sudoku"]
PresetName = Literal["cpu", "gpu", "paper"]
Budget = Literal["updates", "minutes"]
Tree = dict[str, Any]

TOYS = ("moons", "circles")

_FOREVER = 1_000_000_000  # iterations
_CHOOSING = ("GEDI", "GEDI no gen")  # methods with a gap by which a restart is chosen
_RESTARTS = {"n": 3, "iterations": 250}

METHODS: Mapping[str, Tree] = {
    "GEDI": {},
    "GEDI no gen": {"weights": {"gen": 0.0}},
    "JEM": {"weights": {"inv": 0.0, "prior": 0.0}},
    "Barlow Twins": {"method": "barlow-twins"},
    "SwAV": {"method": "swav"},
}
"""The settings in which each method differs from those that all share."""


@dataclass(frozen=True)
class Preset:
    """What all methods share.

    Args:
        data: the data sets, as arguments of `gedi train`.
        against: other sets of images, used as outliers.
        settings: changes to the defaults.
        by_method: further changes, tuned for one method.
        updates: number of batches of a cell, summed over its restarts; None: `max_iter` keeps its
            default.
        epochs: number of passes over each data set, for those that are trained by epochs.
        toy: changes to the defaults for moons and circles, where all methods use the chains of
            Algorithm 1.
        seeds: number of seeds.
        toy_seeds: number of seeds for moons and circles.
    """

    data: tuple[str, ...]
    against: tuple[str, ...] = ()
    settings: Tree = field(default_factory=dict)
    by_method: Mapping[str, Tree] = field(default_factory=dict)
    updates: int | None = None
    epochs: Mapping[str, int] = field(default_factory=dict)
    toy: Tree = field(default_factory=lambda: {"sampler": {"kind": "langevin"}})
    seeds: int = 3
    toy_seeds: int = 5


PRESETS: Mapping[PresetName, Preset] = {
    "cpu": Preset(
        data=("mnist",),
        settings={"encoder": {"kind": "conv"}},
        # The default for GEN alone, a quarter of the rate, is too slow for so few updates.
        by_method={"JEM": {"gen_slowdown": 1.0}},
        updates=1600,
    ),
    "gpu": Preset(
        data=("cifar10",),
        against=("svhn", "cifar100"),
        settings={
            "encoder": {"kind": "resnet8"},
            "precision": "bf16-mixed",
        },
        updates=50_000,
    ),
    # The known settings of the paper (Sansone & Manhaeve, TMLR 2025). Unknown ones are those of JEM
    # (Grathwohl et al., ICLR 2020): steps of size 1 without Metropolis test, and noise of 0.03 in
    # the data; the weights are the defaults.
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
        toy={"max_iter": 7000, "learning_rate": 1e-3, "sampler": {"kind": "langevin"}},
        seeds=1,
    ),
}


@dataclass(frozen=True)
class Cell:
    """One training.

    Args:
        method: a key of `METHODS`.
        data: the data set, as an argument of `gedi train`.
        seed: seed of all random numbers.
        budget: the resource of which all methods get the same amount.
        preset: the settings that all methods share.
    """

    method: str
    data: str
    seed: int
    budget: Budget
    preset: PresetName

    @property
    def data_name(self) -> str:
        """The name of the data set, without its folder."""
        return Path(self.data).stem

    @property
    def name(self) -> str:
        """The name of the cell's folder."""
        method = self.method.lower().replace(" ", "-")
        return f"{self.data_name}-{self.preset}-{self.budget}-{method}-{self.seed}"

    def row(self) -> dict[str, str | int]:
        """The arguments of the cell, for its stored measures."""
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
    """The cells of a table, in an order in which each seed has every method before the next seed.

    Raises:
        SettingsError: for a method that is not known.
    """
    check_methods(methods, METHODS)
    return [
        Cell(method, name, seed, budget, preset)
        for name in data
        for seed in range(seeds)
        for method in methods
    ]


def check_methods(methods: Sequence[str], known: Mapping[str, Tree]) -> None:
    """Refuse methods that are not known.

    Raises:
        SettingsError: for the first of them.
    """
    for method in methods:
        if method not in known:
            raise SettingsError(f"methods: expected some of {', '.join(known)}; got {method!r}")


def settings_of(
    cell: Cell, n_points: int, n_classes: int, minutes: float, changes: Tree
) -> Settings:
    """The settings of a cell's training, without those that are chosen from the data.

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
    # Each restart trains on its own batch.
    others = (_RESTARTS["n"] - 1) * _RESTARTS["iterations"]
    return {"max_iter": preset.updates - others, "restarts": _RESTARTS}


def merged(tree: Tree, part: Mapping[str, Any]) -> Tree:
    """The tree with its leaves replaced by those of another."""
    found = dict(tree)
    for name, value in part.items():
        known = found.get(name)
        found[name] = merged(known, value) if isinstance(known, dict) else value
    return found


def comparison_table(table: TableName, found: Sequence[tuple[Cell, Tree]]) -> str:
    """A table in Markdown, with one line for each method and budget over its seeds.

    Figures are the median and the range; in the table of the toys, they are the mean and the
    standard deviation, like those of the paper.
    """
    rows = [
        {
            **measured,
            "data": cell.data_name,
            "method": cell.method,
            "budget": f"equal {cell.budget}",
        }
        for cell, measured in found
    ]
    if table == "ood":
        return "\n".join(_outlier_table(rows, name) for name in ("AUROC", "AUPR", "FPR95"))
    summary = deviation if table == "toy" else spread
    columns = {title: figure(*path, summary=summary) for title, path in _COLUMNS[table].items()}
    minutes = figure("seconds", digits=1, unit=60)
    return grouped(rows, _KEYS, {"seeds": count, **columns, "minutes": minutes})


def _outlier_table(rows: Sequence[Tree], name: str) -> str:
    """One figure of detection for every score, method and set of outliers."""
    scores: Tree = next((row["ood"] for row in rows if "ood" in row), {})
    sets = list(next(iter(scores.values()), {}))
    lines = [
        (*shared, score, *(spread(figures(group, "ood", score, other, name)) for other in sets))
        for score in scores
        for shared, group in groups(rows, *_KEYS).items()
    ]
    return f"{name}\n\n{table_of((*_KEYS, 'score', *sets), lines)}"


_KEYS = {"data": "data", "method": "method", "budget": "budget"}
_COLUMNS: Mapping[TableName, Mapping[str, tuple[str, ...]]] = {
    "clustering": {
        **{name: ("clustering", name) for name in ("NMI", "ARI", "accuracy")},
        "20-NN accuracy": ("embedding", "knn accuracy"),
        "linear probe accuracy": ("embedding", "linear probe accuracy"),
        "collapse gap (nats)": ("collapse_gap",),
    },
    "generation": {name: ("generation", name) for name in ("FID", "KID", "precision", "recall")},
    "toy": {
        **{name: ("toy", name) for name in ("NMI", "accuracy", "log-likelihood", "regret")},
        "collapse gap (nats)": ("collapse_gap",),
    },
}
