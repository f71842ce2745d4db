"""The cells of tables: trainings, each in a run folder with its measures in a file.

A table is computed from the cells that exist, so it can be filled in several calls.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.errors import RunError
from gedi.experiments.comparisons import Tree
from gedi.files import beside
from gedi.runs import Run
from gedi.training.custom import Custom
from gedi.training.plan import Plan
from gedi.training.session import Fit
from gedi.untrusted import json_object

__all__ = ["Filled", "Trainer", "Workspace", "filled"]

_MEASURES = "measures.json"


class Trainer(Protocol):
    """Trains a run folder to its end, from its last checkpoint if there is one."""

    def __call__(
        self, folder: Path, source: Source, dataset: Dataset, planned: Plan, custom: Custom
    ) -> Fit | None:
        """Returns the finished training, or None if it was stopped.

        Raises:
            RunError: if checkpoints are damaged, or the folder cannot be written.
        """


@dataclass(frozen=True)
class Workspace:
    """Where cells are stored, and how they are trained.

    Args:
        out: the folder of the cells.
        load: reads a data set.
        train: trains a cell.
        announce: shows the name of a cell.
        deadline: time of `time.monotonic` after which no further cell starts.
    """

    out: Path
    load: Callable[[Source], Dataset]
    train: Trainer
    announce: Callable[[str], None]
    deadline: float

    def halves(self, data: str, image_size: int | None) -> tuple[Source, Dataset, Dataset]:
        """The source of a set of images, and its training and test parts."""
        place = str(Path(data).resolve()) if Path(data).exists() else data
        source = Source(place, split="train", image_size=image_size)
        return source, self.load(source), self.load(replace(source, split="test"))

    def begin(self, name: str) -> bool:
        """Announce a cell; returns whether there is time for it."""
        if time.monotonic() > self.deadline:
            return False
        self.announce(name)
        return True

    def fit(
        self,
        name: str,
        source: Source,
        dataset: Dataset,
        planned: Plan,
        custom: Custom = Custom(),
    ) -> Fit | None:
        """Train a cell; None if it was stopped before its end."""
        return self.train(self.out / name, source, dataset, planned, custom)

    def check(self, name: str, source: Source, planned: Plan) -> None:
        """Refuse a stored cell with the same name but other data or settings.

        Raises:
            RunError: for such a cell.
        """
        folder = self.out / name
        if not (folder / "settings.yaml").is_file():
            return
        run = Run.open(folder)
        if run.source != source or asdict(run.settings()) != asdict(planned.settings):
            raise RunError(
                f"{folder}: was made with other data or settings than those of this call; choose "
                "another --out, or remove the folder"
            )

    def measures(self, name: str) -> Tree:
        """The stored measures of a cell; empty if its training has not ended.

        Raises:
            RunError: if the file cannot be read.
        """
        file = self.out / name / _MEASURES
        return json_object(file) if file.is_file() else {}

    def store(self, name: str, measured: Tree) -> None:
        """Store the measures of a cell."""
        with beside(self.out / name / _MEASURES) as file:
            file.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")


class Filled(NamedTuple):
    """A table with the cells that are done.

    Attributes:
        text: the table in Markdown.
        n_done: number of cells in it.
        n_cells: number of cells when it is complete.
    """

    text: str
    n_done: int
    n_cells: int


C = TypeVar("C")


def filled(
    cells: Sequence[C],
    measure: Callable[[C], Tree | None],
    render: Callable[[Sequence[tuple[C, Tree]]], str],
) -> Filled:
    """Measure cells in order, and render the table.

    Args:
        cells: of the table.
        measure: returns the measures of a cell, stored or new; None if it was stopped.
        render: returns the table of cells with their measures.
    """
    found: list[tuple[C, Tree]] = []
    for cell in cells:
        measured = measure(cell)
        if measured is None:
            break
        found.append((cell, measured))
    return Filled(render(found), len(found), len(cells))
