"""Text files of tables, as programs and people save them: what they look like, and their rows.

Found in the file, and said where it is not the usual: the encoding; the separator of fields; lines
above the header (a title, comments, `sep=;`); a header that lacks the name of the row names; a
separator at the end of each line; comment lines.
"""

import codecs
import csv
import io
import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from gedi.data.contents import content_of, document_of
from gedi.data.file_errors import listed
from gedi.errors import DataError
from gedi.untrusted import RefusedError, refuse_special
from gedi.untrusted.packed import PACKED, suffix_of, unpacked
from gedi.untrusted.tables import check_columns, check_text_head

__all__ = [
    "Frames",
    "TextForm",
    "encoding_of",
    "form_of",
    "holds_quotes",
    "is_prose",
    "table_start",
    "text_rows",
]

_HEAD, _MOST_HEAD = 2**16, 2**24  # bytes that are looked at, at first and at most
_BLOCK_BYTES = 2**22  # that are read at a time
_LOOKED_AT = 100  # lines
_SEPARATORS = "\t;|,"  # where two fit equally, the first counts
_EVEN = 0.8  # of the lines of a .txt file that is a table
_BLANKS = " "  # any number of spaces
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAID = {
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "cp1252": "Windows-1252",
}
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)


Frames = Iterator[tuple[pd.DataFrame, float]]
"""Some rows of a table at a time, and the share of the file that has been read."""


class TextForm(NamedTuple):
    """What a text file looks like.

    Attributes:
        encoding: as Python names it.
        separator: of fields; a space stands for any number of spaces.
        names: of the columns.
        skipped: the lines above the first row of values, the header included.
        comments: whether lines that start with # are comments.
        notes: what is unusual, in words.
    """

    encoding: str
    separator: str
    names: tuple[str, ...]
    skipped: int
    comments: bool
    notes: tuple[str, ...]


def form_of(
    path: Path, where: Path, *, encoding: str | None = None, has_header: bool = True
) -> TextForm:
    """What a text file looks like.

    Raises:
        RefusedError: it is not text, or has too many columns.
        DataError: it is empty, or its first line holds no names.
        OSError: it cannot be read.
    """
    refuse_special(path)
    stat = path.stat()
    facts = (stat.st_mtime_ns, stat.st_size)
    return _form_of(path, where, encoding=encoding, has_header=has_header, facts=facts)


def is_prose(path: Path, encoding: str | None = None) -> bool:
    """Whether a .txt file holds lines of text rather than a table.

    Returns:
        Whether it does; False for what is no such file, or cannot be read as text, for which the
        reader of tables gives the reason.
    """
    try:
        if suffix_of(path) != ".txt" or not path.is_file():
            return False
        stat = path.stat()
        return _is_prose(path, encoding, facts=(stat.st_mtime_ns, stat.st_size))
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error):
        return False


def text_rows(path: Path, form: TextForm, rows: int | None) -> Frames:
    """All values as text, some rows at a time; and the share of the file that has been read.

    Args:
        path: of the file.
        form: what it looks like.
        rows: at a time; None: all at once.

    Raises:
        ValueError, OSError: the file is damaged.
    """
    done = 0
    if _is_simple(path, form):
        try:
            for frame, share in _simple_rows(path, form, rows):
                yield frame, share
                done += len(frame)
        except pa.ArrowInvalid:  # some line is not as simple
            pass
        else:
            return
    for frame, share in _any_rows(path, form, rows):
        if done == 0 or done < len(frame):
            yield frame.iloc[done:].reset_index(drop=True) if done else frame, share
        done = max(0, done - len(frame))


def _is_simple(path: Path, form: TextForm) -> bool:
    """Whether each line is a row, and each separator is between two fields."""
    usual = form.encoding in ("utf-8", "utf-8-sig", "ascii") and form.separator != _BLANKS
    return usual and bool(form.names) and not form.comments and not holds_quotes(path)


def _simple_rows(path: Path, form: TextForm, rows: int | None) -> Frames:
    """As `text_rows`, of a simple file: several times faster.

    Raises:
        pyarrow.ArrowInvalid: a line has more or fewer fields, or is no text.
    """
    names = [str(place) for place in range(len(form.names))]
    size = max(1, path.stat().st_size)
    with path.open("rb") as file:
        head = b"".join(file.readline() for _ in range(form.skipped))
        if b"\r" in head.replace(b"\r\n", b""):
            raise pa.ArrowInvalid("lines end in another way")
        if file.tell() >= size:  # there is a header alone
            yield _text_frame([], form.names), 1.0
            return
        reader = arrow_csv.open_csv(
            pa.PythonFile(file),
            read_options=arrow_csv.ReadOptions(
                column_names=names, use_threads=False, block_size=_BLOCK_BYTES
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=form.separator, quote_char=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string())
            ),
        )
        held: list[pa.RecordBatch] = []
        n = 0
        for batch in reader:
            held.append(batch)
            n += len(batch)
            while rows is not None and n >= rows:
                whole = pa.Table.from_batches(held)
                yield _text_frame([whole.slice(0, rows)], form.names), file.tell() / size
                held, n = whole.slice(rows).to_batches(), n - rows
        if n or rows is None:
            yield _text_frame([pa.Table.from_batches(held, reader.schema)], form.names), 1.0


def _text_frame(tables: Sequence[Any], names: Sequence[str]) -> pd.DataFrame:
    """A frame of text from at most one table of pyarrow."""
    columns = tables[0].columns if tables else [[] for _ in names]
    series = [pd.Series(pd.array(column, dtype="str")) for column in columns]
    return pd.concat(series, axis=1).set_axis(list(names), axis=1)


def _any_rows(path: Path, form: TextForm, rows: int | None) -> Frames:
    """As `text_rows`, of any file."""
    size = path.stat().st_size
    with path.open("rb") as file, warnings.catch_warnings():
        stream = io.TextIOWrapper(file, form.encoding, newline="")
        warnings.simplefilter("error", pd.errors.ParserWarning)  # a longer row would be cut
        lines = csv.reader(iter(stream.readline, ""), **_dialect(form.separator))
        for _ in range(form.skipped):
            next(lines, None)
        source: Any = stream
        if form.comments:
            source = _Uncommented(stream, form.separator, len(form.names))
        try:
            frames = pd.read_csv(
                source,
                sep=r"\s+" if form.separator == _BLANKS else form.separator,
                header=None,
                names=list(form.names),
                index_col=False,
                dtype=str,
                na_filter=False,
                chunksize=rows,
                iterator=True,
            )
            for frame in [frames.read()] if rows is None else frames:
                yield frame, file.tell() / size
        except pd.errors.EmptyDataError:  # there is a header alone
            yield pd.DataFrame({name: [] for name in form.names}, dtype=str), 1.0
        except pd.errors.ParserError as error:
            raise _explained(error, form) from error
        except pd.errors.ParserWarning as error:
            raise ValueError("a row has more fields than the header") from error


def _explained(error: Exception, form: TextForm) -> ValueError:
    """What is wrong with a row, in words, from what the parser of pandas says."""
    longer = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if longer is not None:
        width, line, n = map(int, longer.groups())
        return RefusedError(
            f"line {line + form.skipped} has {n} fields, the header {width}: remove separators "
            f"that are too many, or put values that hold {form.separator!r} between quotes"
        )
    endless = re.search(r"EOF inside string starting at row (\d+)", str(error))
    if endless is not None:
        return RefusedError(
            f'the quote " that begins in line {int(endless[1]) + form.skipped + 1} has no end: '
            "close it, or remove it"
        )
    return ValueError(str(error))


def holds_quotes(path: Path) -> bool:
    """Whether any field may be quoted; a packed file may hold some."""
    if path.suffix.lower() in PACKED:
        return True
    with path.open("rb") as stream:
        return any(b'"' in part for part in iter(lambda: stream.read(2**20), b""))


class _Uncommented:
    """A stream of text without comments: lines that start with # and have other fields."""

    def __init__(self, stream: IO[str], separator: str, width: int) -> None:
        def is_comment(line: str) -> bool:
            fields = line.split() if separator == _BLANKS else line.split(separator)
            return line.startswith("#") and len(fields) != width

        self.lines = (line for line in stream if not is_comment(line))

    def read(self, n: int = -1) -> str:
        """Some whole lines of about n characters; an empty text at the end."""
        found: list[str] = []
        size = 0
        for line in self.lines:
            found.append(line)
            size += len(line)
            if 0 <= n <= size:
                break
        return "".join(found)

    def __iter__(self) -> Iterator[str]:
        return self.lines


@lru_cache(maxsize=64)
def _is_prose(path: Path, encoding: str | None, *, facts: tuple[int, int]) -> bool:
    """As `is_prose`; `facts` are the time and size of the file."""
    with unpacked(path) as plain:
        lines = _Lines(*_head_of(plain, encoding or encoding_of(plain)))
    if not lines.all or lines.given:
        return False
    return not _is_tabular(lines.all, _separator_of(lines.all))


@lru_cache(maxsize=64)
def _form_of(
    path: Path, where: Path, *, encoding: str | None, has_header: bool, facts: tuple[int, int]
) -> TextForm:
    """As `form_of`; `facts` are the time and size of the file, so that a changed one is new."""
    found_in_file = encoding is None
    encoding = encoding or encoding_of(path)
    text, is_whole = _head_of(path, encoding)
    lines = _Lines(text, is_whole)
    if not lines.all:
        raise DataError(f"{where} is empty: add a line of column names and rows")
    separator = lines.given or _separator_of(lines.all)
    if suffix_of(where) == ".txt" and not _is_tabular(lines.all, separator):
        raise DataError(
            f"{where}: holds lines of text, not a table with the same separators in each line"
        )
    check_text_head(path, separator)
    rows = list(lines.rows(separator))
    check_columns(max(len(row) for _, row in rows))
    rows, comments = _without_comments(rows)
    notes = [f"read as {_SAID[encoding]}"] if encoding in _SAID else []
    if found_in_file and encoding == "cp1252":
        notes[0] += "; if letters look wrong, give the encoding with --encoding"
    names, skipped = table_start(
        where, rows, notes, has_header=has_header, commented=lines.commented_names(separator)
    )
    return TextForm(encoding, separator, names, skipped, comments, tuple(notes))


def table_start(
    where: Path,
    rows: Sequence[tuple[int, list[str]]],
    notes: list[str],
    *,
    has_header: bool,
    commented: list[str] | None = None,
) -> tuple[tuple[str, ...], int]:
    """The names of the columns, and the number of rows above the first row of values.

    Args:
        where: the source of the table, for errors.
        rows: some of the first, with the number of rows above each.
        notes: of what is unusual; added to.
        has_header: whether a row of names comes first.
        commented: names in a comment, which count if there are no others.

    Raises:
        DataError: there are no rows, or the first holds no names.
    """
    rows = [(at, row) for at, row in rows if any(row)]
    if not rows:
        raise DataError(f"{where} is empty: add a line of column names and rows")
    width = Counter(len(row) for _, row in rows[1:] or rows).most_common(1)[0][0]
    least = width / 2 if has_header else 1.5
    # A title may have separators too, but an empty line follows.
    apart = [after - at > 1 for (at, _), (after, _) in pairwise([*rows, rows[-1]])]
    fits = [
        _begins(row, width, least) and not (gap and sum(map(bool, row)) < width)
        for (_, row), gap in zip(rows, apart, strict=True)
    ]
    first = fits.index(True) if any(fits) else 0
    if first and has_header and _are_numbers(rows[first][1]) and len(rows[first - 1][1]) == width:
        first -= 1  # some columns have no names
    skipped, head = rows[first]
    body = [row for _, row in rows[first + 1 :]]
    if first:
        title = " ".join(" ".join(rows[0][1]).split())[:60]
        lines = "a line above the table was" if first == 1 else f"{first} lines above it were"
        notes.append(f"{lines} left out: {title!r}")
    if commented is not None and len(commented) == width > 1 and _are_numbers(head):
        names = commented
    elif has_header:
        names = _names(where, head, body, width)
        skipped += 1
        measured = [name for name in names if re.fullmatch(r"-?\d*[.,]\d+|-\d+", name)]
        if 2 * len(measured) >= len(names):
            notes.append(
                f"the first line ({', '.join(names)[:60]}) was read as names; if it holds values, "
                "add --no-header"
            )
    else:
        names = [f"x{i}" for i in range(max(width, len(head)))]
    return _distinct(names, notes), skipped


class _Lines:
    """The first lines of a text."""

    def __init__(self, text: str, is_whole: bool) -> None:
        self.text, self.is_whole = text, is_whole
        some = text.splitlines()[: _LOOKED_AT if is_whole else _LOOKED_AT - 1]
        found = _SEPARATOR_LINE.fullmatch(some[0].strip()) if some else None
        self.given = found[1] if found else None
        self.all = [line for line in some if line.strip() and not line.startswith("#")]
        if self.given:
            self.all = self.all[1:]

    def rows(self, separator: str) -> Iterator[tuple[int, list[str]]]:
        """The fields of each line, with the number of lines of text rows before it."""
        stream = iter(io.StringIO(self.text, newline=""))
        found = list(islice(csv.reader(stream, **_dialect(separator)), _LOOKED_AT))
        if not self.is_whole and len(found) > 2 and next(stream, None) is None:
            found.pop()  # it may be cut
        start = 1 if self.given else 0
        for at, row in enumerate(found):
            if at >= start:
                while len(row) > 1 and separator == _BLANKS and row[-1] == "":
                    row.pop()
                yield at, [field.strip() for field in row]

    def commented_names(self, separator: str) -> list[str] | None:
        """The fields of the last comment, which may be names."""
        comments = [line for line in self.text.splitlines()[:_LOOKED_AT] if line.startswith("#")]
        if not comments:
            return None
        (names,) = csv.reader([comments[-1][1:].strip()], **_dialect(separator))
        return None if _are_numbers(names) else [name.strip() for name in names]


def _without_comments(
    rows: list[tuple[int, list[str]]],
) -> tuple[list[tuple[int, list[str]]], bool]:
    """The rows without comments, and whether there are any among the values.

    Above the table, each line that starts with # is one; below, if it has not as many fields as
    other lines, or it would be a value such as #ff0000.
    """
    starts = [bool(row) and row[0].startswith("#") for _, row in rows]
    others = [row for (_, row), marked in zip(rows, starts, strict=True) if row and not marked]
    top = next((i for i, (_, row) in enumerate(rows) if row and not starts[i]), 0)
    width = Counter(map(len, others)).most_common(1)[0][0] if others else 0
    kept = [
        row
        for row, marked in zip(rows[top:], starts[top:], strict=True)
        if not (marked and len(row[1]) != width)
    ]
    return kept, len(kept) < len(rows) - top


def _dialect(separator: str) -> dict[str, Any]:
    return {"delimiter": separator, "skipinitialspace": separator == _BLANKS}


def encoding_of(path: Path) -> str:
    """The encoding: by the mark at its beginning, or the first of a few that fits all of it.

    Raises:
        RefusedError: none of them does.
    """
    with path.open("rb") as stream:
        start = stream.read(4096)
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    zeros = [start[place::2].count(0) for place in (0, 1)]
    if max(zeros) > len(start) / 8 and min(zeros) < max(zeros) / 8:
        return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    found = next((name for name in ("utf-8", "cp1252") if _fits(path, name)), None)
    if found is None and set(start) & set(range(9)):  # it is not text
        return "latin-1"
    if found is None:
        raise RefusedError(
            "its encoding is neither UTF-8 nor Windows-1252: give it with --encoding, for example "
            "shift_jis, gb18030, euc_kr or latin-1"
        )
    return found


def _fits(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as stream:
            while part := stream.read(2**20):
                decoder.decode(part)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _head_of(path: Path, encoding: str) -> tuple[str, bool]:
    """The beginning of a text, with some lines, and whether it is the whole."""
    size, limit = path.stat().st_size, _HEAD
    while True:
        with path.open("rb") as stream:
            start = stream.read(limit)
        if limit >= min(size, _MOST_HEAD) or start.count(b"\n") > _LOOKED_AT:
            break
        limit *= 4
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(start)
    except UnicodeDecodeError as error:
        raise RefusedError(f"it is not text in {_SAID.get(encoding, encoding)}") from error
    strange = {letter for letter in text if letter < " "} - set("\t\n\r\f\v\x1a")
    other = content_of(start) if strange else document_of(text)
    if other is not None:
        raise RefusedError(f"it is not a table of text: it seems to be {other}")
    if strange:
        raise RefusedError(f"it is not text: it contains the character {min(strange)!r}")
    return text, len(start) >= size


def _separator_of(lines: Sequence[str]) -> str:
    """The separator that divides most lines into the same number of fields."""
    best, found = 0.0, ","
    for separator in _SEPARATORS:
        if separator not in lines[0] and separator not in lines[-1]:
            continue
        try:
            counts = [len(row) for row in csv.reader(iter(lines), **_dialect(separator)) if row]
        except csv.Error:  # a field without end
            continue
        width, n = Counter(counts).most_common(1)[0] if counts else (1, 0)
        if width > 1 and n / len(counts) > best:
            best, found = n / len(counts), separator
    if best > 0:
        return found
    fields = [line.split() for line in lines]
    values = [field for row in fields[1:] for field in row]
    widths = {len(row) for row in fields[1:] or fields}
    is_even = len(widths) == 1 < min(max(widths), len(fields[0]))
    is_even = is_even and max(widths) - len(fields[0]) in (0, 1)
    if is_even and values and sum(map(_is_number, values)) >= len(values) / 2:
        return _BLANKS
    return ","


def _is_tabular(lines: Sequence[str], separator: str) -> bool:
    """Whether most lines have as many fields, or are numbers, rather than prose."""
    widths = Counter(len(row) for row in csv.reader(iter(lines), **_dialect(separator)) if row)
    width, n = widths.most_common(1)[0]
    if width > 1:
        return n >= _EVEN * widths.total()
    return sum(map(_is_number, lines)) >= len(lines) / 2


def _begins(row: Sequence[str], width: int, least: float) -> bool:
    """Whether a row of a table, with at least some values, rather than a title above it."""
    return len(row) >= width - 1 and sum(map(bool, row)) >= min(least, width - 1)


def _names(where: Path, head: list[str], body: Sequence[list[str]], width: int) -> list[str]:
    """The names of all columns.

    Raises:
        DataError: the line holds numbers, or far fewer fields than the rows.
    """
    line = ", ".join(head)[:60]
    if len(head) < width:
        rows = [row for row in body if len(row) == width]
        if len(head) == width - 1 and all(row[-1] == "" for row in rows):
            head = [*head, ""]  # a separator at the end of each row
        elif len(head) == width - 1 and _are_row_names([row[0] for row in rows]):
            head = ["", *head]
        else:
            raise DataError(
                f"{where}: the rows have more fields than the header, {width} and {len(head)} "
                f"({line!r}): name every column, or remove this line if it is a title"
            )
    if _are_numbers(head) and not _counts_columns(head):
        raise DataError(
            f"{where}: the first line is numbers ({', '.join(head[:3])}, ...), not column names: "
            f"add a line of names, or add --no-header"
        )
    if _are_values(head, body):
        raise DataError(
            f"{where}: the first line ({line}) seems to hold values, as other lines do, not column "
            "names: add a line of names, or add --no-header"
        )
    return [name or f"Unnamed: {i}" for i, name in enumerate(head)]


def _are_row_names(values: Sequence[str]) -> bool:
    """Whether these are names of rows, or their numbers, as R writes them without a header."""
    counted = [str(i + 1) for i in range(len(values))]
    return list(values) == counted or (
        len(set(values)) == len(values) and not any(map(_is_number, values))
    )


def _distinct(names: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    """The names, with numbers where one comes twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        notes.append(f"columns of the same name are numbered: {listed(twice)}")
    taken = set(names)
    found: dict[str, None] = {}
    for name in names:
        chosen, number = name, 0
        while chosen in found or (number and chosen in taken):
            number += 1
            chosen = f"{name}.{number}"
        found[chosen] = None
    return tuple(found)


def _are_numbers(names: Sequence[str]) -> bool:
    return all(_is_number(name) for name in names if name) and any(names)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _are_values(names: Sequence[str], body: Sequence[list[str]]) -> bool:
    """Whether some names are numbers, and all others values of their columns."""
    numbers = [_is_number(name) for name in names if name]
    return (
        any(numbers)
        and not all(numbers)
        and all(
            _is_number(name) or any(row[i : i + 1] == [name] for row in body)
            for i, name in enumerate(names)
            if name
        )
    )


def _counts_columns(names: Sequence[str]) -> bool:
    """Whether the names are integers that go up by one, which is how pandas names columns."""
    some = [name for name in names if name]
    first = some[0]
    return first.isdecimal() and some == [str(int(first) + i) for i in range(len(some))]
