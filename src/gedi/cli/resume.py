"""`gedi resume`."""

from pathlib import Path

from jsonargparse import Namespace
from rich.console import Console

from gedi.cli.decoding import decoding_shown
from gedi.cli.driving import drive, taken_up
from gedi.errors import RunError
from gedi.runs import Run

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Go on from the last checkpoint."""
    folder = Run.open(Path(options.folder))
    if folder.result().get("ended", "interrupted") != "interrupted":
        raise RunError(f"{folder.path}: this training has ended already; nothing is left to do")
    with decoding_shown() as watch:
        dataset = folder.source.load(watch)
    session = taken_up(folder, dataset, Console(stderr=True), folder.custom(dataset))
    return drive(folder, session, dataset, every=options.checkpoint_every)
