"""`gedi reproduce`."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import get_args

import torch
from jsonargparse import Namespace
from rich.console import Console
from torch import Generator

from gedi.cli.cells import check_same, fit_cell, measures_of, write_measures
from gedi.cli.decoding import decoding_shown
from gedi.cli.driving import INTERRUPTED
from gedi.cli.reproduce_rules import RuleRequest, reproduce_rules
from gedi.cli.writing import writable
from gedi.data import Dataset
from gedi.errors import DataError, SettingsError
from gedi.evaluation.features import cached_feature_net
from gedi.evaluation.measures import (
    as_bytes,
    clustering_measures,
    detection_measures,
    embedding_measures,
    generation_measures,
    outlier_sets,
)
from gedi.experiments import (
    METHODS,
    PRESETS,
    TOYS,
    Cell,
    PresetName,
    TableName,
    TaskName,
    Tree,
    cells,
    markdown,
    settings_of,
)
from gedi.machine import provenance
from gedi.report.findings import find
from gedi.runs import Run, Source
from gedi.settings import CompleteSettings, learns_density
from gedi.tasks import COMPARED
from gedi.training.plan import Plan, plan
from gedi.training.trained import TrainedModel
from gedi.untrusted import yaml_of

__all__ = ["run"]

_FRESH_SEED = 1_000_003  # of the toys' test points, far from any seed of a training
_TEST_POINTS = 2000
_GENERATED = 2000  # images of each side of a distance
_ROUNDS = 20  # of the sampler's moves to each of them
_OUTLIERS = 2000  # of each set
_MINUTES = 10.0  # of the budget `minutes`
_RULE_MINUTES, _RULE_SEEDS = 2.5, 5  # of a training with a rule, and how many


@dataclass(frozen=True)
class _Material:
    """What the cells of one data set share: points to train and to measure on, and outliers."""

    source: Source
    train: Dataset
    test: Dataset
    others: Mapping[str, Dataset]
    features: Path


@dataclass(frozen=True)
class _Request:
    """What was asked for."""

    table: TableName
    preset: PresetName
    out: Path
    minutes: float
    changes: Tree
    against: Sequence[str]
    image_size: int | None
    deadline: float
    console: Console

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self.deadline


def run(options: Namespace) -> int:
    """Fill the gaps of a table, as far as time goes, and print it."""
    _check(options)
    if options.table in get_args(TaskName):
        return _reproduce_rules(options)
    for name in ("n", "unlabelled"):
        if options[name]:
            raise SettingsError(f"--{name}: is for {', '.join(get_args(TaskName))}; leave it out")
    table: TableName = options.table
    preset = PRESETS[options.preset]
    minutes = math.inf if options.stop_after is None else options.stop_after
    request = _Request(
        table,
        options.preset,
        Path(options.out),
        options.minutes or _MINUTES,
        _changes(options),
        (options.against or preset.against) if table == "ood" else (),
        options.image_size,
        time.monotonic() + 60 * minutes,
        Console(stderr=True),
    )
    wanted = cells(
        options.preset,
        options.data or (TOYS if table == "toy" else preset.data),
        options.methods or list(METHODS),
        options.seeds or (preset.toy_seeds if table == "toy" else preset.seeds),
        options.budget,
    )
    found: list[tuple[Cell, Tree]] = []
    for data, own in groupby(wanted, key=lambda cell: cell.data):
        material = _material(data, request)
        for cell in own:
            measured = _filled(cell, material, request)
            if measured is None:
                request.console.print(
                    f"Stopped with {len(found)} of {len(wanted)} cells done. "
                    "The same command goes on with the rest."
                )
                return 0 if request.is_late else INTERRUPTED
            found.append((cell, measured))
    text = markdown(table, found)
    with writable(str(request.out / f"{table}.md"), suffix=".md") as file:
        file.write_text(text, encoding="utf-8")
    print(text)
    return 0


def _reproduce_rules(options: Namespace) -> int:
    """Fill a table of symbol grounding."""
    for name in ("against", "max_iter"):
        if options[name] is not None:
            raise SettingsError(f"--{name.replace('_', '-')}: is not for {options.table}")
    data = options.data or PRESETS["cpu"].data
    if len(data) != 1 or options.preset != "cpu" or options.budget != "updates":
        raise SettingsError(
            f"{options.table}: expected one set of images as --data, and neither --preset nor "
            "--budget: trainings take --minutes each"
        )
    console, out = Console(stderr=True), Path(options.out)
    minutes = math.inf if options.stop_after is None else options.stop_after
    request = RuleRequest(
        task=options.table,
        data=data[0],
        image_size=options.image_size,
        numbers=tuple(options.n or ()),
        unlabelled=options.unlabelled,
        methods=tuple(options.methods or COMPARED),
        seeds=options.seeds or _RULE_SEEDS,
        minutes=options.minutes or _RULE_MINUTES,
        changes=_changes(options),
        out=out,
        deadline=time.monotonic() + 60 * minutes,
        console=console,
    )
    text, n_missing = reproduce_rules(request)
    if n_missing:
        console.print(
            f"Stopped with {n_missing} cells missing. The same command goes on with the rest."
        )
        return 0 if time.monotonic() > request.deadline else INTERRUPTED
    with writable(str(out / f"{options.table}.md"), suffix=".md") as file:
        file.write_text(text, encoding="utf-8")
    print(text)
    return 0


def _changes(options: Namespace) -> Tree:
    """Settings over those of the preset.

    Raises:
        SettingsError: for a file that cannot be read, or holds something else.
    """
    changes: Tree = {}
    if options.settings is not None:
        try:
            changes = yaml_of(Path(options.settings))
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise SettingsError(f"--settings: {options.settings}: {reason}") from error
        if not isinstance(changes, dict):
            raise SettingsError(f"--settings: {options.settings}: expected names with values")
    return changes if options.max_iter is None else {**changes, "max_iter": options.max_iter}


def _check(options: Namespace) -> None:
    """Refuse numbers that no table could be made with."""
    for name in ("seeds", "minutes", "max_iter", "stop_after", "n"):
        given = getattr(options, name)
        for value in given if isinstance(given, list) else [given]:
            if value is not None and value <= 0:
                flag = name.replace("_", "-")
                raise SettingsError(f"--{flag}: expected more than 0, got {value}")


def _material(name: str, request: _Request) -> _Material:
    """Load the data of a table.

    Raises:
        DataError: if they cannot be read, or have no labels.
        SettingsError: for toys in another table than theirs, or other data in it.
    """
    features = request.out / f"features-{Path(name).stem}.safetensors"
    if (name in TOYS) != (request.table == "toy"):
        raise SettingsError(
            f"--data: expected {' or '.join(TOYS)} for the table toy, and images for the others; "
            f"got {name} for {request.table}"
        )
    if name in TOYS:
        source = Source(name)
        fresh = replace(source, n_points=_TEST_POINTS, seed=_FRESH_SEED)
        return _Material(source, source.load(), fresh.load(), {}, features)
    place = str(Path(name).resolve()) if Path(name).exists() else name
    source = Source(place, split="train", image_size=request.image_size)
    with decoding_shown() as watch:
        train, test = source.load(watch), replace(source, split="test").load(watch)
    for dataset in (train, test):
        if dataset.labels is None:
            raise DataError(f"{name}: expected labels, with which tables compare the clusters")
    others = {
        Path(other).stem: replace(source, data=other, split=None).load()
        for other in request.against
    }
    return _Material(source, train, test, others, features)


def _filled(cell: Cell, material: _Material, request: _Request) -> Tree | None:
    """The measures of a cell, which is trained and measured where it is not; None if stopped."""
    folder = request.out / cell.name
    train = material.train
    chosen = settings_of(
        cell, len(train.x), len(train.class_names), request.minutes, request.changes
    )
    planned = plan(train, chosen)
    check_same(folder, material.source, planned.settings)
    measured = measures_of(folder)
    if request.table in measured.get("tables", ()):
        return measured
    if request.is_late:
        return None
    request.console.print(cell.name, markup=False)
    trained = _trained(cell, material, planned, request)
    if trained is None:
        return None
    measured = measures_of(folder)
    generator = Generator().manual_seed(cell.seed)
    measured |= _MEASURED[request.table](trained, material, planned.settings, generator)
    measured["tables"] = [*measured.get("tables", ()), request.table]
    write_measures(folder, measured)
    return measured


def _trained(
    cell: Cell, material: _Material, planned: Plan, request: _Request
) -> TrainedModel | None:
    """The model of a cell: read, or trained from where it was; None if stopped before its end."""
    folder = request.out / cell.name
    if measures_of(folder):
        return Run.open(folder).load_model()
    fit = fit_cell(
        folder,
        material.source,
        material.train,
        planned,
        request.console,
        deadline=request.deadline,
    )
    if fit is None:
        return None
    write_measures(
        folder,
        {
            **cell.row(),
            "iterations": fit.iterations,
            "seconds": round(fit.seconds, 1),
            # Those of other methods are under other views.
            **({"collapse_gap": fit.collapse_gap} if planned.settings.method == "gedi" else {}),
            **provenance(),
        },
    )
    return fit.trained


# What the tables show, by table


def _clustering(
    trained: TrainedModel, material: _Material, settings: CompleteSettings, generator: Generator
) -> Tree:
    return {
        "clustering": clustering_measures(trained, material.test),
        "embedding": embedding_measures(
            trained, material.train, material.test, generator=generator
        ),
    }


def _generation(
    trained: TrainedModel, material: _Material, settings: CompleteSettings, generator: Generator
) -> Tree:
    if not learns_density(settings):
        return {}
    train = material.train
    assert train.labels is not None and train.image_shape is not None  # refused before
    assert train.value_range is not None
    try:
        net = cached_feature_net(
            material.features,
            as_bytes(train.x, train.value_range),
            torch.from_numpy(train.labels),
            train.image_shape,
            generator=Generator().manual_seed(0),
        )
    except ValueError as error:
        raise DataError(f"{error}; remove the file, and it is trained anew") from error
    return {
        "generation": generation_measures(
            trained, material.test, net, n=_GENERATED, n_steps=_ROUNDS, generator=generator
        )
    }


def _ood(
    trained: TrainedModel, material: _Material, settings: CompleteSettings, generator: Generator
) -> Tree:
    test = material.test
    outliers = outlier_sets(test, material.others, n=_OUTLIERS, generator=generator)
    return {"ood": detection_measures(trained, test, outliers)}


def _toy(
    trained: TrainedModel, material: _Material, settings: CompleteSettings, generator: Generator
) -> Tree:
    metrics = find(trained, material.test, settings).metrics
    return {"toy": metrics}


_MEASURED: Mapping[
    TableName, Callable[[TrainedModel, _Material, CompleteSettings, Generator], Tree]
] = {
    "clustering": _clustering,
    "generation": _generation,
    "ood": _ood,
    "toy": _toy,
}
