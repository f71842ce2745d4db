"""`gedi evaluate`."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.decoding import decoding_shown
from gedi.cli.measuring import measured
from gedi.cli.telling import tell_skipped
from gedi.cli.writing import writable
from gedi.data.dataset import Dataset
from gedi.data.images import Watch
from gedi.runs import Run

__all__ = ["run"]

_FRESH_SEED = 1_000_003  # far from any seed a user would train with
_FRESH_POINTS = 2000


def run(options: Namespace) -> int:
    """Measure a trained model, print what was found, and write it if asked to."""
    folder = Run.open(Path(options.folder))
    with nullcontext() if options.out is None else writable(options.out, suffix=".json") as out:
        folder.require("gedi.views", *(() if options.data else ("gedi.data",)))
        trained = folder.load_model()
        with decoding_shown() as watch:
            dataset = _data(folder, options, watch)
        tell_skipped(dataset)
        figures = measured(folder, trained, dataset, options)
        if out is not None:
            content = {
                "run": str(folder.path),
                "data": options.data or folder.source.data,
                "split": options.split if options.data else options.split or folder.source.split,
                "points": len(dataset.x),
                "seed": options.seed,
                "measures": figures,
            }
            out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if options.out is not None:
        print(f"Figures written to {options.out}")
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
        return replace(folder.source, seed=seed, n_points=_FRESH_POINTS).read()
    source = folder.source
    skip_bad = options.skip_bad or source.skip_bad
    return replace(source, split=options.split or source.split, skip_bad=skip_bad).read(watch)
