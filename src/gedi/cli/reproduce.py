"""`gedi reproduce`."""

import math
import time
from functools import partial
from pathlib import Path
from typing import get_args

from jsonargparse import Namespace
from rich.console import Console

from gedi.cli.output_files import output_file
from gedi.cli.progress_bars import decoding_bar
from gedi.cli.training_run import INTERRUPTED, resume_session, train_to_end
from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.errors import SettingsError
from gedi.experiments.cells import Filled, Workspace
from gedi.experiments.comparison_runs import ComparisonRequest, compare
from gedi.experiments.comparisons import PRESETS, TaskName, Tree
from gedi.experiments.grounding import COMPARED
from gedi.experiments.grounding_runs import GroundingRequest, ground
from gedi.runs import Run
from gedi.runs.lock import only_writer
from gedi.training.custom import Custom
from gedi.training.memory import fits
from gedi.training.plan import Plan
from gedi.training.session import Fit, build
from gedi.untrusted import yaml_of

__all__ = ["run"]

_MINUTES = 10.0  # of each training, under --budget minutes
_RULE_MINUTES, _RULE_SEEDS = (
    2.5,
    5,
)  # for tasks with a rule: minutes of each training, and number of seeds


def run(options: Namespace) -> int:
    """Train the missing cells of a table until the deadline, and print the table."""
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
            "Run the same command again to train the rest."
        )
        return 0 if time.monotonic() > deadline else INTERRUPTED
    with output_file(
        str(workspace.out / f"{options.table}.md"), suffix=".md", overwrite=True
    ) as file:
        file.write_text(found.text, encoding="utf-8")
    print(found.text)
    return 0


def _load(source: Source) -> Dataset:
    with decoding_bar() as watch:
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
    """A `Trainer` that shows its progress on the console, and stops at the deadline."""
    with only_writer(folder):
        if (folder / "settings.yaml").is_file():
            run = Run.open(folder)
            session = resume_session(run, dataset, console, custom)
        else:
            fits(planned)
            session = build(planned, dataset, custom)
            run = Run.create(folder, source, dataset, session.settings, overwrite=True)
        return train_to_end(run, session, console, deadline=deadline)


def _comparison(options: Namespace, workspace: Workspace) -> Filled:
    """Fill one of the tables that compare methods."""
    for name in ("n", "unlabelled"):
        if options[name]:
            raise SettingsError(f"--{name}: only for {', '.join(get_args(TaskName))}: leave it out")
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
    """Fill a table of symbol grounding under a rule."""
    for name in ("against", "max_iter"):
        if options[name] is not None:
            raise SettingsError(
                f"--{name.replace('_', '-')}: not for {options.table}: leave it out"
            )
    data = options.data or PRESETS["cpu"].data
    if len(data) != 1 or options.preset != "cpu" or options.budget != "updates":
        raise SettingsError(
            f"{options.table}: expected one set of images as --data, and neither --preset nor "
            "--budget: set the length of each training with --minutes"
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
    """Changes to the settings of the preset.

    Raises:
        SettingsError: if the file cannot be read, or does not contain settings.
    """
    changes: Tree = {}
    if options.settings is not None:
        try:
            changes = yaml_of(Path(options.settings))
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise SettingsError(f"--settings: {options.settings}: {reason}") from error
        if not isinstance(changes, dict):
            raise SettingsError(
                f"--settings: {options.settings}: expected settings as names with values"
            )
    return changes if options.max_iter is None else {**changes, "max_iter": options.max_iter}


def _check(options: Namespace) -> None:
    """Refuse numbers that are not positive."""
    for name in ("seeds", "minutes", "max_iter", "stop_after", "n"):
        given = getattr(options, name)
        for value in given if isinstance(given, list) else [given]:
            if value is not None and value <= 0:
                flag = name.replace("_", "-")
                raise SettingsError(f"--{flag}: expected more than 0, got {value}")
