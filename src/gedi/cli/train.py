"""`gedi train`."""

import sys
from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.inputs import read_inputs
from gedi.cli.training_run import follow_first_process, train_and_report
from gedi.files import source_name
from gedi.runs import Run, first_free
from gedi.runs.lock import only_writer
from gedi.runs.names import names_of_run
from gedi.training.growth import of_found
from gedi.training.session import build

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Train a model and write a run folder."""
    path = _path(options)
    Run.check_free(path, overwrite=options.overwrite)
    source, dataset, groups, custom, plan = read_inputs(
        options, options.devices, options.nodes, like=options.like, folder=path
    )
    names = None if options.like is None else names_of_run(Path(options.like))
    session = build(plan, dataset, custom, begun=options.begun, reports=True)
    if not session.is_first:
        return follow_first_process(session)
    path = _path(options)  # another training may have taken the first one meanwhile
    with only_writer(path):
        folder = Run.create(
            path,
            source,
            dataset,
            session.settings,
            groups=groups,
            like=custom.like,
            names=names,
            number=None if plan.found is None else plan.found.number,
            carried=None if session.plan.found is None else of_found(session.plan.found),
            overwrite=options.overwrite,
        )
        print(plan, file=sys.stderr)
        return train_and_report(folder, session, dataset, every=options.checkpoint_every)


def _path(options: Namespace) -> Path:
    return (
        Path(options.out) if options.out else first_free(Path("runs") / source_name(options.data))
    )
