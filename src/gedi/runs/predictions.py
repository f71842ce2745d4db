"""Predictions for many points, written to a table in parts.

Parts have a fixed number of rows, however the points are read, so that the numbers are bitwise
equal to those of `TrainedModel.predict` for all points at once. If the points are in files, an
interrupted command continues after the last complete part, and the resulting file is the same.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pandas.api.types import is_float_dtype

import gedi
from gedi.data.columns import ColumnPlan
from gedi.data.dataset import Dataset, Values
from gedi.data.inverse import same_type
from gedi.data.rows import Rows, in_parts
from gedi.data.values import check_points
from gedi.errors import DataError, RunError
from gedi.evaluation.reasons import of_columns, reasons
from gedi.runs.part_files import PartFiles
from gedi.training.trained import Prediction, TrainedModel, confidence

__all__ = ["SUFFIXES", "Watch", "predict_to_file"]

SUFFIXES = (".csv", ".parquet")

Watch = Callable[[float], object]
Frame = dict[str, "pd.Series[Any]"]

_FORMAT = 3
_DIGITS = 6  # of probabilities in .csv files


def predict_to_file(
    trained: TrainedModel,
    points: Rows | Dataset,
    target: Path,
    watch: Watch = lambda share: None,
    *,
    names: Sequence[str] = (),
    explained: Sequence[str] = (),
) -> int:
    """Write a table with a line for each point: its cluster, probabilities and log-density.

    If the model has an outlier energy, columns follow for the outlier score, its p-value, and how
    sure the cluster is; see `gedi.GEDI.predict_confidence`. For images from a folder, the first
    column is the path of the file, and for texts the text; features of both have a column
    `probability` of the likeliest cluster. Probabilities have six digits in a .csv file, and full
    precision in a .parquet file, whose row groups are the parts.

        rows = open_rows("large.parquet", run.columns)
        predict_to_file(trained, rows, Path("clusters.parquet"))

    Args:
        trained: the model.
        points: rows in files are read in blocks, and an interrupted command can continue.
        target: the file to write, .csv or .parquet.
        watch: called with the share of the points read so far.
        names: names of the clusters for a column `name`; without names there is no such column.
        explained: names of the features of the points, to write what each contributes to the
            outlier energy, what would be typical, and the main reasons in words; of a table for
            each of its columns. Without names none is written.

    Returns:
        The number of points.

    Raises:
        DataError: if points cannot be read or are not valid, files of them change meanwhile, or the
            model has no outlier energy to explain; no file is left behind.
        RunError: if the table cannot be written; its parts are kept, to continue.
    """
    parts = PartFiles(target)
    if isinstance(points, Dataset):  # the parts may be of other points
        parts.discard()
    try:
        marks = None if isinstance(points, Dataset) else points.marks()
        n_done = parts.begin(_key(trained, points, target, [*names], [*explained]))
        first_row = n_done * trained.part_rows
        blocks = _blocks(points, first_row, watch)
        for part in in_parts(blocks, trained.part_rows):
            x = check_points(part, trained.box.low.numel(), first_row=first_row)
            n = len(x)
            about: Frame = {}
            if isinstance(points, Dataset):
                about = _about(points, slice(first_row, first_row + n))
            with_best = isinstance(points, Dataset) and points.are_features
            frame = _frame(
                trained, x, about, names, explained, plan=points.columns, with_best=with_best
            )
            parts.add(n, partial(_write, frame, target, header=first_row == 0))
            first_row += n
        n_rows = parts.n_rows
        if not isinstance(points, Dataset) and points.marks() != marks:
            raise DataError(
                f"{points.source} has changed while it was read: run the same command again when "
                "nothing writes to it any more"
            )
        parts.finish(_join_csv if _is_csv(target) else _join_parquet)
    except DataError:
        parts.discard()
        raise
    except OSError as error:
        raise RunError(
            f"{target}: cannot be written ({error.strerror}): finished parts are kept in "
            f"{parts.folder}; make room, and run the same command again to continue"
        ) from error
    finally:
        if isinstance(points, Dataset):
            parts.discard()
    return n_rows


def _blocks(points: Rows | Dataset, first_row: int, watch: Watch) -> Iterator[Values]:
    if isinstance(points, Dataset):
        yield points.x
        return
    for rows, share in points.blocks(first_row):
        yield rows
        watch(share)


def _key(
    trained: TrainedModel,
    points: Rows | Dataset,
    target: Path,
    names: list[str],
    explained: list[str],
) -> str:
    """Everything that the parts depend on, except points in memory."""
    return json.dumps(
        {
            "format": _FORMAT,
            "versions": [gedi.__version__, torch.__version__, np.__version__, pd.__version__],
            "suffix": target.suffix.lower(),
            "rows": trained.part_rows,
            "model": _fingerprint(trained),
            "names": names,
            "explained": explained,
            "files": None if isinstance(points, Dataset) else points.marks(),
            "columns": None
            if isinstance(points, Dataset) or points.columns is None
            else points.columns.to_json(),
            "table_options": None if isinstance(points, Dataset) else points.table_options,
        },
        indent=2,
    )


def _fingerprint(trained: TrainedModel) -> str:
    """A hash of the model and of everything else that predictions are computed from."""
    found = hashlib.sha256(repr(trained.model).encode())
    tensors = {
        **trained.model.state_dict(),
        "scaling.shift": trained.scaling.shift,
        "scaling.scale": trained.scaling.scale,
    }
    if trained.outliers is not None:
        outliers = trained.outliers.state_dict()
        tensors |= {f"outliers.{name}": value for name, value in outliers.items()}
    for name, value in sorted(tensors.items()):
        found.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    found.update(repr(trained.normalizer).encode())
    return found.hexdigest()


def _about(points: Dataset, part: slice) -> Frame:
    """What the rows are: the paths of files, or texts."""
    if points.texts is not None:
        return {"text": pd.Series(list(points.texts[part]), dtype=object)}
    files = points.files[part]
    return {"file": pd.Series(files, dtype=object)} if files else {}


def _frame(
    trained: TrainedModel,
    x: Values,
    about: Frame,
    names: Sequence[str],
    explained: Sequence[str],
    *,
    plan: ColumnPlan | None,
    with_best: bool,
) -> pd.DataFrame:
    prediction = trained.predict(x)
    probabilities = {
        f"probability_{cluster}": column
        for cluster, column in enumerate(prediction.probabilities.T)
    }
    return pd.DataFrame(
        about
        | {"cluster": prediction.clusters}
        | ({"name": np.array(names, dtype=object)[prediction.clusters]} if names else {})
        | ({"probability": prediction.probabilities.max(1)} if with_best else {})
        | {**probabilities, "log_density": prediction.log_density}
        | ({} if trained.outliers is None else _outlier_columns(trained, x, prediction))
        | (_explanation_columns(trained, x, explained, plan) if explained else {})
    )


def _outlier_columns(
    trained: TrainedModel, x: Values, prediction: Prediction
) -> dict[str, NDArray[np.float64]]:
    scores = trained.outlier_scores(x)
    within = trained.outlier_p_values(scores, prediction.clusters)
    return {
        "outlier_score": scores,
        "p_value": trained.outlier_p_values(scores),
        "confidence": confidence(prediction.probabilities, within),
    }


def _explanation_columns(
    trained: TrainedModel, x: Values, names: Sequence[str], plan: ColumnPlan | None
) -> dict[str, Any]:
    explanation = trained.explain_outliers(x)
    if plan is None:
        contributions, typical = (pd.DataFrame(part, columns=[*names]) for part in explanation)
    else:
        contributions, typical = of_columns(explanation, plan)
    return {
        "reasons": [
            "; ".join(f"{name} {text}" for name, text in some)
            for some in reasons(x, explanation, names, plan)
        ],
        **{f"contribution_{name}": column for name, column in contributions.items()},
        **{f"typical_{name}": same_type(column) for name, column in typical.items()},
    }


def _write(frame: pd.DataFrame, target: Path, file: Path, *, header: bool) -> None:
    """Write a part in the format of the target."""
    if not _is_csv(target):
        for column in frame.columns.intersection(["file", "text"]):
            # File names may contain bytes that are not valid text; Parquet columns may not.
            names = [
                name.encode(errors="surrogateescape").decode(errors="replace")
                for name in frame[column]
            ]
            frame = frame.assign(**{column: names})
        frame.to_parquet(file, engine="pyarrow", index=False)
        return
    shown = [name for name in frame.columns if str(name).startswith("probability")]
    frame = frame.assign(**{name: frame[name].round(_DIGITS) for name in shown})
    # Typical values are those of training rows in float32, which holds seven digits.
    typical = [
        name
        for name in frame.columns
        if str(name).startswith("typical_") and is_float_dtype(frame[name])
    ]
    frame = frame.assign(**{name: frame[name].map("{:.7g}".format) for name in typical})
    # File names may contain bytes that are not valid text; they are written unchanged.
    frame.to_csv(file, index=False, header=header, errors="surrogateescape")


def _join_csv(parts: Sequence[Path], whole: Path) -> None:
    with whole.open("wb") as into:
        for part in parts:
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, into)


def _join_parquet(parts: Sequence[Path], whole: Path) -> None:
    from pyarrow.parquet import ParquetWriter, read_schema, read_table  # noqa: PLC0415

    with ParquetWriter(whole, read_schema(parts[0])) as writer:
        for part in parts:
            writer.write_table(read_table(part, use_threads=False))


def _is_csv(target: Path) -> bool:
    return target.suffix.lower() == ".csv"
