"""`gedi resume`."""

from contextlib import nullcontext
from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.first_process import notes_of_first
from gedi.cli.progress_bars import decoding_bar, features_bar
from gedi.cli.training_run import follow_first_process, resume_session, train_and_report
from gedi.errors import RunError
from gedi.places import is_first
from gedi.runs import Run
from gedi.runs.lock import only_writer

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Continue from the last checkpoint."""
    folder = Run.open(Path(options.folder))
    if folder.result().get("ended", "interrupted") != "interrupted":
        raise RunError(
            f"{folder.path}: this training has already ended, so there is nothing to resume"
        )
    folder.require()
    processes = {"devices": options.devices, "nodes": options.nodes}
    is_writer = is_first(options.devices * options.nodes)
    with only_writer(folder.path) if is_writer else nullcontext():
        with notes_of_first(**processes) as console:
            with decoding_bar() as watch, features_bar() as watch_features:
                dataset = folder.read(watch, watch_features)
            session = resume_session(folder, dataset, console, folder.custom(dataset), **processes)
        if not session.is_first:
            return follow_first_process(session)
        return train_and_report(folder, session, dataset, every=options.checkpoint_every)
