"""Tables in .parquet files that do not fit into memory: their groups, and an order of reading.

An epoch takes the row groups of all files in random order, several of them at once, and mixes a
buffer of their rows: the two-level shuffle of CorgiPile (Xu et al., SIGMOD 2022). The order is a
function of seed and epoch alone, so that reading can start again anywhere.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import types
from pyarrow.parquet import ParquetFile

from gedi.data.columns import not_numeric, numeric_rows, require_columns
from gedi.data.dataset import Dataset, Values
from gedi.data.file_errors import read_each, reading, refused
from gedi.data.images import holds_images
from gedi.data.labels import label_column
from gedi.data.remote import local_path
from gedi.data.tables import column_names, open_parquet, read_parts
from gedi.errors import DataError
from gedi.untrusted import RefusedError
from gedi.untrusted.tables import is_nested

__all__ = ["Group", "GroupRows", "Piece", "Shards", "StreamedDataset", "load_stream", "mixed"]

_KIND = "parquet"
_BUFFER_VALUES = 2**24  # of rows that are mixed, 64 MiB in float32
_AT_ONCE = 16  # row groups that are read in turns
_OPEN_BYTES = 2**28  # for all open groups
_BLOCK_VALUES = 2**18  # of a group that are read at once, 2 MiB
_PAGES_BYTES = 9 * 2**18  # of an open column: a page, a dictionary, and both unpacked
_SMALL_GROUP = 2**12  # rows; neighbours with fewer count as one, or opening them would take longer
_SAMPLED = 20_000  # rows
_SAMPLED_VALUES = 2**24
_LOOKED_AT = 2**27  # values in the row groups that the sample is from, 1 GiB
_MOST_LOOKED_AT = 1000
_FOR_ORDER, _FOR_BUFFER, _FOR_SAMPLE = range(3)  # uses of random numbers


class Group(NamedTuple):
    """Row groups of a file that follow each other, read as one.

    Attributes:
        file: the index of the file.
        first: the index of the first row group in the file.
        stop: the index after that of the last.
        first_row: the place of their first row in the file.
        n_rows: the number of rows in all of them.
    """

    file: int
    first: int
    stop: int
    first_row: int
    n_rows: int


class Piece(NamedTuple):
    """Rows of a group, from `start` to before `stop`."""

    group: int
    start: int
    stop: int


@dataclass(frozen=True)
class Shards:
    """The rows of .parquet files.

    Args:
        source: the name that the user gave.
        files: at least one.
        features: the columns, in this order.
        groups: in the order of files and rows.
        buffer_size: the number of rows that are mixed.
        at_once: the number of groups that are read in turns.
        open_bytes: the most bytes that each of these takes.
        low: the least value of each feature in the statistics of the files, (d,); NaN without one.
        high: the greatest.
    """

    source: str
    files: tuple[Path, ...]
    features: tuple[str, ...]
    groups: tuple[Group, ...]
    buffer_size: int
    at_once: int
    open_bytes: int
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def n_rows(self) -> int:
        """The number of rows in all files."""
        return sum(group.n_rows for group in self.groups)

    @property
    def held_bytes(self) -> int:
        """The bytes that a stream takes: its buffer with the places in it, and the open groups."""
        row = 4 * len(self.features) + 8
        return min(self.buffer_size, self.n_rows) * row + self.at_once * self.open_bytes

    def order(self, seed: int, epoch: int, rank: int = 0, world_size: int = 1) -> list[int]:
        """The groups in random order; those of one process, which no other process reads."""
        rng = np.random.default_rng([_FOR_ORDER, seed, epoch])
        found: list[int] = rng.permutation(len(self.groups))[rank::world_size].tolist()
        return found

    def places(self, n: int, seed: int, epoch: int, rank: int, number: int) -> NDArray[np.int64]:
        """The places of n rows in a buffer, given its number in the epoch and the process."""
        rng = np.random.default_rng([_FOR_BUFFER, seed, epoch, rank, number])
        return rng.permutation(n)

    def buffers(self, order: Sequence[int]) -> Iterator[list[Piece]]:
        """The contents of the buffer, one filling after the other; see `mixed`."""
        sizes = {place: self.groups[place].n_rows for place in order}
        return mixed(order, sizes, self.buffer_size, self.at_once)

    def open(self, group: int) -> "GroupRows":
        """The rows of a group from its first on."""
        place = self.groups[group]
        return GroupRows(self.files[place.file], place, self.features)


class GroupRows:
    """Rows of a group, read in turns with those of other groups.

    Raises:
        DataError: for a file that cannot be read.
    """

    def __init__(self, path: Path, group: Group, features: Sequence[str]) -> None:
        self._blocks = _blocks(path, group, features)
        self._rest: Values | None = None

    def take(self, n: int) -> Iterator[Values]:
        """The next n rows, in parts (k, d).

        Raises:
            DataError: for damaged rows, and those that are not finite numbers, with their place.
        """
        while n:
            rows = next(self._blocks) if self._rest is None else self._rest
            self._rest = rows[n:] if len(rows) > n else None
            yield rows[:n]
            n -= len(rows[:n])


@dataclass(frozen=True, eq=False)
class StreamedDataset(Dataset):
    """A sample of the rows as `x`, and the shards that batches come from."""

    shards: Shards = field(kw_only=True)

    @property
    def n_rows(self) -> int:
        """The number of rows in all files, of which `x` holds a sample."""
        return self.shards.n_rows


def load_stream(
    source: str, *, label: str | None = None, seed: int = 0, buffer_size: int | None = None
) -> StreamedDataset:
    """A .parquet file, or a folder of them, to train on without holding it in memory.

        data = gedi.load_stream("shards/")
        gedi.fit(data, n_clusters=5)

    Every column but the label is a feature; all are numbers, and the same in all files. `x` holds
    up to 20,000 rows at random, out of row groups at random that hold up to 2**27 values.

    Args:
        source: the file or the folder, in which names that begin with . or _ are passed over.
        label: a column that is kept from training; its labels are those of the sample.
        seed: of the sample.
        buffer_size: the number of rows that are mixed; by default as many as fit into 64 MiB. A
            larger buffer mixes better.

    Raises:
        DataError: there are no such files, or no rows; a file is damaged, or has other columns than
            the first; or a column is not numeric.
    """
    path = local_path(source)
    files = _files(path)
    known: list[str] = []
    features: tuple[str, ...] = ()
    groups: list[Group] = []
    open_bytes = 1
    low = high = np.empty(0)
    for place, file in enumerate(files):
        names = column_names(file)
        with reading(file, _KIND), open_parquet(file) as table:
            if place == 0:
                known = names
                features = _features(file, table, names, label)
                low, high = np.full(len(features), np.inf), np.full(len(features), -np.inf)
            _refuse_other_columns(file, names, files[0], known)
            for name in features:
                kind = table.schema_arrow.field(name).type
                if not _is_numeric(kind):
                    raise not_numeric(file, name, f"values of type {kind}")
            found, n_bytes = _groups_of(file, place, table)
            groups += found
            open_bytes = max(open_bytes, min(3 * n_bytes, _PAGES_BYTES * len(features)))
            least, greatest = _bounds(table, features)
            for name, ends in zip(features, np.isinf([least, greatest]).T, strict=True):
                if found and ends.any():
                    raise DataError(f"{file}: column {name!r} holds infinite values: drop the rows")
            low, high = np.minimum(low, least), np.maximum(high, greatest)
    if not groups:
        raise DataError(f"{source} has no rows: add data")
    if buffer_size is not None and buffer_size < 1:
        raise DataError(f"buffer_size: expected at least 1 row, got {buffer_size}")
    shards = Shards(
        source,
        files,
        features,
        tuple(groups),
        buffer_size or max(1, _BUFFER_VALUES // len(features)),
        max(1, min(_AT_ONCE, _OPEN_BYTES // open_bytes)),
        open_bytes,
        low,
        high,
    )
    x, labels = _sample(shards, label, seed)
    codes, class_names = (None, ()) if labels is None else label_column(path, labels)
    return StreamedDataset(path.stem, x, codes, class_names, features, shards=shards)


def mixed(
    order: Sequence[int], sizes: dict[int, int], buffer_size: int, at_once: int
) -> Iterator[list[Piece]]:
    """Pieces that fill a buffer, one filling after the other, until every row has been in one.

    Several groups are open, and each fills an equal share of the buffer. Where one ends, the next
    in the order follows.
    """
    waiting = deque(order)
    heads = [(waiting.popleft(), 0) for _ in range(min(at_once, len(waiting), buffer_size))]
    share = buffer_size // max(1, len(heads))
    while heads:
        pieces: list[Piece] = []
        left: list[tuple[int, int]] = []
        for head in heads:
            group, start = head
            room = share
            while room:
                stop = min(start + room, sizes[group])
                pieces.append(Piece(group, start, stop))
                room -= stop - start
                if stop < sizes[group]:
                    left.append((group, stop))
                elif waiting:
                    group, start = waiting.popleft(), 0
                    if not room:
                        left.append((group, start))
                else:
                    break
        heads = left
        yield pieces


# Files


def _files(path: Path) -> tuple[Path, ...]:
    """The .parquet files.

    Raises:
        DataError: there are none, or they hold images.
    """
    try:
        if path.is_dir():
            shards = sorted(path.glob("*.[pP][aA][rR][qQ][uU][eE][tT]"))
            files = tuple(file for file in shards if file.name[0] not in "._" and file.is_file())
        else:
            files = (path,) if path.suffix.lower() == ".parquet" and path.is_file() else ()
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be opened: {error.strerror}") from error
    if not files:
        what = "a folder with some" if path.is_dir() else "such a file, or a folder of them"
        raise DataError(f"{path}: streaming reads .parquet files: expected {what}")
    empty = [file for file in files if file.stat().st_size == 0]
    if empty:
        raise DataError(f"{empty[0]} is empty (0 bytes): write it again or take it away")
    if holds_images(str(files[0])):
        raise DataError(
            f"{path} holds images, which are not streamed from .parquet: leave streaming out; with "
            "stream_above 0 they are decoded once, to a file that batches are read from"
        )
    return files


def _features(
    path: Path, table: "ParquetFile", names: Sequence[str], label: str | None
) -> tuple[str, ...]:
    """All columns except that of the labels."""
    if label is not None:
        require_columns(path, names, [label], "label column")
        kind = table.schema_arrow.field(label).type
        if is_nested(kind):
            raise DataError(
                f"{path}: labels must be numbers or text, but the column {label!r} holds {kind}"
            )
    features = tuple(name for name in names if name != label)
    if not features:
        raise DataError(f"{path} has no feature columns: it holds {label or 'none'} alone")
    return features


def _refuse_other_columns(
    path: Path, names: Sequence[str], first: Path, known: Sequence[str]
) -> None:
    missing = [name for name in known if name not in names]
    more = [name for name in names if name not in known]
    if missing:
        raise DataError(f"{path} has no column {missing[0]!r}, as {first} has")
    if more:
        raise DataError(f"{path} has a column {more[0]!r}, which {first} has not")


def _is_numeric(kind: "pa.DataType") -> bool:
    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return any(test(kind) for test in tests)


def _groups_of(path: Path, place: int, table: "ParquetFile") -> tuple[list[Group], int]:
    """The groups of a file that have rows, small neighbours joined; and the most bytes of one."""
    facts = table.metadata
    sizes = [facts.row_group(i).num_rows for i in range(facts.num_row_groups)]
    if min(sizes, default=0) < 0 or sum(sizes) != facts.num_rows:
        raise refused(path, RefusedError("its parts do not have as many rows as it claims"))
    groups: list[Group] = []
    row = 0
    for i, size in enumerate(sizes):
        last = groups[-1] if groups else None
        if last is not None and last.n_rows + size <= _SMALL_GROUP:
            groups[-1] = last._replace(stop=i + 1, n_rows=last.n_rows + size)
        elif size:
            groups.append(Group(place, i, i + 1, row, size))
        row += size
    n_bytes = max((facts.row_group(i).total_byte_size for i in range(len(sizes))), default=0)
    return groups, n_bytes


def _bounds(
    table: "ParquetFile", features: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the greatest value of each feature in the footer of the file, or NaN."""
    facts = table.metadata
    low, high = np.full(len(features), np.inf), np.full(len(features), -np.inf)
    columns = [facts.schema.names.index(name) for name in features]
    for i in range(facts.num_row_groups):
        group = facts.row_group(i)
        if group.num_rows == 0:
            continue
        for k, column in enumerate(columns):
            known = group.column(column).statistics
            if known is None or not known.has_min_max or not isinstance(known.min, int | float):
                low[k] = high[k] = np.nan
                continue
            low[k] = np.minimum(low[k], float(known.min))
            high[k] = np.maximum(high[k], float(known.max))
    return low, high


