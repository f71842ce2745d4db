"""`gedi impute`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jsonargparse import Namespace
from numpy.typing import NDArray
from torch import Generator

from gedi.cli.output_files import check_target
from gedi.data.columns import ColumnPlan
from gedi.data.file_errors import existing_file
from gedi.data.inverse import places, same_type
from gedi.data.source import TABLE_OPTIONS
from gedi.data.tables import TableOptions, decimals_of, read_table, table_files
from gedi.data.values import checked_rows
from gedi.errors import DataError
from gedi.estimators.frames import frame_of, imputed_frame
from gedi.files import beside
from gedi.printable import printable
from gedi.runs import Run
from gedi.training.trained import TrainedModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run"]

_SUFFIXES = (".csv", ".parquet")


def run(options: Namespace) -> int:
    """Write a table with its missing values filled in, and their error bars."""
    folder = Run.open(Path(options.folder))
    plan = _plan(folder)
    files = table_files(options.data)
    if not files:
        existing_file(options.data)
        raise DataError(f"{options.data}: expected a table with the columns of {folder.path}")
    inputs = [options.data, *map(str, files)]
    target = check_target(options.out, _SUFFIXES, overwrite=options.overwrite, inputs=inputs)
    source = folder.other_source(
        options.data, table_options={name: options[name] for name in TABLE_OPTIONS}
    )
    frame, rows = _read(files, plan, source.table_options)
    trained = folder.load_model()
    missing = np.isnan(rows)
    checked_rows(np.where(missing, 0.0, rows), options.data, names=plan.features)
    generator = Generator().manual_seed(options.seed)
    filled, std = trained.impute(rows, generator, draw=options.draw)
    filled = np.where(missing, _whole(filled, plan, trained), filled)
    used = frame[[column.name for column in plan.columns]]
    like = frame_of(used)
    assert like is not None
    values, errors = imputed_frame(used, missing, filled=filled, std=std, like=like, plan=plan)
    gaps = {
        column.name: int(missing[:, at].any(1).sum())
        for column, at in zip(plan.used, places(plan).values(), strict=True)
    }
    _write(_joined(frame, values, errors, gaps), target)
    shown = ", ".join(f"{name} {n}" for name, n in gaps.items() if n and name in errors)
    print(printable(f"{len(frame)} rows written to {target}; filled in: {shown or 'nothing'}"))
    for name in plan.texts:
        if gaps[name]:
            note = f"note: {gaps[name]} missing texts in {name} stay missing, as none can be made"
            print(printable(note), file=sys.stderr)
    return 0


def _plan(folder: Run) -> ColumnPlan:
    """The columns of the training that are used.

    Raises:
        DataError: if the training was none of a table.
    """
    kind = None
    if folder.image_shape is not None or (folder.source.has_features and not folder.has_texts):
        kind = "images"
    elif folder.has_texts:
        kind = "texts"
    elif folder.columns is None:
        kind = "points without names of columns"
    if kind is not None or folder.columns is None:
        raise DataError(
            f"{folder.path}: was trained on {kind}, but gedi impute fills in the cells of tables: "
            "give a run that was trained on a table"
        )
    return ColumnPlan(folder.columns.used)


def _read(
    files: tuple[Path, ...], plan: ColumnPlan, options: TableOptions
) -> "tuple[pd.DataFrame, NDArray[np.float64]]":
    """All columns of some files, and the features (n, d) of those of the training."""
    import pandas as pd  # noqa: PLC0415

    frames = [read_table(file, options=options) for file in files]
    rows = [
        plan.apply(frame, str(file), decimals=decimals_of(file, plan, options), keep_missing=True)
        for file, frame in zip(files, frames, strict=True)
    ]
    whole = pd.concat(frames, ignore_index=True)
    if not len(whole):
        raise DataError(f"{files[0]} has no rows: add data")
    return whole, np.concatenate(rows)


def _whole(x: NDArray[np.float64], plan: ColumnPlan, trained: TrainedModel) -> NDArray[np.float64]:
    """The points (n, d) rounded in columns that hold whole numbers, or days, alone."""
    visible, x = trained.visible, x.copy()
    for column, at in zip(plan.used, places(plan).values(), strict=True):
        j = at.start
        if column.kind in ("number", "date") and visible is not None and visible.per_unit[j] == 1:
            x[:, j] = x[:, j].round().clip(float(visible.low[j]), float(visible.high[j]))
    return x


def _joined(
    frame: "pd.DataFrame", values: "pd.DataFrame", errors: "pd.DataFrame", gaps: dict[str, int]
) -> "pd.DataFrame":
    """The table with filled columns, and columns of errors behind those with gaps."""
    import pandas as pd  # noqa: PLC0415

    columns: dict[str, pd.Series] = {}
    for name, column in frame.items():
        found = values.get(name, column)
        was_text = column.dtype != found.dtype
        if was_text and found.dtype == float and bool((found.dropna() % 1 == 0).all()):
            found = found.astype("Int64")
        columns[str(name)] = same_type(found)
        if name in errors and gaps[str(name)]:
            columns[_free(f"{name}_error", frame)] = errors[name]
    return pd.DataFrame(columns)


def _free(name: str, frame: "pd.DataFrame") -> str:
    """A name that no column has."""
    return name if name not in frame else _free(f"{name}_", frame)


def _write(frame: "pd.DataFrame", target: Path) -> None:
    with beside(target) as file:
        if target.suffix.lower() == ".csv":
            frame.to_csv(file, index=False)
        else:
            frame.to_parquet(file, engine="pyarrow", index=False)
