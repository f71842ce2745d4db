"""Groups of inputs from a table, with a row number of the data for each symbol, and an outcome.

    a,b,s
    17,4,9
    0,231,12

With the rule "a + b == s" and the outcome s, the first row says that the symbols of inputs 17 and 4
sum to 9.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from gedi.data.columns import require_columns, typed
from gedi.data.dataset import Dataset
from gedi.data.file_errors import existing_file
from gedi.data.tables import read_table
from gedi.errors import DataError, RuleError
from gedi.evidence.groups import Groups
from gedi.printable import printable
from gedi.rules import CircuitRule, Rule, SymbolicRule, sum_rule

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SUM", "GroupSource"]

SUM = "sum"  # the rule that the outcome is the sum of all symbols


@dataclass(frozen=True)
class GroupSource:
    """A table of groups, and the rule that they obey.

    Args:
        groups: the path of a .csv or .parquet table with a column for each symbol. It holds row
            numbers of the data from 0, or file names if the data are a folder of images.
        rule: an expression over the names of the columns, such as "a + b == s"; `sum`, if the
            outcome is the sum of all symbols; or the path of a .cnf file, whose symbols are the
            columns in order (see `CircuitRule.from_dimacs`).
        outcome: the column of the outcomes; None means that the rule holds for every group.
    """

    groups: str
    rule: str
    outcome: str | None = None

    def absolute(self) -> "GroupSource":
        """The same source with absolute paths."""
        rule = str(Path(self.rule).resolve()) if _is_file_of_logic(self.rule) else self.rule
        return replace(self, groups=str(Path(self.groups).resolve()), rule=rule)

    def read(self, dataset: Dataset, n_values: int) -> Groups:
        """Read the groups and their outcomes, and compile the rule.

        Raises:
            DataError: if the table cannot be read, or refers to inputs that do not exist.
            RuleError: if the rule cannot be compiled, or an outcome does not fit it.
        """
        return _read_groups(self.groups, self.rule, self.outcome, dataset, n_values)


def _read_groups(
    source: str, rule: str, outcome: str | None, dataset: Dataset, n_values: int
) -> Groups:
    path = existing_file(source)
    frame = read_table(path).apply(typed)
    names = [str(name) for name in frame.columns]
    if outcome is not None:
        require_columns(path, names, [outcome], "column of outcomes")
    symbols = [name for name in names if name != outcome]
    if not symbols or len(frame) == 0:
        raise DataError(
            f"{path}: expected columns of row numbers and at least one row, got {len(symbols)} "
            f"such columns and {len(frame)} rows"
        )
    observed = [True] * len(frame) if outcome is None else _values(path, frame[outcome])
    compiled = _rule(rule, symbols, outcome, observed, n_values)
    rows = np.stack([_rows(path, frame[name], dataset) for name in symbols], 1)
    try:
        codes = compiled.encode(observed)
    except RuleError as error:
        raise RuleError(f"{path}: {error}") from error
    return Groups(compiled, torch.from_numpy(rows), codes)


def _rule(
    text: str,
    symbols: Sequence[str],
    outcome: str | None,
    observed: Sequence[int | bool],
    n_values: int,
) -> SymbolicRule:
    if text == SUM:
        if outcome is None:
            raise RuleError("rule sum: expected a column of outcomes, the sums, got none")
        return sum_rule(len(symbols), n_values)
    if _is_file_of_logic(text):
        return CircuitRule.from_dimacs(Path(text), len(symbols), n_values)
    domains: dict[str, Sequence[int]] = {name: range(n_values) for name in symbols}
    if outcome is None:
        return Rule.from_expression(text, domains, observed=())
    return Rule.from_expression(
        text, {**domains, outcome: sorted({int(value) for value in observed})}, observed=outcome
    )


def _is_file_of_logic(rule: str) -> bool:
    return Path(rule).suffix.lower() == ".cnf"


def _values(path: Path, column: "pd.Series") -> list[int]:
    """The outcomes of a column as whole numbers; true is 1 and false is 0."""
    if column.dtype.kind in "bui":
        return [int(value) for value in column]
    raise DataError(
        f"{path}: column {printable(str(column.name))!r}: expected outcomes that are whole numbers "
        f"or true and false, got {column.dtype}"
    )


def _rows(path: Path, column: "pd.Series", dataset: Dataset) -> NDArray[np.int64]:
    """The indices in the data of the inputs that a column names."""
    name = printable(str(column.name))
    if column.dtype.kind not in "ui":
        places = {file: place for place, file in enumerate(dataset.files)}
        unknown = next((value for value in column if value not in places), None)
        if places and unknown is None:
            return np.array([places[value] for value in column], dtype=np.int64)
        expected = "row numbers" + (" or names of image files" if places else "")
        raise DataError(
            f"{path}: column {name!r}: expected {expected} of {dataset.name}, "
            f"got {printable(str(unknown))[:60]!r}"
        )
    rows = column.to_numpy()
    n = len(dataset.x)
    wrong = np.flatnonzero((rows < 0) | (rows >= n))
    if len(wrong):
        raise DataError(
            f"{path}: column {name!r}: expected row numbers of {dataset.name} from 0 to {n - 1}, "
            f"got {rows[wrong[0]]} in row {wrong[0]}"
        )
    return rows.astype(np.int64)
