"""JSON and YAML files from anywhere, read in bounded time and memory."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError

import gedi
from gedi.errors import PluginError, RunError
from gedi.untrusted.limits import RefusedError, check_room, refuse_special

__all__ = ["DAMAGED", "check_format", "json_object", "json_of", "readable", "yaml_of"]

_MOST_YAML = 2**18  # bytes; PyYAML reads about as many in a second
_JSON_BYTES = 32  # that Python takes for a byte of JSON, at worst: empty lists in a list
_DEEPEST = 50  # levels of lists in lists, or names in names
# What the content of a file may raise, if it is not what it should be.
DAMAGED = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, EOFError),
    *(RuntimeError, csv.Error, SafetensorError),
)


def json_of(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: it is damaged, nested without end, no regular file, or larger than the memory.
        OSError: it cannot be read.
    """
    refuse_special(path)
    check_room(_JSON_BYTES * path.stat().st_size, "what it may hold")
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise RefusedError("it is nested too deeply") from error


def json_object(path: Path) -> dict[str, Any]:
    """The content of a JSON file of names and values.

    Raises:
        RunError: it cannot be read, or holds something else.
    """
    with readable(path):
        content = json_of(path)
        if not isinstance(content, dict):
            raise ValueError("expected a JSON object")
        return content


def check_format(content: Any, expected: int) -> None:
    """Check that a file is in the format that this version reads.

    Args:
        content: of the file, with the number of its format, and the version that wrote it.
        expected: the number that this version reads.

    Raises:
        ValueError: if it has none or another one; it names the version that wrote the file.
    """
    if not isinstance(content, dict) or type(content.get("format")) is not int:
        raise ValueError(f"expected a JSON object of format {expected}")
    found, version = content["format"], content.get("version")
    if found != expected:
        writer = f"gedi {version}" if isinstance(version, str) else "another version of gedi"
        raise ValueError(
            f"has format {found}, written by {writer}, but gedi {gedi.__version__} reads format "
            f"{expected}: read it with {writer}, or train again"
        )


@contextmanager
def readable(path: Path, advice: str = "") -> Iterator[None]:
    """A context in which errors become one that names the file that cannot be read.

    Raises:
        RunError: whatever goes wrong, unless a plug-in is missing.
    """
    try:
        yield
    except (PluginError, RunError):
        raise
    except DAMAGED as error:
        raise RunError(f"{path}: cannot be read: {' '.join(str(error).split())}{advice}") from error


def yaml_of(path: Path, most_values: int = 100_000) -> Any:
    """The content of a small YAML file: plain values, no objects.

    Args:
        path: of the file.
        most_values: the most values that are accepted. An alias counts each time it is used, so
            that a few lines cannot stand for more values than fit into memory.

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
    # PyYAML's constructors of dates, numbers and bytes raise what Python raises for such text.
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
    """The number of values that a node stands for, and their depth; with all aliases."""
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
