"""Progress bars on standard error for what takes long apart from training."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from gedi.data.images import Watch, cache_folder

__all__ = ["decoding_bar", "prediction_bar"]


@contextmanager
def decoding_bar() -> Iterator[Watch]:
    """Show a note and a bar while a large set of images is decoded to disk.

    Yields:
        What the reader of the images calls with the number of images decoded, and of all images.
        Nothing is shown if it is never called.
    """
    console = Console(stderr=True)
    bar = _progress("decoding", console)

    def watch(done: int, n: int) -> None:
        if not bar.tasks:
            console.print(
                f"note: {n} images are too large for memory, and are decoded once into "
                f"{cache_folder()}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
            bar.add_task("decoding", total=n)
            bar.start()
        bar.update(bar.tasks[0].id, completed=done)

    try:
        yield watch
    finally:
        bar.stop()


@contextmanager
def prediction_bar() -> Iterator[Callable[[float], object]]:
    """Show a bar while points are predicted.

    Yields:
        What `predict_to_file` calls with the share of the points that it has read.
    """
    with _progress("predicting", Console(stderr=True)) as bar:
        task = bar.add_task("predicting", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _progress(what: str, console: Console) -> Progress:
    """A bar that disappears at the end, and is not shown if the console is not a terminal."""
    return Progress(
        TextColumn(what),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
