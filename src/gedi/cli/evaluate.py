"""`gedi evaluate`."""

from dataclasses import replace
from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.decoding import decoding_shown
from gedi.cli.telling import tell_findings
from gedi.data import Dataset
from gedi.findings import find
from gedi.images import Watch
from gedi.runs import Run

__all__ = ["run"]

_FRESH_SEED = 1_000_003  # far from any seed a user would train with
_FRESH_POINTS = 2000


def run(options: Namespace) -> int:
    """Measure a trained model and print what was found."""
    folder = Run.open(Path(options.folder))
    trained = folder.load_model()
    with decoding_shown() as watch:
        dataset = _data(folder, options, watch)
    tell_findings(find(trained, dataset, folder.settings()))
    return 0


def _data(folder: Run, options: Namespace, watch: Watch) -> Dataset:
    if options.data is not None:
        return folder.new_data(
            options.data,
            options.label,
            split=options.split,
            skip_bad=options.skip_bad,
            watch=watch,
        )
    if folder.source.data in ("moons", "circles"):
        seed = folder.source.seed + _FRESH_SEED
        return replace(folder.source, seed=seed, n_points=_FRESH_POINTS).load()
    source = folder.source
    skip_bad = options.skip_bad or source.skip_bad
    return replace(source, split=options.split or source.split, skip_bad=skip_bad).load(watch)
