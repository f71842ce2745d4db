"""Parquet files of images, in the layout that `datasets` writes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gedi.data.file_errors import listed, read_each, reading
from gedi.data.images.labels import class_names_of, label_column, labels_of
from gedi.data.images.pile import PART, Encoded, Pile, marks_of
from gedi.errors import DataError
from gedi.untrusted import refuse_special
from gedi.untrusted.tables import check_parquet_claims, is_nested

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["encoded_in", "image_column", "image_columns", "schema_of", "shards_pile"]

_KIND = "parquet"
_IMAGE_COLUMNS = ("image", "img")


def schema_of(path: Path) -> "pa.Schema":
    """Names and types of the columns of a parquet file.

    Raises:
        DataError: the file cannot be read.
    """
    return _parquet(path).schema_arrow


def _parquet(path: Path, dictionaries: Sequence[str] = ()) -> Any:
    """A parquet file; values of columns named as `dictionaries` are unpacked once each."""
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    with reading(path, _KIND):
        refuse_special(path)
        return ParquetFile(path, read_dictionary=list(dictionaries))


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
        yield from _batches(shards, files, image)

    values: list[Any] = []
    column = label_column(str(shards[0]), files[0].schema_arrow, label)
    for path in shards:
        _check(path, column)
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
            if is_nested(file.schema_arrow.field(column).type):
                raise DataError(
                    f"{path}: labels must be numbers or text, but the column {column!r} holds "
                    f"{file.schema_arrow.field(column).type}"
                )
        for cells in _batches(shards, files, column):
            values += cells
        if len(values) != starts[-1]:
            raise DataError(
                f"{name}: claims {starts[-1]} rows, but holds {len(values)} labels: write it again"
            )
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


def _check(path: Path, column: str | None) -> None:
    """Refuse a shard whose rows, or whose labels, do not fit into memory."""
    with reading(path, _KIND):
        check_parquet_claims(path, [] if column is None else [column])


def _batches(shards: list[Path], files: list[Any], column: str) -> Iterator[list[Any]]:
    """The values of a column, some at a time."""
    for path, file in zip(shards, files, strict=True):
        kind = file.schema_arrow.field(column).type
        packed = _parquet(path, [f"{column}.bytes"] if is_nested(kind) else [column])
        batches = packed.iter_batches(batch_size=PART, columns=[column])
        yield from read_each((_cells(batch.column(0)) for batch in batches), path, _KIND)


def _cells(column: "pa.Array") -> list[Any]:
    """The values of a column, or the bytes in them if they are structures.

    Equal values are one object. Otherwise a large image that comes in many rows, for which the
    file has only few bytes, would fill the memory.
    """
    if is_nested(column.type):
        names = [part.name for part in column.type]
        column = column.flatten()[names.index("bytes")]
    if not hasattr(column, "dictionary"):
        return list(column.to_pylist())
    values = column.dictionary.to_pylist()
    return [None if place is None else values[place] for place in column.indices.to_pylist()]


def encoded_in(row: Any) -> Encoded:
    """The bytes in a cell, or the path of a file, as `datasets` gives a row of a set it fetched."""
    if not isinstance(row, dict):
        return None if row is None else bytes(row)
    if row["bytes"] is None and row.get("path"):
        return Path(row["path"])
    return None if row["bytes"] is None else bytes(row["bytes"])


def image_columns(schema: "pa.Schema") -> list[str]:
    """Columns of encoded images; one of plain bytes counts only by its name."""
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
        f"columns {listed(schema.names)}; a table in such files is trained on with --streaming"
    )
