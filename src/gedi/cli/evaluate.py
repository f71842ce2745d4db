"""`gedi evaluate`."""

from dataclasses import replace
from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.measures import run_measures
from gedi.cli.output_files import figures_file
from gedi.cli.progress_bars import decoding_bar, features_bar
from gedi.cli.summaries import note_skipped
from gedi.data.dataset import Dataset
from gedi.data.images import Watch
from gedi.data.source import TABLE_OPTIONS
from gedi.runs import Run, feature_cache

__all__ = ["run"]

_FRESH_SEED = 1_000_003  # unlikely to be a seed that someone trains with
_FRESH_POINTS = 2000


def run(options: Namespace) -> int:
    """Measure a trained model, and print the figures; with --out, write them as well."""
    folder = Run.open(Path(options.folder))
    with figures_file(options) as write:
        folder.require("gedi.views", *(() if options.data else ("gedi.data",)))
        trained = folder.load_model()
        with decoding_bar() as watch, features_bar() as watch_features:
            dataset = _data(folder, options, watch, watch_features)
        note_skipped(dataset)
        figures = run_measures(folder, trained, dataset, options)
        write(
            {
                "run": str(folder.path),
                "data": options.data or folder.source.data,
                "split": options.split if options.data else options.split or folder.source.split,
                "points": len(dataset.x),
                "seed": options.seed,
                "measures": figures,
            }
        )
    return 0


def _data(folder: Run, options: Namespace, watch: Watch, watch_features: Watch) -> Dataset:
    if options.data is not None:
        return folder.new_data(
            options.data,
            options.label,
            split=options.split,
            skip_bad=options.skip_bad,
            text=options.text,
            table_options={name: options[name] for name in TABLE_OPTIONS},
            watch=watch,
            watch_features=watch_features,
        )
    if folder.source.data in ("moons", "circles"):
        seed = folder.source.seed + _FRESH_SEED
        return replace(folder.source, seed=seed, n_points=_FRESH_POINTS).read()
    if folder.growth is not None:
        return folder.read(watch, watch_features)
    source = folder.source
    skip_bad = options.skip_bad or source.skip_bad
    source = replace(source, split=options.split or source.split, skip_bad=skip_bad)
    return source.read(watch, cache=feature_cache(folder.path, watch_features))
