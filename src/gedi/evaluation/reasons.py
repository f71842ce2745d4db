"""The columns in which unusual points differ most from typical ones, in words."""

from collections.abc import Sequence

import numpy as np

from gedi import phrases
from gedi.data.dataset import Values
from gedi.training.trained import OutlierExplanation

__all__ = ["reasons"]

_MOST = 3


def reasons(
    x: Values, explanation: OutlierExplanation, names: Sequence[str]
) -> list[list[tuple[str, str]]]:
    """For each point up to three columns that add most to its outlier energy.

    Args:
        x: points in the user's units, (n, d).
        explanation: that of the points.
        names: one name for each column.

    Returns:
        For each point, names of columns and texts such as "1680 (typical 750, +1.2 nats)".
    """
    contributions, typical = explanation
    most = np.argsort(-contributions, axis=1, kind="stable")[:, :_MOST]

    def text(i: int, j: int) -> str:
        value, usual = phrases.number(float(x[i, j])), phrases.number(float(typical[i, j]))
        return f"{value} (typical {usual}, {contributions[i, j]:+.1f} nats)"

    return [
        [(names[j], text(i, j)) for j in columns if contributions[i, j] > 0]
        for i, columns in enumerate(most.tolist())
    ]
