"""Labels as codes: places in a list of class names."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from gedi.errors import DataError

__all__ = ["label_codes", "label_column"]


def label_codes(
    values: NDArray[np.generic], where: str, n: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Codes (n,) of an array of labels, and the class names, sorted by value.

    Raises:
        DataError: for labels that are missing, neither numbers nor text, or not n of them.
    """
    if values.ndim != 1 or len(values) != n:
        raise DataError(f"{where}: expected one label a row, shape ({n},), got {values.shape}")
    if values.dtype.kind == "S":
        values = np.array([value.decode("utf-8", "replace") for value in values.tolist()])
    is_text = values.dtype == object and all(isinstance(value, str) for value in values)
    if values.dtype.kind not in "biufU" and not is_text:
        raise DataError(f"{where}: labels must be numbers or text, got type {values.dtype}")
    if values.dtype.kind == "U" and not _is_text(values):
        raise DataError(f"{where}: holds numbers that no character has: write the labels again")
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise _missing_labels(where, int(np.isnan(values).sum()))
    classes, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int64), tuple(_class_name(value) for value in classes)


def label_column(path: Path, column: pd.Series) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Codes (n,) of a column of labels, and the class names, sorted by value.

    Raises:
        DataError: for labels that are missing, or neither numbers nor text.
    """
    where = f"{path}, column {column.name!r}"
    if column.isna().any():
        raise _missing_labels(where, int(column.isna().sum()))
    values = column.to_numpy()
    if not types.is_numeric_dtype(column.dtype) or values.dtype.kind not in "biuf":
        # Objects, as in an array of text each value takes as much memory as the longest.
        values = np.array([str(value) for value in column], dtype=object)
    return label_codes(values, where, n=len(column))


def _is_text(values: NDArray[np.generic]) -> bool:
    """Whether all characters of an array of text exist; in a file they may be any 32 bits."""
    native = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    return not native.size or bool(native.view(np.uint32).max() <= sys.maxunicode)


def _missing_labels(where: str, count: int) -> DataError:
    return DataError(f"{where}: {count} labels are missing: fill them in or leave the label out")


def _class_name(value: np.generic) -> str:
    """The name of a class; whole numbers that a table holds as floats lose their '.0'."""
    if isinstance(value, np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
