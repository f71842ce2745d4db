"""Numbers, shares and lists of clusters in sentences and tables."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["listed", "number", "percent", "sentence_list", "shortened"]


def percent(share: float) -> str:
    """A share in percent, with a decimal if it is small."""
    if 0 < share < 0.0005:
        return "<0.1\N{NO-BREAK SPACE}%"
    decimals = 1 if 0 < share < 0.02 else 0
    return f"{100 * share:.{decimals}f}\N{NO-BREAK SPACE}%"


def number(value: object) -> str:
    """A value in a table: floats with about four digits, everything else as it is."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return f"{int(value):,}"
    if not isinstance(value, (float, np.floating)):
        return str(value)
    real = float(value)
    if np.isnan(real):
        return "–"
    size = abs(real)
    if 0.0 < size < 0.001 or size >= 1e6:
        return f"{real:.3g}"
    decimals = 3 if size < 10 else 2 if size < 100 else 1
    return f"{real:,.{decimals}f}"


def listed(clusters: NDArray[np.integer[Any]], limit: int = 8) -> str:
    """Cluster numbers in words; the rest of a long list is given as a count."""
    noun = "cluster" if len(clusters) == 1 else "clusters"
    names = [str(cluster) for cluster in clusters[:limit]]
    if len(clusters) > limit:
        names.append(f"{len(clusters) - limit} more")
    return f"{noun} {sentence_list(names)}"


def shortened(text: str, most: int = 300) -> str:
    """A text in one line, of so many letters at most."""
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"


def sentence_list(names: Iterable[str]) -> str:
    """Names in words: a, b and c."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
