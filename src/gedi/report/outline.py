"""Nested settings as indented lines."""

from collections.abc import Iterator, Mapping

__all__ = ["outline"]


def outline(value: object, indent: str = "") -> Iterator[str]:
    """Yields the lines of nested settings, similar to YAML."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if _is_nested(item):
                yield f"{indent}{key}:"
                yield from outline(item, indent + "  ")
            else:
                yield f"{indent}{key}: {_scalar(item)}"
    elif isinstance(value, (list, tuple)):
        for item in value:
            if _is_nested(item):
                yield f"{indent}-"
                yield from outline(item, indent + "  ")
            else:
                yield f"{indent}- {_scalar(item)}"


def _is_nested(value: object) -> bool:
    """Returns whether a setting needs several lines; lists of scalars do not."""
    if isinstance(value, (list, tuple)):
        return any(isinstance(item, (Mapping, list, tuple)) for item in value)
    return isinstance(value, Mapping) and len(value) > 0


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_scalar(item) for item in value)}]"
    if isinstance(value, Mapping):
        return "{}"
    return str(value)
