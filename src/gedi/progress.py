"""The live display of a training; nothing is shown where there is no terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from gedi.observing import Record
from gedi.training import TrainingState

__all__ = ["Progress"]

_SHOWN = (
    ("gen", "GEN"),
    ("inv", "INV"),
    ("prior", "PRIOR"),
    ("gap", "gap"),
    ("energy_data", "E data"),
    ("energy_samples", "E samples"),
)


class Progress:
    """A bar with terms of the bound, gap, energies, speed and time left; itself a listener.

    Args:
        console: where it is shown.
    """

    def __init__(self, console: Console) -> None:
        self.bar = RichProgress(
            TextColumn("{task.fields[speed]}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[terms]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("training", total=1.0, terms="", speed="")

    def __call__(self, state: TrainingState, record: Record) -> None:
        """Show a record."""
        terms = "  ".join(f"{title} {record[name]:.3f}" for name, title in _SHOWN)
        speed = record["iteration"] / max(record["seconds"], 1e-9)
        self.bar.update(
            self.task,
            completed=record["progress"],
            terms=terms,
            speed=f"{int(record['iteration'])} iterations, {speed:.0f}/s",
        )

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()
