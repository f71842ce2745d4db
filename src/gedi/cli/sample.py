"""`gedi sample`."""

from pathlib import Path

import numpy as np
from jsonargparse import Namespace
from torch import Generator

from gedi.cli.output_files import output_file
from gedi.errors import SettingsError
from gedi.runs import Run

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Draw samples, and write them as arrays."""
    if options.n < 1 or options.n_steps < 0:
        raise SettingsError(
            f"expected -n of at least 1 and --n-steps of 0 or more, "
            f"got {options.n} and {options.n_steps}"
        )
    folder = Run.open(Path(options.folder))
    with output_file(options.out, suffix=".npz", overwrite=options.overwrite) as out:
        trained = folder.load_model()
        if options.cluster is not None and not 0 <= options.cluster < trained.n_clusters:
            raise SettingsError(
                f"--cluster: expected a cluster from 0 to {trained.n_clusters - 1}, "
                f"got {options.cluster}"
            )
        x, clusters = trained.sample(
            options.n,
            generator=Generator().manual_seed(options.seed),
            cluster=options.cluster,
            n_steps=options.n_steps,
            denoise=options.denoise,
        )
        shape = (options.n, *(folder.image_shape or (folder.n_features,)))
        with out.open("wb") as stream:
            np.savez(stream, x=x.reshape(shape), cluster=clusters)
    print(f"{options.n} samples written to {options.out}")
    return 0
