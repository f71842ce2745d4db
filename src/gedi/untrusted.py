"""Files that nobody vouches for: what they claim is held against what is there, before it costs.

A file may claim more than the memory holds, name itself without end, or be no file at all. Each
function here refuses one such thing in bounded time and memory; readers say which file it was.
`gedi.array_claims` and `gedi.table_claims` do so for arrays and tables.
"""

import json
import os
import stat
from pathlib import Path
from typing import Any

import yaml

from gedi.free_memory import free_on_cpu

__all__ = [
    "MOST_COLUMNS",
    "RefusedError",
    "check_room",
    "check_within",
    "json_of",
    "most_bytes",
    "refuse_special",
    "yaml_of",
]

MOST_COLUMNS = 100_000  # of a table; each costs its reader more than the numbers in it
_MOST_YAML = 2**18  # bytes; PyYAML reads about as many in a second
_JSON_BYTES = 32  # that Python takes for a byte of JSON, at worst: empty lists in a list
_DEEPEST = 50  # of lists in lists, or names in names
_UNKNOWN_MEMORY = 4 * 2**30  # assumed where the system does not tell


class RefusedError(ValueError):
    """Says in a few words why a file is not read."""


# Kinds of files


def refuse_special(path: Path) -> None:
    """Refuse pipes, sockets and devices: reading them may never end.

    Raises:
        RefusedError: it is one.
        OSError: there is no file.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise RefusedError(f"it is {kind}: expected a regular file")


def check_within(folder: Path) -> None:
    """Refuse links in a folder that lead out of it: what is written there would be elsewhere.

    Raises:
        RefusedError: naming the first of them.
        OSError: the folder cannot be read.
    """
    inside = folder.resolve()
    for entry in sorted(folder.iterdir()):
        if entry.is_symlink():
            target = Path(os.path.realpath(entry))
            if not target.is_relative_to(inside):
                raise RefusedError(f"{entry.name} is a link to {target}, outside the folder")


# Memory


def most_bytes() -> int:
    """What one file may take: half of the memory that is free now.

    The other half is for turning it into floats.
    """
    free = free_on_cpu()
    return (_UNKNOWN_MEMORY if free is None else free.bytes) // 2


def check_room(n_bytes: int, words: str) -> None:
    """Refuse what is larger than `most_bytes`.

    Args:
        n_bytes: how much it would take.
        words: what would, as the subject of a sentence.

    Raises:
        RefusedError: if there is no room.
    """
    most = most_bytes()
    if n_bytes > most:
        raise RefusedError(
            f"{words} would take {_gibibytes(n_bytes)}, more than the {_gibibytes(most)} "
            "(half of the free memory) that one file may take"
        )


def _gibibytes(n: int) -> str:
    return f"{n / 2**30:.3g} GiB"


# Text


def json_of(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ValueError: it is damaged, nested without end, no regular file, or larger than the memory.
        OSError: it cannot be read.
    """
    refuse_special(path)
    check_room(_JSON_BYTES * path.stat().st_size, "what it may hold")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise RefusedError("it is nested too deeply") from error


def yaml_of(path: Path, most_values: int = 100_000) -> Any:
    """What a small YAML file holds: plain values, no objects.

    Args:
        path: of the file.
        most_values: that are accepted. Aliases count as often as they are used, so that few lines
            cannot stand for more values than the memory holds.

    Raises:
        ValueError: it is damaged, asks for objects, is nested too deeply, holds too many values,
            or is no regular file.
        OSError: it cannot be read.
    """
    refuse_special(path)
    if path.stat().st_size > _MOST_YAML:
        raise RefusedError(f"it is larger than {_MOST_YAML // 2**10} KiB, too large for settings")
    text = path.read_text(encoding="utf-8")
    try:
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _count(root, {}, 0, most_values)
            return loader.construct_document(root)
        finally:
            loader.dispose()
    except RefusedError:
        raise
    except RecursionError as error:
        raise RefusedError("it is nested too deeply") from error
    # PyYAML's makers of dates, numbers and bytes raise what Python does for such text.
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        OverflowError,
    ) as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def _count(
    node: yaml.Node, known: dict[int, tuple[int, int]], depth: int, most: int
) -> tuple[int, int]:
    """How many values a node stands for, and how deep they are nested; aliases and all."""
    if id(node) not in known:
        if depth > _DEEPEST:  # before a list that holds itself is followed any further
            raise RefusedError(f"it is nested more than {_DEEPEST} deep, or in itself")
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        counts = [_count(part, known, depth + 1, most) for part in parts]
        known[id(node)] = (
            1 + sum(size for size, _ in counts),
            1 + max((height for _, height in counts), default=0),
        )
    size, height = known[id(node)]
    if depth + height > _DEEPEST:
        raise RefusedError(f"it is nested more than {_DEEPEST} deep, or in itself")
    if size > most:
        raise RefusedError(f"it stands for more than {most} values")
    return size, height
