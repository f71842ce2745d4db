"""What is shown while a large set of images is decoded."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from gedi.cli.bars import bar_of
from gedi.data.images import Watch, cache_folder

__all__ = ["decoding_shown"]


@contextmanager
def decoding_shown() -> Iterator[Watch]:
    """A note and, on a terminal, a bar on standard error; nothing where nothing is decoded."""
    console = Console(stderr=True)
    bar = bar_of("decoding", console)

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
