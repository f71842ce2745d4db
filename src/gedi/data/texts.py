"""Texts by row, in memory or mapped from a file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gedi.data.file_errors import reading
from gedi.files import beside

__all__ = ["Texts", "open_texts", "write_texts"]

_TEXT = "text"


class Texts(Sequence[str]):
    """Texts by row, in memory or mapped from a file."""

    def __init__(self, values: "pa.ChunkedArray") -> None:
        self._values = values

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Texts":
        """Texts in memory."""
        return cls(pa.chunked_array([pa.array(list(texts), pa.large_string())]))

    def __len__(self) -> int:
        """The number of texts, n."""
        return len(self._values)

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> str: ...

    @overload
    def __getitem__(
        self, index: slice | NDArray[np.integer[Any]] | NDArray[np.bool_]
    ) -> "Texts": ...

    def __getitem__(self, index: Any) -> "str | Texts":
        """One text, or those that an index or a mask selects."""
        if isinstance(index, (int, np.integer)):
            return str(self._values[int(index)].as_py())
        if isinstance(index, slice):
            index = np.arange(len(self))[index]
        places = np.asarray(index)
        places = np.flatnonzero(places) if places.dtype == bool else places
        return Texts(self._values.take(places.astype(np.int64)))

    def __iter__(self) -> Iterator[str]:
        """One text after the other."""
        for chunk in self._values.chunks:
            yield from chunk.to_pylist()

    def parts(self, size: int, start: int = 0) -> Iterator[list[str]]:
        """The texts from a row on, some at a time."""
        for first in range(start, len(self), size):
            yield self._values.slice(first, size).to_pylist()


def write_texts(path: Path, parts: Iterator[Sequence[str]]) -> None:
    """Write texts to a file from which `open_texts` maps them."""
    schema = pa.schema([(_TEXT, pa.large_string())])
    with (
        beside(path) as partial,
        pa.OSFile(str(partial), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        for part in parts:
            column = pa.array(list(part), pa.large_string())
            writer.write_batch(pa.record_batch([column], schema))


def open_texts(path: Path) -> Texts:
    """The texts of a file that `write_texts` wrote, mapped from it.

    Raises:
        DataError: if it is damaged.
    """
    with reading(path, "texts that were kept"):
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        table.validate(full=True)
        if table.schema.names != [_TEXT] or table.schema.types != [pa.large_string()]:
            raise ValueError("it holds other columns")
        return Texts(table.column(0))
