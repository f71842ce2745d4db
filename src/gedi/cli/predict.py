"""`gedi predict`."""

import re
import sys
from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.output_files import check_target
from gedi.cli.progress_bars import decoding_bar, features_bar, prediction_bar
from gedi.cli.summaries import note_skipped
from gedi.data.dataset import Dataset
from gedi.data.rows import Rows
from gedi.data.source import TABLE_OPTIONS
from gedi.data.tables import table_files
from gedi.printable import printable
from gedi.runs import Run
from gedi.runs.names import given_names
from gedi.runs.predictions import SUFFIXES, predict_to_file

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Write a table with the cluster, the probabilities and the scores of each point."""
    folder = Run.open(Path(options.folder))
    stem = re.sub(r"[*?\[\]]", "", Path(options.data).name).partition(".")[0]
    out = options.out or f"{stem}-clusters.csv".removeprefix("-")
    inputs = [options.data, *map(str, table_files(options.data))]
    target = check_target(out, SUFFIXES, overwrite=options.overwrite, inputs=inputs)
    trained = folder.load_model()
    names = given_names(folder.path, trained.n_clusters)
    columns = folder.feature_names or [str(j) for j in range(folder.n_features)]
    points = _points(folder, options)
    try:
        with prediction_bar() as watch:
            n = predict_to_file(
                trained,
                points,
                target,
                watch,
                names=names,
                explained=columns if options.explain else (),
            )
    except KeyboardInterrupt:
        if isinstance(points, Rows):
            print("note: run the same command again to continue", file=sys.stderr)
        raise
    if isinstance(points, Rows) and (counts := +points.filled):
        shown = ", ".join(f"{name} {count}" for name, count in counts.items())
        print(printable(f"note: missing values were filled in: {shown}"), file=sys.stderr)
    if isinstance(points, Rows) and points.reorders:
        print(
            "note: the columns come in another order than in the training, and were taken by name",
            file=sys.stderr,
        )
    print(f"{n} points written to {target}")
    return 0


def _points(folder: Run, options: Namespace) -> Rows | Dataset:
    table_options = {name: options[name] for name in TABLE_OPTIONS}
    # Images are read whole: only they take --split and --skip-bad.
    rows = None
    if not (options.split or options.skip_bad or options.text):
        rows = folder.new_rows(options.data, table_options)
    if rows is not None:
        return rows
    with decoding_bar() as watch, features_bar() as watch_features:
        dataset = folder.new_data(
            options.data,
            split=options.split,
            skip_bad=options.skip_bad,
            text=options.text,
            table_options=table_options,
            watch=watch,
            watch_features=watch_features,
            keep_blank=True,
        )
    note_skipped(dataset)
    return dataset
