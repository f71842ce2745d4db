"""Tables of figures in Markdown."""

from collections.abc import Iterable, Sequence
from statistics import median

__all__ = ["spread", "table"]


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a head and rows of as many cells."""
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Median, and of several values their range; a dash for none."""
    if not values:
        return "-"
    text = f"{median(values):.{digits}f}"
    if len(values) == 1:
        return text
    return f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"
