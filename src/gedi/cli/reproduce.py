"""`gedi reproduce`."""

import math
import time
from functools import partial
from pathlib import Path
from typing import get_args

from jsonargparse import Namespace
from rich.console import Console

from gedi.cli.decoding import decoding_shown
from gedi.cli.driving import INTERRUPTED, taken_up, train_to_end
from gedi.cli.writing import writable
from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.errors import SettingsError
from gedi.experiments.cells import Filled, Workspace
from gedi.experiments.comparison_runs import ComparisonRequest, compare
from gedi.experiments.comparisons import PRESETS, TaskName, Tree
from gedi.experiments.grounding import COMPARED
from gedi.experiments.grounding_runs import GroundingRequest, ground
from gedi.runs import Run
from gedi.training.custom import Custom
from gedi.training.memory import fits
from gedi.training.plan import Plan
from gedi.training.session import Fit, build
from gedi.untrusted import yaml_of

__all__ = ["run"]

_MINUTES = 10.0  # of a training, with the budget `minutes`
_RULE_MINUTES, _RULE_SEEDS = 2.5, 5  # of a training with a rule, and the number of seeds


def run(options: Namespace) -> int:
    """Fill the gaps of a table as far as there is time, and print it."""
    _check(options)
    console = Console(stderr=True)
    minutes = math.inf if options.stop_after is None else options.stop_after
    deadline = time.monotonic() + 60 * minutes
    workspace = Workspace(
        Path(options.out),
        _load,
        partial(_train, console=console, deadline=deadline),
        partial(console.print, markup=False),
        deadline,
    )
    found = (_rules if options.table in get_args(TaskName) else _comparison)(options, workspace)
    if found.n_done < found.n_cells:
        console.print(
            f"Stopped with {found.n_done} of {found.n_cells} cells done. "
            "The same command goes on with the rest."
        )
        return 0 if time.monotonic() > deadline else INTERRUPTED
    with writable(str(workspace.out / f"{options.table}.md"), suffix=".md") as file:
        file.write_text(found.text, encoding="utf-8")
    print(found.text)
    return 0


def _load(source: Source) -> Dataset:
    with decoding_shown() as watch:
        return source.read(watch)


def _train(
    folder: Path,
    source: Source,
    dataset: Dataset,
    planned: Plan,
    custom: Custom,
    *,
    console: Console,
    deadline: float,
) -> Fit | None:
    """A `Trainer` that shows its progress on the console, and stops at a deadline."""
    if (folder / "settings.yaml").is_file():
        run = Run.open(folder)
        session = taken_up(run, dataset, console, custom)
    else:
        fits(planned)
        session = build(planned, dataset, custom)
        run = Run.create(folder, source, dataset, session.settings, overwrite=True)
    return train_to_end(run, session, console, deadline=deadline)


def _comparison(options: Namespace, workspace: Workspace) -> Filled:
    """Fill a table of the paper's comparisons."""
    for name in ("n", "unlabelled"):
        if options[name]:
            raise SettingsError(f"--{name}: is for {', '.join(get_args(TaskName))}; leave it out")
    request = ComparisonRequest(
        table=options.table,
        preset=options.preset,
        budget=options.budget,
        minutes=options.minutes or _MINUTES,
        changes=_changes(options),
        data=options.data,
        methods=options.methods,
        seeds=options.seeds,
        against=options.against,
        image_size=options.image_size,
    )
    return compare(request, workspace)


def _rules(options: Namespace, workspace: Workspace) -> Filled:
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
    request = GroundingRequest(
        task=options.table,
        data=data[0],
        image_size=options.image_size,
        numbers=options.n or (),
        unlabelled=options.unlabelled,
        methods=options.methods or COMPARED,
        seeds=options.seeds or _RULE_SEEDS,
        minutes=options.minutes or _RULE_MINUTES,
        changes=_changes(options),
    )
    return ground(request, workspace)


def _changes(options: Namespace) -> Tree:
    """Changes to the preset.

    Raises:
        SettingsError: for a file that cannot be read, or that does not hold settings.
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
