"""`gedi update`."""

import sys
from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.progress_bars import decoding_bar, features_bar
from gedi.cli.summaries import note_reading, note_skipped
from gedi.cli.training_run import shell_quoted, train_and_report
from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.errors import RunError
from gedi.evaluation.drift import look_at
from gedi.printable import printable
from gedi.runs import Run, first_free
from gedi.runs.growth import Growth, joined
from gedi.runs.lock import only_writer
from gedi.runs.names import names_of_run
from gedi.training.custom import Custom
from gedi.training.earlier import recall_run
from gedi.training.growth import carry
from gedi.training.memory import fits
from gedi.training.plan import grown_settings, plan
from gedi.training.session import build

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Train on the data of a run and on new rows, and write a new run folder."""
    before = Run.open(Path(options.folder))
    _check(before)
    named = before.path if before.path.name else before.path.absolute()
    path = Path(options.out) if options.out else first_free(named)
    Run.check_free(path, overwrite=options.overwrite)
    source, old, new = _read(before, options.data)
    dataset = joined([old, new])
    # All of the earlier run is read now, since this one may overwrite it.
    names, model, settings = names_of_run(before.path), before.load_model(), before.settings()
    seed = settings.seed if options.seed is None else options.seed
    carried = carry(model, dataset.x, len(old.x), seed=seed)
    custom = Custom(like=recall_run(before.path, dataset, seed=seed), carried=carried)
    sources = () if before.growth is None else before.growth.sources
    growth = Growth((*sources, source), len(old.x), look_at(model, new.x))
    grown = grown_settings(settings, carried.n_clusters, seed=seed, max_time=options.max_time)
    planned = plan(dataset, grown, custom, begun=options.begun)
    fits(planned)
    session = build(planned, dataset, custom, begun=options.begun, reports=True)
    with only_writer(path):
        folder = Run.create(
            path,
            before.source,
            dataset,
            session.settings,
            like=custom.like,
            names=names,
            growth=growth,
            carried=carried,
            overwrite=options.overwrite,
        )
        line = (
            f"{dataset.name}: {len(old.x):,} rows, and {len(new.x):,} new ones; {model.n_clusters} "
            f"clusters of {before.path}, and {carried.n_clusters - model.n_clusters} new ones"
        )
        print(printable(line), file=sys.stderr)
        return train_and_report(folder, session, dataset)


def _check(before: Run) -> None:
    """Refuse a run that an update cannot continue.

    Raises:
        RunError: with what to do instead.
    """
    if before.result().get("ended", "interrupted") == "interrupted":
        raise RunError(
            f"{before.path}: this training has not ended: continue it with "
            f"`gedi resume {shell_quoted(before.path)}`, and update it then"
        )
    before.require()
    for kind, found in (
        ("images", before.image_shape is not None),
        ("groups under a rule", before.groups is not None),
        ("files that are read while training", before.source.streaming),
        ("given shares of its clusters", isinstance(before.settings().prior, list)),
    ):
        if found:
            raise RunError(
                f"{before.path}: was trained on {kind}, and such a run cannot be updated: train "
                "again on old and new data together, with `gedi train`"
            )


def _read(before: Run, path: str) -> tuple[Source, Dataset, Dataset]:
    """Where the new rows come from, the rows of the run, and the new rows."""
    source = before.other_source(path)
    with decoding_bar() as watch, features_bar() as watch_features:
        new = before.new_data(path, watch=watch, watch_features=watch_features)
        old = before.read(watch, watch_features)
    note_skipped(new)
    note_reading(new)
    return source, old, new
