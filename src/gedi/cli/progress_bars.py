"""Progress bars on standard error for what takes long apart from training."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from gedi.data.images import Watch, cache_folder

__all__ = ["decoding_bar", "features_bar", "prediction_bar"]

_LINE_SECONDS = 10.0  # between lines of progress where there is no terminal


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
def features_bar() -> Iterator[Watch]:
    """Show a bar while features of texts or images are computed; without a terminal, some lines.

    Yields:
        What is called with the number of rows done, and of all rows. Nothing is shown if it is
        never called.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("features"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    began, first, shown = 0.0, 0, 0.0

    def watch(done: int, n: int) -> None:
        nonlocal began, first, shown
        now = time.monotonic()
        if not bar.tasks:
            began, first, shown = now, done, now
            kept = f"; {done:,} are there already" if done else ""
            console.print(
                f"Computing the features of {n:,} rows, once{kept}", highlight=False, soft_wrap=True
            )
            bar.add_task("features", total=n, rate="")
            bar.start()
        rate = (done - first) / max(now - began, 1e-9)
        bar.update(bar.tasks[0].id, completed=done, rate=f"{rate:,.0f}/s")
        if not console.is_terminal and now - shown > _LINE_SECONDS and rate > 0:
            shown = now
            left = (n - done) / rate
            console.print(
                f"features: {done:,} of {n:,}, {rate:,.0f}/s, {left:,.0f} s left", highlight=False
            )

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
