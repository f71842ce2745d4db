"""Tables in files of many kinds: their columns, and their rows, all at once or in parts.

    .csv .tsv .txt                text; see `gedi.data.text_files`
    .parquet .feather .arrow .orc
    .json .jsonl .ndjson          records
    .xlsx                         the first sheet

Each may be packed as .gz, .bz2, .zst or .zip. All readers of tables use these functions: those of
whole tables here, of predictions in `gedi.data.rows`, of streams in `gedi.data.shards`, and of
groups in `gedi.evidence.group_files`. Values of text files come as text, which `gedi.data.columns`
turns into numbers; of other files in their types.
"""

import codecs
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow.parquet import ParquetFile

from gedi.data.cells import Shapes, decimal_marks
from gedi.data.columns import (
    ColumnPlan,
    learn_columns,
    not_numeric,
    require_columns,
    text_of,
    typed,
)
from gedi.data.contents import content_of, kind_of
from gedi.data.dataset import Dataset
from gedi.data.file_errors import (
    existing_file,
    is_table,
    listed,
    pattern_files,
    read_each,
    reading,
)
from gedi.data.images import tables_among
from gedi.data.labels import label_column
from gedi.data.remote import local_path
from gedi.data.text_columns import Encode, vectors_of
from gedi.data.text_files import Frames, form_of, holds_quotes, table_start, text_rows
from gedi.data.texts import Texts
from gedi.errors import DataError
from gedi.files import source_name
from gedi.installed import version_of
from gedi.untrusted import RefusedError, check_room, json_of, refuse_special
from gedi.untrusted.packed import suffix_of, unpacked
from gedi.untrusted.tables import (
    check_book_claims,
    check_columns,
    check_parquet_claims,
    check_text_claims,
    is_nested,
)

__all__ = [
    "Part",
    "TableOptions",
    "column_names",
    "decimals_of",
    "load_tables",
    "open_parquet",
    "read_parts",
    "read_table",
    "table_files",
]

_PARQUET = "parquet"
_PART_VALUES = 2**18  # 2 MiB
_MOST_ROWS = 2**16  # in a part
_CELL_BYTES = 16  # that a value takes in a column, and once more among all columns
_JSON_BYTES = 32  # that Python takes for a byte of JSON, at worst
_LOOKED_AT = 100  # rows of a sheet in which its table begins
_SPLIT = {"columns", "index", "data"}  # of JSON as pandas writes it with orient="split"
_TOTALS = ("total", "totals", "grand total", "sum", "subtotal", "summe", "gesamt", "somme", "suma")


class Part(NamedTuple):
    """Rows of a table that follow each other.

    Attributes:
        frame: the rows.
        first_row: the place of the first of them in the file.
        share: of the file that has been read, in [0, 1].
    """

    frame: pd.DataFrame
    first_row: int
    share: float


class TableOptions(NamedTuple):
    """How tables of text are read, where the user says it.

    Attributes:
        encoding: of the text; None: found in the file.
        decimal: the mark of decimals, `.` or `,`; None: found in the file.
        no_header: whether the first line holds values.
        skip_footer: the number of lines at the end to leave out.
    """

    encoding: str | None = None
    decimal: str | None = None
    no_header: bool = False
    skip_footer: int = 0


Wanted = Sequence[str] | None
"""The columns to read; None means all."""

Parts = Callable[[Wanted, int | None], Frames]
"""A reader of some columns, some rows at a time or all at once (None)."""


@dataclass(frozen=True)
class _Table:
    """An open table.

    Args:
        names: of its columns.
        parts: reads them.
        separator: of fields in text; a comma for other files.
        notes: on how it was read.
    """

    names: Sequence[str]
    parts: Parts
    separator: str = ","
    notes: tuple[str, ...] = ()


def table_files(source: str) -> tuple[Path, ...]:
    """The files of a table: one, those in a folder, or those of a pattern such as data/*.csv.

    Returns:
        The files in the order of their names; none if the source is not a table.
    """
    path = local_path(source)
    try:
        if path.is_dir():
            return tuple(tables_among(sorted(path.iterdir())))
        found = [path] if path.is_file() else pattern_files(source)
    except OSError:  # for which `existing_file` gives the reason
        return ()
    return tuple(file for file in found if file.name[0] not in "._" and is_table(file))


