"""The display of a training: live on a terminal or in a notebook, else lines if wanted."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from gedi.training.hooks import Hook, Record
from gedi.training.session import Session

__all__ = ["Progress"]

_SHOWN = (
    ("gen", "GEN"),
    ("inv", "INV"),
    ("prior", "PRIOR"),
    ("gap", "gap"),
    ("energy_data", "E data"),
    ("energy_samples", "E samples"),
)


class Progress(Hook):
    """A bar with terms of the bound, gap, energies, speed and time left.

    Args:
        console: where it is shown.
        lines: where there is no terminal, print a line for each record.
    """

    def __init__(self, console: Console, *, lines: bool = False) -> None:
        live = console.is_terminal or console.is_jupyter
        self.console = console
        self.lines = lines and not live
        self.bar = RichProgress(
            TextColumn("{task.fields[speed]}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[terms]}"),
            console=console,
            disable=not live,
        )
        self.task = self.bar.add_task("training", total=1.0, terms="", speed="")

    def on_record(self, session: Session, record: Record) -> None:
        """Show a record."""
        terms = "  ".join(f"{title} {record[name]:.3f}" for name, title in _SHOWN)
        rate = record["iteration"] / max(record["seconds"], 1e-9)
        speed = f"{int(record['iteration'])} iterations, {rate:.0f}/s"
        self.bar.update(self.task, completed=record["progress"], terms=terms, speed=speed)
        if self.lines:
            self.console.print(f"{speed}  {terms}", markup=False, highlight=False, soft_wrap=True)

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
