"""Parquet files of images, as `datasets` writes them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gedi.errors import DataError
from gedi.images.labels import class_names_of, label_column, labels_of
from gedi.images.pile import PART, Encoded, Pile, marks_of
from gedi.images.wording import listed, reason

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["encoded_in", "image_column", "image_columns", "schema_of", "shards_pile"]

_IMAGE_COLUMNS = ("image", "img")


def schema_of(path: Path) -> "pa.Schema":
    """Names and types of the columns of a parquet file.

    Raises:
        DataError: the file cannot be read.
    """
    return _parquet(path).schema_arrow


def _parquet(path: Path) -> Any:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    try:
        return ParquetFile(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} cannot be read as parquet and may be damaged: write it again ({reason(error)})"
    )


def shards_pile(name: str, shards: list[Path], label: str | None) -> Pile:
    """The images of parquet files, one after the other.

    Args:
        name: of the set.
        shards: the files; at least one.
        label: the column of labels; by default one with a usual name, if there is one.

    Raises:
        DataError: a file cannot be read, holds no images, or does not fit the first.
    """
    files = [_parquet(path) for path in shards]
    image = image_column(str(shards[0]), files[0].schema_arrow)
    starts = np.cumsum([0, *(file.metadata.num_rows for file in files)])
    for path, file in zip(shards, files, strict=True):
        if image not in file.schema_arrow.names:
            raise DataError(f"{path} has no column {image!r} of images, as {shards[0]} has")

    def where(i: int) -> str:
        shard = int(np.searchsorted(starts, i, side="right")) - 1
        return f"row {i - starts[shard]} of {shards[shard]}"

    def parts() -> Iterator[Sequence[Encoded]]:
        for batch in _batches(shards, files, image):
            yield [encoded_in(row, folder=None) for row in batch.column(0).to_pylist()]

    values: list[Any] = []
    column = label_column(str(shards[0]), files[0].schema_arrow, label)
    class_names = class_names_of(files[0].schema_arrow, column)
    if column is not None:
        for path, file in zip(shards, files, strict=True):
            if column not in file.schema_arrow.names:
                raise DataError(f"{path} has no column {column!r} of labels, as {shards[0]} has")
            if class_names_of(file.schema_arrow, column) != class_names:
                raise DataError(
                    f"{path} names the classes of {column!r} otherwise than {shards[0]}: write "
                    f"both with the same names"
                )
        for batch in _batches(shards, files, column):
            values += batch.column(0).to_pylist()
    labels = labels_of(values, column, class_names, where)
    return Pile(
        name,
        int(starts[-1]),
        parts,
        where,
        lambda: marks_of(shards),
        labels,
        () if labels is None else class_names,
    )


def _batches(shards: list[Path], files: list[Any], column: str) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa  # noqa: PLC0415

    for path, file in zip(shards, files, strict=True):
        try:
            yield from file.iter_batches(batch_size=PART, columns=[column])
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _damaged(path, error) from error


def encoded_in(row: Any, folder: Path | None) -> Encoded:
    """The bytes in a cell; or, if paths in it are to be trusted, the path of a file."""
    if not isinstance(row, dict):
        return None if row is None else bytes(row)
    if row["bytes"] is None and folder is not None and row.get("path"):
        return folder / str(row["path"])
    return None if row["bytes"] is None else bytes(row["bytes"])


def image_columns(schema: "pa.Schema") -> list[str]:
    """Columns of encoded images; one of mere bytes is one only if its name says so."""
    from pyarrow import types  # noqa: PLC0415

    def binary(kind: "pa.DataType") -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    def holds(field: "pa.Field") -> bool:
        if binary(field.type):
            return field.name in _IMAGE_COLUMNS
        if not types.is_struct(field.type):
            return False
        kinds = {part.name: part.type for part in field.type}
        return kinds.keys() >= {"bytes", "path"} and binary(kinds["bytes"])

    return [field.name for field in schema if holds(field)]


def image_column(where: str, schema: "pa.Schema") -> str:
    """The column of images: one with a usual name, or the only one.

    Raises:
        DataError: there is none, or more than one.
    """
    columns = image_columns(schema)
    named = [name for name in _IMAGE_COLUMNS if name in columns]
    if named or len(columns) == 1:
        return (named or columns)[0]
    if columns:
        raise DataError(
            f"{where} has several columns of images, {listed(columns)}: give the one to take the "
            f"name 'image'"
        )
    raise DataError(
        f"{where} has no column of images: expected a column 'image' of encoded images, got the "
        f"columns {listed(schema.names)}"
    )
