"""`gedi sample`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jsonargparse import Namespace
from numpy.typing import NDArray
from torch import Generator

from gedi.cli.output_files import check_target
from gedi.cli.progress_bars import decoding_bar, features_bar
from gedi.data.columns import ColumnPlan
from gedi.data.inverse import inverse, same_type
from gedi.errors import SettingsError
from gedi.evaluation.duplicates import most_similar
from gedi.features.decoder import Decoder, load_decoder
from gedi.files import beside
from gedi.printable import printable
from gedi.runs import Run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Draw samples, and write them as arrays, or as a table of the columns of the training."""
    if options.n < 1 or options.n_steps < 0:
        raise SettingsError(
            f"expected -n of at least 1 and --n-steps of 0 or more, "
            f"got {options.n} and {options.n_steps}"
        )
    folder = Run.open(Path(options.folder))
    decode = _decoder(folder, options.decoder)
    suffixes = (".npz",) if folder.columns is None else (".npz", ".csv", ".parquet")
    target = check_target(options.out, suffixes, overwrite=options.overwrite)
    with beside(target) as out:
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
        suffix = target.suffix.lower()
        if folder.columns is not None and suffix != ".npz":
            _write_table(_table(folder.columns, x, clusters), out, suffix)
        else:
            shape = (options.n, *(folder.image_shape or (folder.n_features,)))
            with out.open("wb") as stream:
                arrays: dict[str, Any] = {"x": x.reshape(shape), "cluster": clusters}
                if decode is not None:
                    arrays["decoded"] = decode(x.astype(np.float32))
                np.savez(stream, **arrays, **_nearest(folder, x))
    print(f"{options.n} samples written to {options.out}")
    if suffix != ".npz" and folder.columns is not None and folder.columns.texts:
        names = ", ".join(folder.columns.texts)
        print(printable(f"The samples have no texts: {names} is left out."))
    if folder.source.has_features:
        print(
            "A sample of this model is a vector of features, neither a text nor a picture: "
            "nearest_row and nearest hold the most similar row of the data"
            f"{'.' if decode is None else ', and decoded what the decoder made of it.'}"
        )
    return 0


def _decoder(folder: Run, name: str | None) -> Decoder | None:
    """What turns samples back into texts or pictures, for runs on features."""
    if name is None:
        return None
    if not folder.source.has_features:
        raise SettingsError(
            "--decoder: this model does not learn from features, so there is nothing to decode: "
            "its samples are in the units of its data"
        )
    return load_decoder(name)


def _nearest(folder: Run, x: NDArray[np.float64]) -> dict[str, Any]:
    """The most similar text or photograph of each sample (n, d), for runs on features."""
    if not folder.source.has_features:
        return {}
    with decoding_bar() as watch, features_bar() as watch_features:
        dataset = folder.read(watch, watch_features)
    rows = most_similar(dataset.x, x)
    titles = np.array([dataset.titles[int(row)] for row in rows], dtype=np.str_)
    return {"nearest_row": rows, "nearest": titles}


def _table(plan: ColumnPlan, x: NDArray[np.float64], clusters: NDArray[np.int64]) -> "pd.DataFrame":
    """Samples (n, d) as the columns of the training, and their clusters."""
    frame = inverse(plan, x)
    for name, column in frame.items():
        is_whole = column.dtype == float and bool((column.dropna() % 1 == 0).all())
        frame[name] = column.astype("Int64") if is_whole else same_type(column)
    name = "cluster" if "cluster" not in frame else "sampled_cluster"
    return frame.assign(**{name: clusters})


def _write_table(frame: "pd.DataFrame", file: Path, suffix: str) -> None:
    if suffix == ".csv":
        frame.to_csv(file, index=False)
    else:
        frame.to_parquet(file, engine="pyarrow", index=False)
