"""What all tables of `gedi reproduce` do with a cell: take it up, train it, keep its measures."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from gedi.cli.driving import taken_up, train_to_end
from gedi.cli.writing import writable
from gedi.data import Dataset
from gedi.errors import RunError
from gedi.experiments import Tree
from gedi.runs import Run, Source
from gedi.settings import Settings
from gedi.training.custom import Custom
from gedi.training.memory import fits
from gedi.training.plan import Plan
from gedi.training.session import Fit, build
from gedi.untrusted import json_of

__all__ = ["check_same", "fit_cell", "measures_of", "write_measures"]

_MEASURES = "measures.json"


def check_same(folder: Path, source: Source, settings: Settings) -> None:
    """Refuse to mix a cell that is there with another of its name.

    Raises:
        RunError: for a cell of other data or settings.
    """
    if not (folder / "settings.yaml").is_file():
        return
    run = Run.open(folder)
    if run.source != source or asdict(run.settings()) != asdict(settings):
        raise RunError(
            f"{folder}: was made with other data or settings than are asked for now; choose "
            "another --out, or remove the folder"
        )


def fit_cell(
    folder: Path,
    source: Source,
    dataset: Dataset,
    planned: Plan,
    console: Console,
    *,
    custom: Custom = Custom(),
    deadline: float,
) -> Fit | None:
    """Train a cell from where it was.

    Args:
        folder: of the cell.
        source: of its data.
        dataset: what it trains on.
        planned: its plan.
        console: where progress is shown.
        custom: what is brought beside the settings.
        deadline: of `time.monotonic`, when to stop.

    Returns:
        The training, or None if it was stopped before its end.

    Raises:
        RunError: if checkpoints are damaged, or the folder cannot be written.
    """
    if (folder / "settings.yaml").is_file():
        run = Run.open(folder)
        session = taken_up(run, dataset, console, custom)
    else:
        fits(planned)
        session = build(planned, dataset, custom)
        run = Run.create(folder, source, dataset, session.settings, overwrite=True)
    return train_to_end(run, session, console, deadline=deadline)


def measures_of(folder: Path) -> Tree:
    """The measures of a cell; empty where its training has not ended.

    Raises:
        RunError: if the file cannot be read.
    """
    file = folder / _MEASURES
    if not file.is_file():
        return {}
    try:
        tree: Any = json_of(file)
    except (OSError, ValueError) as error:
        raise RunError(f"{file}: cannot be read: {error}") from error
    if not isinstance(tree, dict):
        raise RunError(f"{file}: cannot be read: expected names with values")
    return tree


def write_measures(folder: Path, measured: Tree) -> None:
    """Keep the measures of a cell."""
    with writable(str(folder / _MEASURES), suffix=".json") as file:
        file.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
