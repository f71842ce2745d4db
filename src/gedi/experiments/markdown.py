"""Tables of figures in Markdown, from rows of named values.

>>> rows = [{"data": "moons", "NMI": 0.5}, {"data": "moons", "NMI": 0.7}]
>>> print(grouped(rows, {"data": "data"}, {"seeds": count, "NMI": figure("NMI", digits=1)}))
| data | seeds | NMI |
|---|---|---|
| moons | 2 | 0.6 (0.5 to 0.7) |
<BLANKLINE>
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import mean, median, stdev
from typing import Any

__all__ = [
    "Row",
    "count",
    "deviation",
    "figure",
    "figures",
    "grouped",
    "groups",
    "listed",
    "spread",
    "table",
]

Row = Mapping[str, Any]


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a head, from rows with one cell for each title."""
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def listed(rows: Iterable[Row], columns: Mapping[str, str | Callable[[Any], str]]) -> str:
    """A table with one line for each row.

    Args:
        rows: the values of each line.
        columns: by title, a function of a row, or a template such as `{seconds:.1f}`.
    """
    lines = [
        [
            column.format_map(row) if isinstance(column, str) else column(row)
            for column in columns.values()
        ]
        for row in rows
    ]
    return table(list(columns), lines)


def grouped(
    rows: Iterable[Row],
    keys: Mapping[str, str],
    columns: Mapping[str, Callable[[list[Any]], str]],
) -> str:
    """A table with one line for each group of rows that share some values.

    Args:
        rows: the rows to group.
        keys: by title, the names of the values that a group shares.
        columns: by title, a function of the rows of a group; see `figure` and `count`.
    """
    lines = [
        [*map(str, shared), *(column(group) for column in columns.values())]
        for shared, group in groups(rows, *keys.values()).items()
    ]
    return table([*keys, *columns], lines)


def groups(rows: Iterable[Row], *names: str) -> dict[tuple[Any, ...], list[Any]]:
    """Rows by their values under some names, in the order of appearance."""
    found: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        found.setdefault(tuple(row.get(name) for name in names), []).append(row)
    return found


def figures(rows: Iterable[Row], *path: str) -> list[float]:
    """The values under nested names of the rows that have one."""
    found = []
    for row in rows:
        value: Any = row
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            found.append(float(value))
    return found


def spread(values: Sequence[float], digits: int = 3) -> str:
    """The median, and the range of several values; a dash if there are none."""
    if not values:
        return "-"
    text = f"{median(values):.{digits}f}"
    if len(values) == 1:
        return text
    return f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def deviation(
    values: Sequence[float],
    digits: int = 3,
    centre: Callable[[Sequence[float]], float] = mean,
) -> str:
    """A central value, and the standard deviation of several values; a dash if there are none."""
    if not values:
        return "-"
    around = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{centre(values):.{digits}f}{around}"


def figure(
    *path: str,
    digits: int = 3,
    unit: float = 1.0,
    summary: Callable[[Sequence[float], int], str] = spread,
) -> Callable[[list[Any]], str]:
    """A column of `grouped`: a summary of the values under nested names, in some unit."""
    return lambda rows: summary([value / unit for value in figures(rows, *path)], digits)


def count(rows: Sequence[Any]) -> str:
    """A column of `grouped`: the number of rows."""
    return str(len(rows))
