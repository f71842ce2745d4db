"""The bar of what takes long and is no training."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

__all__ = ["bar_of"]


def bar_of(what: str, console: Console) -> Progress:
    """A bar that goes away when it is done; nothing where the console is no terminal."""
    return Progress(
        TextColumn(what),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
