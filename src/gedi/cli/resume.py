"""`gedi resume`."""

from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.crew import notes_of_first
from gedi.cli.decoding import decoding_shown
from gedi.cli.driving import drive, follow, taken_up
from gedi.errors import RunError
from gedi.runs import Run

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Go on from the last checkpoint."""
    folder = Run.open(Path(options.folder))
    if folder.result().get("ended", "interrupted") != "interrupted":
        raise RunError(f"{folder.path}: this training has ended already; nothing is left to do")
    folder.require()
    processes = {"devices": options.devices, "nodes": options.nodes}
    with notes_of_first(**processes) as console:
        with decoding_shown() as watch:
            dataset = folder.source.read(watch)
        session = taken_up(folder, dataset, console, folder.custom(dataset), **processes)
    if not session.is_first:
        return follow(session)
    return drive(folder, session, dataset, every=options.checkpoint_every)
