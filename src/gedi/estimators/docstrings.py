"""Docstrings of classes that share parameters: each entry is written once."""

import re
from inspect import cleandoc

__all__ = ["entries", "inherited"]

_SECTION = re.compile(r"^(Args|Attributes):\n((?: {4}.*\n?)+)", re.MULTILINE)
_REST = "..."  # the entry that stands for all others of the base class


def entries(doc: str | None) -> dict[str, dict[str, str]]:
    """The entries of the sections "Args" and "Attributes", by section and name.

    Args:
        doc: a docstring, or None if Python dropped it (-OO).
    """
    return {
        section: {
            entry.split(":")[0].strip(): entry
            for entry in re.split(r"\n(?= {4}\S)", body.rstrip("\n"))
        }
        for section, body in _SECTION.findall(cleandoc(doc or ""))
    }


def inherited(doc: str | None, base: str | None) -> str | None:
    """A docstring with the entries of a base class in place of its entry "...".

    Entries that are already in the docstring are not repeated.

    Args:
        doc: docstring of a class, with lines such as "...: those of `BaseGEDI`.".
        base: docstring of its base class.
    """
    if doc is None:
        return None
    text, given = cleandoc(doc), entries(base)
    for section, own in entries(doc).items():
        others = [entry for name, entry in given.get(section, {}).items() if name not in own]
        if _REST in own:
            text = text.replace(own[_REST], "\n".join(others), 1)
    return text