def load_tables(
    files: Sequence[Path],
    source: str,
    *,
    label: str | None = None,
    features: Sequence[str] | None = None,
    kinds: Mapping[str, str],
    options: TableOptions,
    plan: ColumnPlan | None = None,
    network: str | None = None,
    encode: Encode = vectors_of,
) -> Dataset:
    """The points of a table in one or more files.

    Args:
        files: at least one.
        source: the name that the user gave.
        label: the column of labels, or None.
        features: the columns to take, in this order; None: all but the labels.
        kinds: the kinds of some columns; see `gedi.data.columns.KINDS`.
        options: how files of text are read.
        plan: what a training did with its columns; None: it is learned from the rows.
        network: the name of the network of columns of texts; None is the default.
        encode: makes vectors of the values of columns of texts.

    Raises:
        DataError: a file is damaged, lacks a column, or has values that nothing can be done with.
    """
    path = existing_file(str(files[0]))
    names = column_names(path, options)
    labels = () if label is None else (label,)
    require_columns(path, names, labels, "label column")
    left_out = [name for name, kind in kinds.items() if kind == "drop"]
    require_columns(path, names, left_out, "column to leave out (--drop)")
    require_columns(path, names, list(kinds), "column")
    if plan is not None:
        features = [column.name for column in plan.used]
    require_columns(path, names, features or (), "column")
    wanted = [name for name in names if name not in left_out]
    if features is not None:
        wanted = list(dict.fromkeys((*features, *labels)))
    frame, sizes, notes, separator = _joined(files, wanted, options)
    if len(frame) == 0:
        raise DataError(f"{source} has a header but no rows: add data")
    _refuse_repeated_names(source, frame)
    _refuse_totals(source, frame)
    given = None if label is None else typed(frame[label])
    frame = frame[[name for name in features or wanted if name != label]]
    if frame.columns.empty:
        raise DataError(f"{source} has no feature columns: it holds {listed(names)}")
    if plan is None:
        plan, x = learn_columns(
            frame,
            source,
            kinds={name: kind for name, kind in kinds.items() if kind != "drop"},
            separator=separator,
            decimal=options.decimal,
            network=network,
            encode=encode,
        )
    else:  # each file may mark its decimals in its own way
        ends = np.cumsum(sizes)
        x = np.concatenate(
            [
                plan.apply(
                    frame.iloc[end - n : end],
                    str(file),
                    decimals=decimals_of(file, plan, options),
                    encode=encode,
                )
                for file, n, end in zip(files, sizes, ends, strict=True)
            ]
        )
    codes, class_names = (None, ()) if given is None else label_column(path, given)
    name = path.name.partition(".")[0] if len(files) == 1 else source_name(source)
    return Dataset(
        name,
        x,
        codes,
        class_names,
        plan.features,
        columns=plan,
        notes=tuple(dict.fromkeys(notes)),
        texts=Texts.of(plan.row_texts(frame)) if plan.texts else None,
    )


def column_names(path: Path, options: TableOptions = TableOptions()) -> list[str]:
    """The names of the columns, without those that pandas keeps its index in.

    Raises:
        DataError: the file is of another kind or damaged, its first line holds no names, or two
            columns of a typed file have the same name.
    """
    with _opened(path, options) as table:
        check_columns(len(table.names))
        return list(table.names)


def read_table(
    path: Path, columns: Sequence[str] | None = None, options: TableOptions = TableOptions()
) -> pd.DataFrame:
    """All rows of a table.

    Raises:
        DataError: the file is of another kind, damaged, or does not fit into memory.
    """
    return _joined([path], columns, options)[0]


