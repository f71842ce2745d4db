"""Pieces of messages."""

from collections.abc import Iterable

__all__ = ["listed", "reason"]


def reason(error: Exception) -> str:
    """What an error says, in one line without a full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def listed(names: Iterable[str]) -> str:
    """Names in quotes, with commas between."""
    return ", ".join(repr(name) for name in names)
