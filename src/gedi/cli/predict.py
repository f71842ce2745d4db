"""`gedi predict`."""

from pathlib import Path

import numpy as np
import pandas as pd
from jsonargparse import Namespace

from gedi.cli.decoding import decoding_shown
from gedi.cli.telling import tell_skipped
from gedi.cli.writing import writable
from gedi.runs import Run

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Cluster and score points, and write a table."""
    folder = Run.open(Path(options.folder))
    with writable(options.out, suffix=".csv") as out:
        trained = folder.load_model()
        with decoding_shown() as watch:
            dataset = folder.new_data(
                options.data, split=options.split, skip_bad=options.skip_bad, watch=watch
            )
        tell_skipped(dataset)
        prediction = trained.predict(dataset.x)
        probabilities = {
            f"probability_{cluster}": np.round(column, 6)
            for cluster, column in enumerate(prediction.probabilities.T)
        }
        table = pd.DataFrame(
            ({"file": pd.Series(dataset.files, dtype=object)} if dataset.files else {})
            | {
                "cluster": prediction.clusters,
                **probabilities,
                "log_density": prediction.log_density,
            }
        )
        # Names of files may hold bytes that are no text; they are written as they are.
        table.to_csv(out, index=False, errors="surrogateescape")
    print(f"{len(table)} points written to {options.out}")
    return 0
