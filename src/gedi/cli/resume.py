"""`gedi resume`."""

from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.decoding import decoding_shown
from gedi.cli.driving import drive
from gedi.errors import RunError
from gedi.fitting import Session
from gedi.runs import Run

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Go on from the last checkpoint."""
    folder = Run.open(Path(options.folder))
    saved = folder.load_checkpoint()
    if folder.result().get("ended", "interrupted") != "interrupted":
        raise RunError(f"{folder.path}: this training has ended already; nothing is left to do")
    with decoding_shown() as watch:
        dataset = folder.source.load(watch)
    session = Session(dataset, folder.settings())
    session.load_state_dict(saved, folder.metrics())
    folder.rewrite_metrics(session.observer.history)
    return drive(folder, session, dataset)
