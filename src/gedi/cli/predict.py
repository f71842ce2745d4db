"""`gedi predict`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jsonargparse import Namespace
from rich.console import Console

from gedi.cli.bars import bar_of
from gedi.cli.decoding import decoding_shown
from gedi.cli.telling import tell_skipped
from gedi.cli.writing import checked_target
from gedi.data.dataset import Dataset
from gedi.data.rows import Rows
from gedi.explorer.names import given_names
from gedi.runs import Run
from gedi.runs.predictions import SUFFIXES, Watch, predict_to_file

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Cluster and score points, and write a table."""
    folder = Run.open(Path(options.folder))
    target = checked_target(options.out, SUFFIXES)
    trained = folder.load_model()
    names = given_names(folder.path, trained.n_clusters)
    points = _points(folder, options)
    try:
        with _progress_shown() as watch:
            n = predict_to_file(trained, points, target, watch, names=names)
    except KeyboardInterrupt:
        if isinstance(points, Rows):
            print("note: the same command goes on with what is there", file=sys.stderr)
        raise
    print(f"{n} points written to {options.out}")
    return 0


def _points(folder: Run, options: Namespace) -> Rows | Dataset:
    # These options are of images; the reader of all else refuses them.
    rows = None if options.split or options.skip_bad else folder.new_rows(options.data)
    if rows is not None:
        return rows
    with decoding_shown() as watch:
        dataset = folder.new_data(
            options.data, split=options.split, skip_bad=options.skip_bad, watch=watch
        )
    tell_skipped(dataset)
    return dataset


@contextmanager
def _progress_shown() -> Iterator[Watch]:
    """On a terminal, a bar on standard error."""
    console = Console(stderr=True)
    with bar_of("predicting", console) as bar:
        task = bar.add_task("predicting", total=1.0)
        yield lambda share: bar.update(task, completed=share)
