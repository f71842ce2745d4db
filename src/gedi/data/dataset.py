"""A data set: points, and what is known about them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gedi.data.columns import ColumnPlan
from gedi.data.values import Values

if TYPE_CHECKING:
    from gedi.data.texts import Texts

__all__ = [
    "Dataset",
    "Values",
    "constant_features",
    "counting_columns",
    "has_distinct_rows",
    "without_rounding",
]

_LOOKED_AT = 1000  # rows in which a column must go up by one before all rows are looked at
_ROUNDING = 1e-12  # of a value in float64, after some computation


@dataclass(frozen=True, eq=False)
class Dataset:
    """Points in the user's units, and what is known about them.

    Args:
        name: of the set, for reports.
        x: rows (n, d), images flattened; floats, or for images perhaps bytes (uint8), in memory or
            mapped from a file.
        labels: codes (n,) into `class_names`, for evaluation only; None if unknown.
        class_names: one name a code, in the order of the codes.
        feature_names: d names, or empty for images.
        image_shape: (C, H, W) with C * H * W = d; None if the rows are not images.
        value_range: fixed range of an image's values; None if the rows are not images.
        n_skipped: the number of images that were left out because they cannot be read.
        n_classes: the number of classes of a set that is known by its name; None for all others,
            as labels are for evaluation only.
        files: the path of each image's file in the folder they come from; empty if they come from
            elsewhere.
        columns: what was done with each column of a table; None if the rows come from elsewhere.
        notes: on how the data were read, in words.
        texts: the text that each row is the features of, (n,), or that is in its columns of texts;
            None without texts.
        pictures: a small copy of the photograph that each row is the features of, bytes
            (n, 3, H, W); None if the rows are no features of photographs.
        numbers: of a sample, the number of each row in the data, (n,); None if these are all rows.
        n_whole: of a sample, the number of rows in the data; None if these are all rows.
    """

    name: str
    x: Values
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    image_shape: tuple[int, int, int] | None = None
    value_range: tuple[float, float] | None = None
    n_skipped: int = 0
    n_classes: int | None = None
    files: tuple[str, ...] = ()
    columns: ColumnPlan | None = None
    notes: tuple[str, ...] = ()
    texts: "Texts | None" = None
    pictures: NDArray[np.uint8] | None = None
    numbers: NDArray[np.int64] | None = None
    n_whole: int | None = None

    @property
    def n_rows(self) -> int:
        """The number of rows that are trained on."""
        return len(self.x) if self.n_whole is None else self.n_whole

    @property
    def reading(self) -> tuple[str, ...]:
        """How the data were read, and what was done with columns that are not simply numbers."""
        plan = "" if self.columns is None else str(self.columns)
        return (*self.notes, *(f"column {line}" for line in plan.splitlines()))

    def subset(self, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> "Dataset":
        """The rows that `index` selects; codes keep their meaning even where a class vanishes."""
        labels = None if self.labels is None else self.labels[index]
        files = tuple(np.array(self.files, dtype=object)[index]) if self.files else ()
        texts = None if self.texts is None else self.texts[index]
        pictures = None if self.pictures is None else self.pictures[index]
        return replace(
            self, x=self.x[index], labels=labels, files=files, texts=texts, pictures=pictures
        )

    def sample(self, n: int) -> "Dataset":
        """At most n rows that are evenly spaced, and know their numbers."""
        if n >= len(self.x):
            return self
        numbers = np.linspace(0, len(self.x) - 1, n).astype(np.int64)
        return replace(self.subset(numbers), numbers=numbers, n_whole=self.n_rows)

    @property
    def titles(self) -> "Sequence[str]":
        """What each row is called: its text, its file, or its number; (n,)."""
        if self.texts is not None:
            return self.texts
        return self.files or _RowNumbers(len(self.x) if self.numbers is None else self.numbers)

    @property
    def are_features(self) -> bool:
        """Whether the rows are features of texts or photographs, and not those of a table."""
        return self.columns is None and (self.texts is not None or self.pictures is not None)


class _RowNumbers(Sequence[str]):
    """Numbers of rows as texts: those up to n, or given ones (n,)."""

    def __init__(self, numbers: int | NDArray[np.int64]) -> None:
        self._numbers = range(numbers) if isinstance(numbers, int) else numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        return f"row {self._numbers[index]}"


def constant_features(x: Values) -> NDArray[np.intp]:
    """Indices of the columns of x (n, d) that hold a single value, up to rounding.

    0.3 and 0.1 + 0.2 are one value: their difference is the rounding of a computation.
    """
    low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
    rounding = 4 * np.finfo(np.float32).eps if x.dtype == np.float32 else _ROUNDING
    with np.errstate(over="ignore"):
        return np.flatnonzero(high - low <= rounding * np.maximum(np.abs(low), np.abs(high)))


def without_rounding(dataset: Dataset) -> Dataset:
    """The data set with one value in each column that is constant up to rounding."""
    x = dataset.x
    if x.dtype.kind != "f" or len(x) == 0:
        return dataset
    columns = constant_features(x)
    if (x[:, columns] == x[0, columns]).all():
        return dataset
    x = x.copy()
    x[:, columns] = x[0, columns]
    return replace(dataset, x=x)


def has_distinct_rows(x: Values, n: int) -> bool:
    """Whether at least n of the rows of x (m, d) differ from each other."""
    looked_at = min(n, len(x))
    while len(np.unique(x[:looked_at], axis=0)) < n:
        if looked_at == len(x):
            return False
        looked_at = min(4 * looked_at, len(x))
    return True


def counting_columns(dataset: Dataset) -> list[str]:
    """Names of the columns of a table that go up by one from row to row, such as row numbers."""
    if dataset.image_shape is not None or len(dataset.x) < 10:
        return []
    x = dataset.x
    steps = np.flatnonzero((np.diff(x[:_LOOKED_AT], axis=0) == 1).all(axis=0))
    steps = steps[(np.diff(x[:, steps], axis=0) == 1).all(axis=0)]
    return [dataset.feature_names[i] for i in steps] if dataset.feature_names else []
