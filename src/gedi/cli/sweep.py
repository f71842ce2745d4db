"""`gedi sweep`."""

import math
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
from jsonargparse import Namespace
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from gedi.cli.progress_bars import decoding_bar, features_bar
from gedi.cli.signals import stoppable
from gedi.cli.summaries import note_reading, note_skipped
from gedi.cli.training_run import INTERRUPTED, shell_quoted
from gedi.data.source import Source
from gedi.errors import RunError
from gedi.files import source_name
from gedi.printable import printable
from gedi.runs import feature_cache
from gedi.runs.lock import only_writer
from gedi.settings import Settings, from_dict
from gedi.sweeps.advice import advise, rows_of
from gedi.sweeps.halves import Cell, check_sweep, sweep
from gedi.sweeps.sweep_folder import TITLES, SweepFolder, figures
from gedi.training.hooks import StopWhen
from gedi.training.progress import Progress
from gedi.training.session import start
from gedi.training.trained import TrainedModel

__all__ = ["run"]


class _Stopped(Exception):  # noqa: N818 - nothing went wrong
    """Raised when a training is interrupted."""


def run(options: Namespace) -> int:
    """Train at each number of clusters what is not there yet, and say which stands out."""
    tree = options.as_dict()
    names = [field.name for field in fields(Settings) if field.name != "n_clusters"]
    settings = from_dict({name: tree[name] for name in names})
    source = Source.of_options(tree, settings.seed)
    console = Console(stderr=True)
    path = Path(options.out or Path("runs") / f"{source_name(options.data)}-sweep")
    with decoding_bar() as watch, features_bar() as watch_features:
        dataset = source.read(watch, cache=feature_cache(path, watch_features))
    note_skipped(dataset)
    note_reading(dataset)
    wanted = check_sweep(len(dataset.x), options.n_clusters, options.n_parts)
    asked = {"format": 1, "source": asdict(source), "settings": asdict(settings)}
    folder = SweepFolder.of(path, asked)
    n_cells = len(wanted) * options.n_parts
    cells: list[Cell] = []
    with only_writer(path), stoppable(math.inf) as is_asked:
        done = folder.cells(len(dataset.x))

        def train(c: int, rows: NDArray[np.int64], seed: int) -> TrainedModel:
            console.print(f"{c} clusters, training {len(cells) + 1} of {n_cells}", highlight=False)
            chosen = replace(settings, n_clusters=c, seed=seed)
            session = start(dataset.subset(rows), chosen)
            with Progress(console) as progress:
                if not session.train([progress, StopWhen(is_asked)]):
                    raise _Stopped
            return session.result().trained

        try:
            for cell in sweep(
                train,
                dataset.x,
                wanted,
                image_shape=dataset.image_shape,
                n_parts=options.n_parts,
                seed=settings.seed,
                done=done,
            ):
                cells.append(cell)
                if (cell.n_clusters, cell.part) not in done:
                    folder.keep(cell)
        except (_Stopped, KeyboardInterrupt):
            console.print(
                f"Interrupted with {len(cells)} of {n_cells} trainings done, which are kept. "
                "Run the same command again to continue.",
                highlight=False,
            )
            return INTERRUPTED
        except OSError as error:
            raise RunError(f"{path}: cannot be written to: {error.strerror or error}") from error
    rows = rows_of(cells)
    advice = advise(rows)
    number = "N" if advice.n_clusters is None else advice.n_clusters
    raw = {"--text": options.text, "--features": options.features}
    named = "".join(f" {name} {shell_quoted(value)}" for name, value in raw.items() if value)
    next_steps = [f"gedi train {shell_quoted(options.data)}{named} --n-clusters {number}"]
    folder.write_result(rows, advice, f"How many clusters? {dataset.name}", next_steps)
    out = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="")
    for title in TITLES:
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*figures(row))
    out.print(table)
    out.print(advice.text)
    out.print(f"Page: {printable(str(path / 'sweep.html'))}", markup=False, soft_wrap=True)
    return 0