# Rows


def _blocks(path: Path, group: Group, features: Sequence[str]) -> Iterator[Values]:
    """All features of a group, some rows at a time."""
    row = group.first_row
    n_rows = max(1, _BLOCK_VALUES // len(features))
    chosen = list(range(group.first, group.stop))
    with reading(path, _KIND):
        table = open_parquet(path)
    with table:
        batches = table.iter_batches(n_rows, chosen, list(features), use_threads=False)
        for batch in read_each(batches, path, _KIND):
            x = _plain_rows(batch)
            yield numeric_rows(path, batch.to_pandas(), first_row=row) if x is None else x
            row += len(batch)
    if row != group.first_row + group.n_rows:
        raise DataError(
            f"{path} claims {group.n_rows} rows from row {group.first_row} on, but holds "
            f"{row - group.first_row}: write it again"
        )


def _plain_rows(batch: "pa.RecordBatch") -> Values | None:
    """The numbers of a batch, (n, d), without the detour of a data frame, which takes as long.

    None if they need more care: a type that numpy does not have, or values that are not finite.
    """
    plain = all(types.is_integer(kind) or types.is_floating(kind) for kind in batch.schema.types)
    if not plain or any(column.null_count for column in batch.columns):
        return None
    x = np.empty((len(batch), batch.num_columns))
    for place, column in enumerate(batch.columns):
        x[:, place] = column.to_numpy(zero_copy_only=False)
    return x if np.isfinite(x).all() else None


def _sample(shards: Shards, label: str | None, seed: int) -> tuple[Values, pd.Series | None]:
    """Random rows (m, d) of some random groups, and their labels."""
    rng = np.random.default_rng([_FOR_SAMPLE, seed])
    d = len(shards.features)
    chosen: list[int] = []
    n = 0
    for place in rng.permutation(len(shards.groups))[:_MOST_LOOKED_AT].tolist():
        if chosen and n + shards.groups[place].n_rows > _LOOKED_AT // d:
            break
        chosen.append(place)
        n += shards.groups[place].n_rows
    wanted = np.sort(rng.choice(n, min(n, _SAMPLED, max(1, _SAMPLED_VALUES // d)), replace=False))
    columns = [*shards.features, *(() if label is None else (label,))]
    found: list[Values] = []
    labels: list[pd.Series] = []
    at = 0
    for place in sorted(chosen):
        group = shards.groups[place]
        path, places = shards.files[group.file], range(group.first, group.stop)
        for part in read_parts(path, columns, places, group.first_row):
            frame = part.frame
            x = numeric_rows(path, frame[list(shards.features)], first_row=part.first_row)
            here = wanted[slice(*np.searchsorted(wanted, [at, at + len(x)]))] - at
            found.append(x[here])
            if label is not None:
                labels.append(frame[label].iloc[here])
            at += len(x)
    x = np.concatenate(found)
    if label is None:
        return x, None
    return x, pd.concat(labels, ignore_index=True).rename(label)
