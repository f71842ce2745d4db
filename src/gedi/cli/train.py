"""`gedi train`."""

import math
from dataclasses import fields
from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.decoding import decoding_shown
from gedi.cli.driving import drive
from gedi.cli.telling import tell_skipped
from gedi.errors import SettingsError
from gedi.fitting import Session
from gedi.images import STREAM_ABOVE
from gedi.runs import Run, Source
from gedi.settings import Settings, from_dict

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Train, and write a run folder."""
    if options.n_points < 2:
        raise SettingsError(f"--n-points: expected at least 2, got {options.n_points}")
    tree = options.as_dict()
    settings = from_dict({field.name: tree[field.name] for field in fields(Settings)})
    source = Source(
        options.data,
        options.label,
        options.n_points,
        settings.seed,
        split=options.split,
        image_size=options.image_size,
        skip_bad=options.skip_bad,
        stream_above=_stream_above(options.stream_above),
    )
    with decoding_shown() as watch:
        dataset = source.load(watch)
    tell_skipped(dataset)
    session = Session(dataset, settings)
    path = Path(options.out) if options.out else _free(Path("runs") / Path(options.data).stem)
    folder = Run.create(path, source, dataset, session.settings, overwrite=options.overwrite)
    return drive(folder, session, dataset, every=options.checkpoint_every)


def _stream_above(gibibytes: float | None) -> int:
    if gibibytes is None:
        return STREAM_ABOVE
    if not 0 <= gibibytes < math.inf:
        raise SettingsError(f"--stream-above: expected 0 GiB or more, got {gibibytes}")
    return round(gibibytes * 2**30)


def _free(path: Path) -> Path:
    """The path, or the first of path-2, path-3, ... that does not exist."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate
