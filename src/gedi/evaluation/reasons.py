"""The columns in which unusual points differ most from typical ones, in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gedi import phrases
from gedi.data.columns import ColumnPlan
from gedi.data.dataset import Values
from gedi.data.inverse import inverse, places
from gedi.training.trained import OutlierExplanation

__all__ = ["of_columns", "reasons"]

_MOST = 3
_LEAST = 0.05  # nats


def of_columns(
    explanation: OutlierExplanation, plan: ColumnPlan
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each column of a table contributes, summed over its features, and typical values."""
    contributions, typical = explanation
    sums = {name: contributions[:, at].sum(1) for name, at in places(plan).items()}
    return pd.DataFrame(sums), inverse(plan, typical)


def reasons(
    x: Values,
    explanation: OutlierExplanation,
    names: Sequence[str],
    plan: ColumnPlan | None = None,
) -> list[list[tuple[str, str]]]:
    """For each point up to three columns that add most to its outlier energy.

    Args:
        x: points in the user's units, (n, d).
        explanation: that of the points.
        names: one name for each feature.
        plan: of the columns of a table, whose own values are then named, such as dates; those of
            texts have none.

    Returns:
        For each point, names of columns and texts such as "1680 (typical 750, +1.2 nats)".
    """
    contributions, typical = explanation
    values: Any = x
    if plan is not None:
        sums, usual = of_columns(explanation, plan)
        contributions, names = sums.to_numpy(), list(sums.columns)
        values, typical = (
            each.reindex(columns=names).to_numpy(object) for each in (inverse(plan, x), usual)
        )
    texts = () if plan is None else plan.texts
    most = np.argsort(-contributions, axis=1, kind="stable")[:, :_MOST]

    def text(i: int, j: int) -> str:
        if names[j] in texts:
            return f"unlike other texts ({contributions[i, j]:+.1f} nats)"
        value, usual = _written(values[i, j]), _written(typical[i, j])
        return f"{value} (typical {usual}, {contributions[i, j]:+.1f} nats)"

    return [
        [(names[j], text(i, j)) for j in columns if contributions[i, j] >= _LEAST]
        for i, columns in enumerate(most.tolist())
    ]


def _written(value: Any) -> str:
    """A value of a column: a number, a date, or the level of a category."""
    if pd.isna(value):
        return "missing"
    if isinstance(value, (float, np.number)):
        return phrases.number(float(value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).removesuffix(" 00:00:00")
