"""`gedi train`."""

import sys
from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.driving import drive, follow
from gedi.cli.starting import started
from gedi.places import is_first
from gedi.runs import Run
from gedi.training.session import build

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Train, and write a run folder."""
    source, dataset, groups, custom, plan = started(
        options, options.devices, options.nodes, like=options.like
    )
    if is_first(plan.n_processes):
        print(plan, file=sys.stderr)
    session = build(plan, dataset, custom)
    if not session.is_first:
        return follow(session)
    path = Path(options.out) if options.out else _free(Path("runs") / Path(options.data).stem)
    folder = Run.create(
        path,
        source,
        dataset,
        session.settings,
        groups=groups,
        like=custom.like,
        overwrite=options.overwrite,
    )
    return drive(folder, session, dataset, every=options.checkpoint_every)


def _free(path: Path) -> Path:
    """The path, or the first of path-2, path-3, ... that does not exist."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate
