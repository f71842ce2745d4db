"""Raw texts in files: a column of a table of any kind, or one text a line; read in parts.

.txt               a text on each line, unless it is a table; empty lines are left out
all other tables   a column, see `gedi.data.tables`; a missing value is an empty text
"""

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from gedi.data.file_errors import existing_file, listed, read_each, reading
from gedi.data.remote import local_path
from gedi.data.tables import TableOptions, column_names, read_parts, table_files
from gedi.data.text_files import encoding_of, is_prose
from gedi.errors import DataError
from gedi.untrusted.packed import suffix_of, unpacked

__all__ = ["column_parts", "holds_lines", "holds_texts", "line_parts"]

_LINES = ".txt"
_ROWS = 2**14  # in a part
_LONGEST = 2**24  # characters of a line


def holds_texts(
    source: str, text: str | None, *, features: str | None = None, encoding: str | None = None
) -> bool:
    """Whether a source is read as texts: a table with --text, or .txt files of one text a line.

    Args:
        source: the name that the user gave.
        text: the column of texts.
        features: the network of features; with it, each .txt file holds a text a line.
        encoding: of the text; None: found in the file.
    """
    if text is not None:
        return True
    files = table_files(source) or (local_path(source),)
    if any(suffix_of(file) != _LINES for file in files):
        return False
    return features is not None or all(is_prose(file, encoding) for file in files)


def holds_lines(source: str, column: str, options: TableOptions = TableOptions()) -> bool:
    """Whether .txt files hold a text a line, rather than a table with a column."""
    files = table_files(source)
    if not files or any(suffix_of(file) != _LINES for file in files):
        return False
    try:
        return not any(
            not is_prose(file, options.encoding) and column in column_names(file, options)
            for file in files
        )
    except DataError:  # it has no names of columns
        return True


def column_parts(
    files: Sequence[Path], column: str, options: TableOptions = TableOptions()
) -> Iterator[list[str]]:
    """The values of a column as texts, some at a time.

    Raises:
        DataError: if a file is of another kind or damaged, or has no such column.
    """
    for file in files:
        path = existing_file(str(file))
        names = column_names(path, options)
        if column not in names:
            raise DataError(
                f"{path} has no column {column!r} of texts (--text): it holds {listed(names)}"
            )
        for part in read_parts(path, [column], options=options):
            values = part.frame[column]
            yield [
                "" if missing else str(value)
                for value, missing in zip(values, values.isna(), strict=True)
            ]


def line_parts(files: Sequence[Path], encoding: str | None = None) -> Iterator[list[str]]:
    """The lines that are not empty, some at a time.

    Raises:
        DataError: if a file is damaged or has too long a line.
    """
    for file in files:
        path = existing_file(str(file))
        kind = f"text in {encoding}" if encoding else "text"
        with reading(path, kind), unpacked(path) as plain:
            found = encoding or encoding_of(plain)
            found = "utf-8-sig" if codecs.lookup(found).name == "utf-8" else found
            with plain.open(encoding=found, newline=None) as stream:
                yield from read_each(_parts(stream, path), path, kind)


def _parts(stream: IO[str], path: Path) -> Iterator[list[str]]:
    part: list[str] = []
    number = 0
    while line := stream.readline(_LONGEST):
        number += 1
        if len(line) == _LONGEST:
            raise DataError(f"{path}: line {number} has more than {_LONGEST:,} characters")
        if text := line.strip():
            part.append(text)
        if len(part) == _ROWS:
            yield part
            part = []
    if part:
        yield part