def read_parts(
    path: Path,
    columns: Sequence[str],
    groups: range | None = None,
    first_row: int = 0,
    options: TableOptions = TableOptions(),
) -> Iterator[Part]:
    """Rows of a table, some at a time, so that memory does not grow with the file.

    Tables in .json and .xlsx files are read whole.

    Args:
        path: of the file.
        columns: the columns to read, in this order.
        groups: the row groups of a .parquet file to read; None: all.
        first_row: the place of their first row in the file.
        options: how files of text are read.

    Raises:
        DataError: the file is damaged.
    """
    row = first_row
    with _opened(path, options, groups) as table:
        rows = max(1, min(_MOST_ROWS, _PART_VALUES // max(1, len(table.names))))
        for frame, share in read_each(table.parts(columns, rows), path, _kind_of(path)):
            yield Part(frame[list(columns)], row, share)
            row += len(frame)


def decimals_of(path: Path, plan: ColumnPlan, options: TableOptions) -> dict[str, str]:
    """The decimal marks of columns of numbers in a file of text, from all its rows.

    Where these do not decide, the marks of the training do.

    Raises:
        DataError: a column uses a mark in two ways.
    """
    names = [column.name for column in plan.used if column.kind == "number"]
    if options.decimal is not None:
        return dict.fromkeys(names, options.decimal)
    if _KINDS.get(suffix_of(path)) is not _text_table or not names:
        return {}
    known = {column.name: column.decimal for column in plan.used if column.decimal}
    with _opened(path, options) as table:
        separator = table.separator
    if separator == "," and set(known.values()) == {"."} and not holds_quotes(path):
        # No field holds a comma, so points mark decimals where they did in the training.
        names = [name for name in names if name not in known]
        if not names:
            return {}
    shapes = {name: Shapes() for name in names}
    for part in read_parts(path, names, options=options):
        for name, each in shapes.items():
            each.add(text_of(part.frame[name]), part.first_row)
    return decimal_marks(str(path), shapes, separator=separator, known=known)


def open_parquet(path: Path) -> "ParquetFile":
    """A .parquet file, whose columns are read with a small buffer each instead of as a whole."""
    refuse_special(path)
    return ParquetFile(path, buffer_size=2**16, pre_buffer=False)


@contextmanager
def _opened(path: Path, options: TableOptions, groups: range | None = None) -> Iterator[_Table]:
    kind = suffix_of(path)
    if kind not in _KINDS:
        raise DataError(
            f"{path}: expected a table ({', '.join(_KINDS)}), got {kind or 'no suffix'}"
        )
    opened: AbstractContextManager[Path] = unpacked(path)
    with reading(path, _kind_of(path)):
        plain = opened.__enter__()
    try:
        with reading(path, _kind_of(path)):
            _refuse_others(plain, kind)
            table = _KINDS[kind](plain, path, options, groups)
        yield table
    finally:
        opened.__exit__(None, None, None)


def _refuse_others(path: Path, kind: str) -> None:
    """Check that a file of typed values is not a file of another kind with the wrong name.

    Raises:
        RefusedError: it seems to be one.
    """
    reader = _KINDS[kind]
    if reader is _text_table:  # for which `form_of` checks it
        return
    refuse_special(path)
    with path.open("rb") as stream:
        start = stream.read(4096)
    is_json = reader in (_json_table, _lines_table)
    fits = start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"[", b"{") if is_json else False
    other = content_of(start)
    if other is not None and not fits and _KINDS.get(kind_of(start) or "") is not reader:
        raise RefusedError(f"it is not a {kind} file: it seems to be {other}")


def _kind_of(path: Path) -> str:
    kind = suffix_of(path)
    return "text" if _KINDS.get(kind) is _text_table else kind.removeprefix(".")


def _joined(
    files: Sequence[Path], columns: Sequence[str] | None, options: TableOptions
) -> tuple[pd.DataFrame, list[int], list[str], str]:
    """All rows of some files with the same columns; their numbers; notes; and the separator."""
    frames: list[pd.DataFrame] = []
    sizes: list[int] = []
    notes: list[str] = []
    separator = ","
    for path in files:
        with _opened(existing_file(str(path)), options) as table:
            separator = table.separator
            notes += table.notes
            wanted = list(table.names) if columns is None else list(columns)
            missing = [name for name in wanted if name not in table.names]
            if missing:
                raise DataError(f"{path} has no column {missing[0]!r}, as {files[0]} has")
            found = list(read_each(table.parts(wanted, None), path, _kind_of(path)))
            frames += [frame[wanted] for frame, _ in found]
            sizes.append(sum(len(frame) for frame, _ in found))
    whole = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    return whole, sizes, notes, separator


def _refuse_repeated_names(source: str, frame: pd.DataFrame) -> None:
    """Check that no row repeats the names of the columns, as in files that were joined."""
    texts = [name for name in frame.columns if isinstance(frame[name].iloc[0], str)]
    if not texts or len(frame.columns) < 2:
        return
    rows = np.flatnonzero(frame[texts[0]] == texts[0])
    for name in texts[1:]:
        rows = rows[(frame[name].iloc[rows] == name).to_numpy()]
    if len(rows) and len(texts) > 1:
        raise DataError(
            f"{source}: row {rows[0]} repeats the names of the columns: remove it; files with the "
            "same columns can be read together from a folder"
        )


def _refuse_totals(source: str, frame: pd.DataFrame) -> None:
    """Check that the last row does not hold totals, which would count like any other row."""
    for name, value in frame.iloc[-1].items():
        if isinstance(value, str) and value.strip(" :").lower() in _TOTALS:
            others = {str(other).strip(" :").lower() for other in frame[name].iloc[:-1]}
            if value.strip(" :").lower() not in others:
                raise DataError(
                    f"{source}: row {len(frame) - 1}, the last, seems to hold totals ({value!r} in "
                    f"column {name!r}): remove it, or leave it out with --skip-footer 1"
                )


# Kinds of files


def _text_table(plain: Path, path: Path, options: TableOptions, groups: range | None) -> _Table:
    form = form_of(plain, path, encoding=options.encoding, has_header=not options.no_header)

    def parts(columns: Wanted, rows: int | None) -> Frames:
        if rows is None:
            check_text_claims(plain, form.separator)
        for frame, share in _without_end(text_rows(plain, form, rows), options.skip_footer):
            yield frame if columns is None else frame[list(columns)], share

    return _Table(form.names, parts, form.separator, form.notes)


def _without_end(parts: Frames, n: int) -> Frames:
    """The rows of text without empty ones at the end, and without the last n others."""
    held: pd.DataFrame | None = None
    for part, share in parts:
        frame = part if held is None else pd.concat([held, part], ignore_index=True)
        stop = max(0, _n_filled(frame) - n)
        held = frame.iloc[stop:]
        if stop or share >= 1:
            yield frame.iloc[:stop].reset_index(drop=True), share


def _n_filled(frame: pd.DataFrame) -> int:
    """The number of rows up to the last that is not empty."""
    stop, step = len(frame), 16
    while stop:
        some = frame.iloc[max(0, stop - step) : stop]
        filled = (some != "").any(axis=1).to_numpy().nonzero()[0]
        if len(filled):
            return stop - len(some) + int(filled[-1]) + 1
        stop, step = stop - len(some), 4 * step
    return 0


def _parquet_table(plain: Path, path: Path, options: TableOptions, groups: range | None) -> _Table:
    with open_parquet(plain) as file:
        schema = file.schema_arrow
        names = _names_of_schema(path, schema)

    def parts(columns: Wanted, rows: int | None) -> Frames:
        _refuse_nested(path, schema, columns)
        if rows is None:
            check_parquet_claims(plain, columns)
            with open_parquet(plain) as file:
                whole = file.read(
                    None if columns is None else list(columns), use_pandas_metadata=True
                )
            yield _named(whole.to_pandas()), 1.0
            return
        with open_parquet(plain) as file:
            n, done = file.metadata.num_rows, 0
            chosen = None if groups is None else list(groups)
            wanted = None if columns is None else list(columns)
            for batch in file.iter_batches(rows, chosen, wanted, use_threads=False):
                done += len(batch)
                yield _named(batch.to_pandas()), min(1.0, done / n)

    return _Table(names, parts)


def _arrow_table(plain: Path, path: Path, options: TableOptions, groups: range | None) -> _Table:
    @contextmanager
    def opened() -> Iterator[tuple[Any, Iterator[Any]]]:
        with pa.OSFile(str(plain)) as file:
            try:
                reader = pa.ipc.open_file(file)
            except pa.ArrowInvalid:  # it is a stream
                file.seek(0)
                stream = pa.ipc.open_stream(file)
                yield stream.schema, iter(stream)
                return
            yield reader.schema, map(reader.get_batch, range(reader.num_record_batches))

    with opened() as (schema, _):
        names = _names_of_schema(path, schema)

    def batches(columns: Wanted) -> Iterator[Any]:
        with opened() as (_, found):
            for batch in found:
                yield batch if columns is None else batch.select(list(columns))

    return _Table(names, _batched(path, schema, batches))


def _orc_table(plain: Path, path: Path, options: TableOptions, groups: range | None) -> _Table:
    from pyarrow import orc  # noqa: PLC0415 - absent on some systems

    file = orc.ORCFile(plain)
    names = _names_of_schema(path, file.schema)

    def batches(columns: Wanted) -> Iterator[Any]:
        wanted = len(names) if columns is None else len(columns)
        check_room(file.nrows * wanted * _CELL_BYTES, f"{file.nrows:,} rows of {wanted} columns")
        for stripe in range(file.nstripes):
            yield file.read_stripe(stripe, None if columns is None else list(columns))

    return _Table(names, _batched(path, file.schema, batches))


def _batched(path: Path, schema: Any, batches: Callable[[Wanted], Iterator[Any]]) -> Parts:
    """Parts of batches of pyarrow, each held against the memory before it is turned into rows."""

    def parts(columns: Wanted, rows: int | None) -> Frames:
        _refuse_nested(path, schema, columns)
        frames: list[pd.DataFrame] = []
        n_bytes = 0
        for batch in batches(columns):
            cells = len(batch) * max(1, batch.num_columns)
            n_bytes = cells * _CELL_BYTES + batch.nbytes + (n_bytes if rows is None else 0)
            check_room(n_bytes, f"{len(batch):,} rows of {batch.num_columns} columns")
            if rows is None:
                frames.append(_named(batch.to_pandas()))
                continue
            for start in range(0, len(batch), rows):
                yield _named(batch.slice(start, rows).to_pandas()), 0.5
        if rows is None:
            empty = schema.empty_table().to_pandas()
            yield pd.concat(frames, ignore_index=True) if frames else empty, 1.0

    return parts


def _json_table(plain: Path, path: Path, options: TableOptions, groups: range | None) -> _Table:

    try:
        content = json_of(plain)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and error.doc.lstrip().startswith("{"):  # one record a line
            return _lines_table(plain, path, options, groups)
        raise
    frame = _frame_of_json(content)
    if frame is None:
        raise DataError(
            f'{path}: expected records, [{{"a": 1, "b": 2}}, ...], or columns, {{"a": [1, ...]}}'
        )
    return _whole(_named(frame))


def _frame_of_json(content: Any) -> pd.DataFrame | None:  # noqa: PLR0911 - one a form
    """The rows of JSON: records, columns, or what `pandas.DataFrame.to_json` writes; or None."""
    if isinstance(content, list):
        return pd.DataFrame.from_records(content) if _are_records(content) else None
    while isinstance(content, dict) and len(content) == 1 and _is_nested(*content.values()):
        (content,) = content.values()  # such as {"result": {"a": [...]}}
    if not isinstance(content, dict) or not content:
        return None
    names, rows = content.get("columns"), content.get("data")
    if isinstance(names, list) and isinstance(rows, list) and set(content) <= _SPLIT:
        fits = all(isinstance(row, list) and len(row) == len(names) for row in rows)
        return pd.DataFrame(rows, columns=names) if fits else None
    parts = list(content.values())
    even = all(isinstance(part, list) for part in parts) and len(set(map(len, parts))) == 1
    if even and (len(parts) > 1 or not _are_records(parts[0])):
        return pd.DataFrame(content)
    records = [part for part in parts if isinstance(part, list) and part and _are_records(part)]
    if len(records) == 1:  # such as {"count": 9, "data": [...]}
        schema = content.get("schema")
        index = isinstance(schema, dict) and schema.get("primaryKey") == ["index"]
        return pd.DataFrame.from_records(records[0], exclude=["index"] if index else None)
    if not parts[0] or not all(
        isinstance(part, dict) and list(part) == list(parts[0]) for part in parts
    ):
        return None
    are_rows = _are_places(content) and not _are_places(parts[0])
    frame = pd.DataFrame.from_dict(content, orient="index" if are_rows else "columns")
    return frame.reset_index(drop=True)


def _is_nested(value: Any) -> bool:
    """Whether this is a dictionary of lists or dictionaries."""
    return isinstance(value, dict) and all(isinstance(v, (list, dict)) for v in value.values())


def _are_records(values: Sequence[Any]) -> bool:
    return all(isinstance(value, dict) for value in values)


def _are_places(names: Iterable[str]) -> bool:
    """Whether these are numbers of rows."""
    return all(name.isdecimal() for name in names)


def _lines_table(plain: Path, path: Path, options: TableOptions, groups: range | None) -> _Table:
    """Records, one a line."""
    with plain.open(encoding="utf-8-sig") as stream:
        if stream.read(64).lstrip().startswith("["):
            return _json_table(plain, path, options, groups)

    def records() -> Iterator[dict[str, Any]]:
        with plain.open(encoding="utf-8-sig") as stream:
            for place, line in enumerate(stream):
                if line.strip():
                    try:
                        record = json.loads(line)
                    except RecursionError as error:
                        raise ValueError("it is nested too deeply") from error
                    if not isinstance(record, dict):
                        raise ValueError(f"line {place + 1} is no record in braces")
                    yield record

    names = list(dict.fromkeys(name for record in records() for name in record))
    size = plain.stat().st_size

    def parts(columns: Wanted, rows: int | None) -> Frames:
        if rows is None:
            check_room(_JSON_BYTES * size, "its records")
        found = records()
        wanted = list(columns or names)
        while some := list(islice(found, rows)):
            yield pd.DataFrame.from_records(some).reindex(columns=wanted), 0.5
            if rows is None:
                return

    return _Table(names, parts)


def _book_table(plain: Path, path: Path, options: TableOptions, groups: range | None) -> _Table:
    """The first sheet of a spreadsheet."""
    if version_of("openpyxl") is None:
        raise DataError(f"{path}: spreadsheets need an extra: pip install 'gedi[excel]'")
    check_book_claims(plain)
    with pd.ExcelFile(plain, engine="openpyxl") as book:
        sheets = book.sheet_names
        cells = pd.read_excel(
            book, sheet_name=sheets[0], header=None, dtype=object, keep_default_na=False
        )
    notes = [f"the first of {len(sheets)} sheets, {sheets[0]!r}, was read"] * (len(sheets) > 1)
    cells = cells[(cells.notna() & (cells != "")).any(axis=1)]
    shown = cells.head(_LOOKED_AT).map(lambda cell: "" if pd.isna(cell) else str(cell).strip())
    names, skipped = table_start(
        path, list(enumerate(shown.to_numpy().tolist())), notes, has_header=not options.no_header
    )
    frame = cells.iloc[skipped : len(cells) - options.skip_footer].set_axis(list(names), axis=1)
    frame = frame.reset_index(drop=True).mask(lambda found: found == "").infer_objects()
    return _whole(frame, tuple(notes))


def _whole(frame: pd.DataFrame, notes: tuple[str, ...] = ()) -> _Table:
    """A table that is in memory."""

    def parts(columns: Wanted, rows: int | None) -> Frames:
        chosen = frame if columns is None else frame[list(columns)]
        step = rows or max(1, len(frame))
        for start in range(0, max(1, len(frame)), step):
            part = chosen.iloc[start : start + step]
            yield part.reset_index(drop=True), min(1.0, (start + step) / max(1, len(frame)))

    return _Table([str(name) for name in frame.columns], parts, notes=notes)


_KINDS: dict[str, Callable[[Path, Path, TableOptions, range | None], _Table]] = {
    ".csv": _text_table,
    ".tsv": _text_table,
    ".txt": _text_table,
    ".parquet": _parquet_table,
    ".feather": _arrow_table,
    ".arrow": _arrow_table,
    ".orc": _orc_table,
    ".json": _json_table,
    ".jsonl": _lines_table,
    ".ndjson": _lines_table,
    ".xlsx": _book_table,
}


def _names_of_schema(path: Path, schema: Any) -> list[str]:
    """The names of the columns, without those that pandas keeps its index in.

    Raises:
        DataError: two columns have the same name.
    """
    check_columns(len(schema))
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise DataError(f"{path} has more than one column {twice[0]!r}: rename all but one")
    return [str(name) for name in schema.empty_table().to_pandas().columns]


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with names of text, and without an index of pandas."""
    frame.columns = frame.columns.map(str)
    return frame.reset_index(drop=True)


def _refuse_nested(path: Path, schema: Any, columns: Sequence[str] | None) -> None:
    """Check that no column holds lists, structures or maps."""
    for field in schema:
        if is_nested(field.type) and (columns is None or field.name in columns):
            raise not_numeric(path, field.name, f"values of type {field.type}")
