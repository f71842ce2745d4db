"""Points in any container, as what scikit-learn can check: an array, or a frame of pandas."""

import datetime
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import torch
from numpy.typing import NDArray
from pandas.api import types
from scipy import sparse
from torch import Tensor

from gedi.data.columns import (
    FRAMES,
    ColumnPlan,
    learn_columns,
    level_name,
    plain,
    text_of,
)
from gedi.data.inverse import inverse, places
from gedi.errors import DataError
from gedi.untrusted.limits import most_bytes

__all__ = [
    "as_points",
    "features_of",
    "frame_of",
    "framed",
    "imputed_frame",
    "learn_features",
    "with_left_out",
]

_ARRAYS = ("__array__", "__array_interface__", "__dlpack__", "__dataframe__")
_ARROW_DECIMAL = re.compile(r"decimal128\((\d+), (\d+)\)\[pyarrow\]")
_DECIMAL, _DATE = "decimal", "date"  # types of columns of objects, which pandas has no name for


def as_points(x: Any) -> Any:
    """Points as an array, or as a pandas frame whose columns have names of one type.

    Tensors are detached, sparse matrices become dense, masked values become NaN, and a structured
    array becomes a frame. If some names of columns are not text, all become text, and names of
    several levels are joined; of equal names the later ones get a number, as with
    `pandas.read_csv`.

    Args:
        x: a list, an array, a tensor, a matrix of scipy, or a frame of pandas, polars or pyarrow.

    Raises:
        DataError: for anything else, a single row as a series, an array of anything but numbers,
            or a sparse matrix that is too large as a dense one.
    """
    if isinstance(x, (list, tuple)) and len(x) and isinstance(x[0], Tensor):
        x = torch.stack([torch.as_tensor(row) for row in x])
    if isinstance(x, Tensor):
        return _of_tensor(x)
    if sparse.issparse(x):
        _check_room(x.shape, x.dtype.itemsize)
        return x.toarray()
    frame = _pandas(x)
    if frame is not None:
        return _named(frame)
    _refuse_others(x)
    if np.ma.isMaskedArray(x):
        return np.ma.filled(x.astype(float), np.nan) if np.ma.is_masked(x) else np.ma.getdata(x)
    if isinstance(x, np.ndarray):
        return _of_array(x)
    return x


def learn_features(
    frame: "pd.DataFrame",
    kinds: Mapping[str, str] | None = None,
    network: str | None = None,
) -> tuple[ColumnPlan, NDArray[np.floating]]:
    """What is done with each column of a frame, and the features of its rows, (n, d).

    Args:
        frame: as `as_points` returns it.
        kinds: those of some columns, by name; see `gedi.data.columns.KINDS`.
        network: the name of the network of columns of texts; None is the default.

    Raises:
        DataError: for columns that nothing can be done with.
    """
    if any(isinstance(kind, pd.SparseDtype) for kind in frame.dtypes):
        _check_room(frame.shape, 8)
    if len(frame) == 0:
        raise DataError("X: expected at least one row, got a frame without rows")
    named = frame.set_axis(list(map(str, frame.columns)), axis=1)
    plan, x = learn_columns(named, "X", kinds=kinds, advice=FRAMES, network=network)
    return plan, _narrowed(frame, x)


def features_of(
    frame: "pd.DataFrame", plan: ColumnPlan | None, *, keep_missing: bool = False
) -> NDArray[np.floating]:
    """The features of the rows of a frame, (n, d).

    Args:
        frame: as `as_points` returns it.
        plan: of the columns; None if they are numbers.
        keep_missing: see `ColumnPlan.apply`.

    Raises:
        DataError: for values that are not of their column's kind.
    """
    if plan is None:
        plan = ColumnPlan.of_numbers(map(str, frame.columns))
    named = frame.set_axis(list(map(str, frame.columns)), axis=1)
    return _narrowed(frame, plan.apply(named, "X", keep_missing=keep_missing))


def with_left_out(frame: "pd.DataFrame", plan: ColumnPlan) -> "pd.DataFrame":
    """The frame with empty columns in place of columns that the plan leaves out anyway."""
    names = [column.name for column in plan.columns]
    there = set(frame.columns)
    if len(there) == len(names) or there - set(names):
        return frame
    absent = [column.name for column in plan.columns if column.name not in there]
    if not set(absent) <= {column.name for column in plan.columns if column.kind == "drop"}:
        return frame
    for name in absent:
        frame = frame.copy(deep=False)
        frame.insert(names.index(name), name, np.nan)
    return frame


def frame_of(x: Any) -> dict[str, Any] | None:
    """What `framed` needs to make a frame like this one: the library, names and types; or None.

    Args:
        x: anything that `as_points` accepts.
    """
    frame = _pandas(x)
    if frame is None or not frame.shape[1]:
        return None
    names = [name if isinstance(name, (str, int)) else str(name) for name in _named(frame).columns]
    kinds = [_type_of(column) for _, column in frame.items()]
    if _library(x) == "polars":
        kinds = [
            kind | {"enum": True} if str(dtype).startswith("Enum") else kind
            for kind, dtype in zip(kinds, x.collect_schema().dtypes(), strict=True)
        ]
    return {"library": _library(x), "names": names, "types": kinds}


def framed(values: NDArray[np.floating], like: Mapping[str, Any], plan: ColumnPlan) -> Any:
    """A frame of points, in the library and with the types of columns of another one.

    Whole numbers are rounded and truth values are true from 0.5 on. Columns of texts and those
    that the plan leaves out are absent.

    Args:
        values: features, (n, d).
        like: what `frame_of` returned.
        plan: of the columns.
    """
    found = inverse(plan, values)
    names, kinds = like["names"], like["types"]
    if len(names) != len(plan.columns) or len(kinds) != len(names):
        raise ValueError(f"expected names and types of {len(plan.columns)} columns")
    at = {column.name: place for place, column in enumerate(plan.columns)}
    columns = [_typed(column, kinds[at[str(name)]]) for name, column in found.items()]
    frame = pd.concat(columns, axis=1) if columns else found
    frame.columns = pd.Index([names[at[str(name)]] for name in found.columns])
    levels = {
        str(name): list(frame[name].cat.categories)
        for name in frame.columns
        if isinstance(kind := kinds[at[str(name)]], dict) and kind.get("enum")
    }
    return _with_enums(_in_library(frame, like["library"]), levels)


def imputed_frame(
    frame: "pd.DataFrame",
    missing: NDArray[np.bool_],
    *,
    filled: NDArray[np.float64],
    std: NDArray[np.float64],
    like: Mapping[str, Any],
    plan: ColumnPlan,
) -> tuple[Any, Any]:
    """A frame whose missing values are filled in, and one of error bars, see `GEDI.impute`.

    Args:
        frame: with all columns of the plan.
        missing: which of its features were missing, (n, d).
        filled: the features with all values, (n, d).
        std: their standard deviations, (n, d).
        like: what `frame_of` returned.
        plan: of the columns.
    """
    filled, errors = filled.copy(), {}
    known = [column for column in plan.used if column.axes is None]  # nothing writes texts
    for column in known:
        at = places(plan)[column.name]
        part = filled[:, at]
        if column.kind == "category":
            if column.pooled:  # not a value
                part[missing[:, at].any(1), -1] = -1.0
            p = part.max(1) if part.shape[1] > 1 else np.maximum(part[:, 0], 1 - part[:, 0])
            wrong = 1 - p.clip(0, 1)
        elif column.kind == "flag":
            wrong = np.minimum(part[:, 0], 1 - part[:, 0]).clip(0)
        else:
            wrong = std[:, at.start]
        errors[column.name] = np.where(missing[:, at].any(1), wrong, 0.0)
    values = framed(filled, {**like, "library": "pandas"}, plan)
    out = frame.copy(deep=False)
    for place, column in enumerate(known):
        name, at = values.columns[place], places(plan)[column.name]
        gaps = missing[:, at].any(1)
        new = values[name].set_axis(frame.index)
        in_text = types.is_numeric_dtype(new) and text_of(plain(frame[name])) is not None
        if in_text:
            out[name] = new
        elif gaps.any():
            out[name] = frame[name].where(~gaps, new)
    bars = pd.DataFrame(errors, frame.index).set_axis(values.columns, axis=1)
    return _in_library(out, like["library"]), _in_library(bars, like["library"])


# From containers


def _library(x: Any) -> str:
    return type(x).__module__.partition(".")[0]


def _pandas(x: Any) -> "pd.DataFrame | None":
    """A frame of any library as one of pandas, or None for anything else.

    Raises:
        DataError: for a series.
    """
    library = _library(x)
    if library == "polars" and type(x).__name__ == "LazyFrame":
        x = x.collect()
    if isinstance(x, pd.Series) or (library == "polars" and type(x).__name__ == "Series"):
        one_row = "X.to_frame().T" if isinstance(x, pd.Series) else "a frame of one row"
        raise DataError(
            f"X: expected rows of features, got a series of {len(x)} values: pass {one_row} if it "
            "is one row, or X.to_frame() if it is one column"
        )
    if isinstance(x, pd.DataFrame):
        return x
    if library == "polars" and hasattr(x, "columns"):  # with the types of pyarrow, which stay
        return pd.DataFrame(x.to_pandas(use_pyarrow_extension_array=True))
    if library == "pyarrow" and hasattr(x, "columns"):
        return pd.DataFrame(x.to_pandas(types_mapper=pd.ArrowDtype))
    if hasattr(x, "columns") and hasattr(x, "to_pandas"):
        return pd.DataFrame(x.to_pandas())
    return None


def _of_tensor(x: Tensor) -> NDArray[Any]:
    x = x.detach()
    if x.layout != torch.strided:
        _check_room(tuple(x.shape), x.element_size())
        x = x.to_dense()
    if x.dtype == torch.bfloat16:
        x = x.float()
    values: NDArray[Any] = x.cpu().resolve_conj().resolve_neg().numpy()
    return values


def _of_array(x: NDArray[Any]) -> Any:
    if x.dtype.names is not None:
        fields = {name: np.asarray(x[name]) for name in x.dtype.names}
        if any(field.ndim != 1 for field in fields.values()):
            raise DataError(
                f"X: expected rows of numbers, got a structured array of {x.dtype}: make it an "
                "array (n, d), for example with numpy.lib.recfunctions.structured_to_unstructured"
            )
        return pd.DataFrame(fields)
    if x.ndim == 2 and x.dtype.kind == "M":
        raise DataError(
            "X: expected numbers, got an array of dates: pass a frame, such as pandas.DataFrame(X)"
        )
    if x.ndim == 2 and x.dtype.kind == "m":
        return features_of(pd.DataFrame(x), None, keep_missing=True)
    if x.ndim == 2 and x.dtype.kind in "OUS":
        if any(not _is_plain(value) for value in x.ravel().tolist()):
            return x  # scikit-learn says what is wrong
        frame = pd.DataFrame(x.astype(str) if x.dtype.kind == "S" else x)
        return features_of(frame, None, keep_missing=True)
    return x


def _is_plain(value: Any) -> bool:
    return value is None or value is pd.NA or isinstance(value, (str, bytes, Number))


def _refuse_others(x: Any) -> None:
    """Refuse what holds no points.

    Raises:
        DataError: for a path, a dictionary, an iterator and other objects without an array.
    """
    if isinstance(x, (list, tuple, memoryview, Number)) or any(hasattr(x, a) for a in _ARRAYS):
        return
    if isinstance(x, (str, Path)):
        what = f"the text {str(x)[:40]!r}: read a file with gedi.load(path).x"
    elif isinstance(x, dict):
        what = "a dict: pass a frame, for example pandas.DataFrame(X)"
    elif x is None:
        what = "None"
    elif isinstance(x, Iterable):
        what = (
            f"a {type(x).__name__}: collect its rows first, for example with numpy.stack(list(X))"
        )
    else:
        what = f"a {type(x).__name__}"
    raise DataError(f"X: expected points (n, d) as an array or a frame, or images, got {what}")


def _check_room(shape: tuple[int, ...], itemsize: int) -> None:
    """Refuse a sparse matrix that is too large as a dense one.

    Raises:
        DataError: if its dense form would take more than half of the free memory.
    """
    needed, most = math.prod(shape) * max(itemsize, 8), most_bytes()
    if needed > most:
        raise DataError(
            "X: expected a sparse matrix that fits into memory as a dense one, got "
            f"{' x '.join(f'{side:,}' for side in shape)}, which would take "
            f"{needed / 2**30:,.1f} GiB, more than {most / 2**30:,.1f} GiB, half of the free "
            "memory: reduce its columns, for example with sklearn.decomposition.TruncatedSVD"
        )


# Columns


def _named(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The frame with names of columns that scikit-learn accepts."""
    if not frame.shape[1]:
        raise DataError(
            f"X: expected at least one column, got a frame of {len(frame)} rows without columns"
        )
    names: list[Any] = list(frame.columns)
    names = ["_".join(map(str, name)) if isinstance(name, tuple) else name for name in names]
    if any(isinstance(name, str) for name in names):
        names = [str(name) for name in names]
    if len(set(names)) < len(names):
        taken: dict[Any, int] = dict.fromkeys(names, 0)
        seen: set[Any] = set()
        for i, name in enumerate(names):
            if name in seen:
                while names[i] in taken:
                    taken[name] += 1
                    names[i] = f"{name}.{taken[name]}"
                taken[names[i]] = 0
            seen.add(name)
        if any(isinstance(name, str) for name in names):
            names = [str(name) for name in names]
    if names == list(frame.columns):
        return frame
    return frame.set_axis(pd.Index(names), axis=1)


def _narrowed(frame: "pd.DataFrame", x: NDArray[np.float64]) -> NDArray[np.floating]:
    """Features in 32 bits if no column of the frame has more."""
    kinds = list(frame.dtypes)
    if all(isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in kinds):
        return x.astype(np.result_type(np.float32, *kinds), copy=False)
    return x


# And back


def _in_library(frame: "pd.DataFrame", library: str) -> Any:
    """The frame as one of polars, a table of pyarrow, or as it is."""
    if library == "polars":
        import polars  # noqa: PLC0415 - only for those who have it

        return polars.from_pandas(frame)
    if library == "pyarrow":
        return pyarrow.Table.from_pandas(frame, preserve_index=False)
    return frame


def _with_enums(frame: Any, levels: Mapping[str, list[str]]) -> Any:
    """A frame of polars in which some columns of categories have the type Enum."""
    if not levels or _library(frame) != "polars":
        return frame
    import polars  # noqa: PLC0415 - only for those who have it

    return frame.with_columns(
        frame[name].cast(polars.Enum(found)) for name, found in levels.items()
    )


def _type_of(column: "pd.Series") -> Any:
    """The type of a column, as JSON has it."""
    kind = column.dtype
    if str(kind).startswith("dictionary"):  # of pyarrow, whose name says no categories
        kind = plain(column).dtype
    if isinstance(kind, types.CategoricalDtype):
        levels = kind.categories
        simple = levels.dtype.kind in "iufb" or types.is_string_dtype(levels.dtype)
        return {
            "categories": [level_name(level) for level in levels],
            "of": str(levels.dtype) if simple else "object",
            "ordered": bool(kind.ordered),
        }
    if types.is_object_dtype(kind):
        known = column.dropna()
        first = type(known.iloc[0]) if len(known) else object
        return {Decimal: _DECIMAL, datetime.date: _DATE}.get(first, str(kind))
    return str(kind)


def _typed(column: "pd.Series", kind: Any) -> "pd.Series":
    """The values of a column, as `inverse` returns them, in the type that the column had.

    Raises:
        ValueError: for a type that is none.
        TypeError: likewise.
    """
    if isinstance(kind, dict):
        return _of_categories(column, kind)
    if kind == _DECIMAL or _ARROW_DECIMAL.fullmatch(kind):
        return _of_decimals(column, kind)
    if types.is_datetime64_dtype(column):
        return _of_dates(column, kind)
    dtype = types.pandas_dtype("object" if kind == _DATE else kind)
    if types.is_timedelta64_dtype(column):
        is_span = types.is_timedelta64_dtype(dtype) or kind.startswith("duration")
        return column.astype(dtype) if is_span else column
    return _of_numbers(column, dtype)


def _of_numbers(column: "pd.Series", dtype: Any) -> "pd.Series":
    """Numbers, truth values and text in a type."""
    if types.is_bool_dtype(dtype):
        known = pd.Series((column.astype(float) >= 0.5).astype(object)).where(column.notna(), None)
        return known.astype("boolean").astype(dtype)
    if types.is_integer_dtype(dtype):
        limits = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
        low, high = float(limits.min), float(limits.max)
        if int(high) > limits.max:  # by rounding, for numbers of 64 bits
            high = float(np.nextafter(high, 0))
        whole = column.round().clip(low, high)
        if not whole.isna().any():
            return whole.astype(np.dtype(limits.dtype)).astype(dtype)
        return whole.astype("UInt64" if limits.min == 0 else "Int64").astype(dtype)
    of_text = types.is_string_dtype(dtype) and not types.is_numeric_dtype(column)
    is_float = types.is_float_dtype(dtype) and not isinstance(dtype, pd.SparseDtype)
    return column.astype(dtype) if is_float or of_text else column


def _of_categories(column: "pd.Series", kind: Mapping[str, Any]) -> "pd.Series":
    """A column of categories, with a further one for pooled values if there are any."""
    names = list(kind["categories"])
    more = [level for level in column.dropna().unique() if level not in names]
    codes = pd.Categorical(column, categories=[*names, *more], ordered=bool(kind["ordered"]))
    if not more and kind["of"] != "object":
        levels = [name == "True" for name in names] if kind["of"] == "bool" else names
        codes = codes.rename_categories(pd.Index(levels).astype(kind["of"]))
    return pd.Series(codes)


def _of_dates(column: "pd.Series", kind: str) -> "pd.Series":
    """Dates in a type of dates of Python, numpy, pandas or pyarrow."""
    if kind == _DATE:
        return pd.Series(column.dt.date)
    dtype = pd.api.types.pandas_dtype(kind)
    if isinstance(dtype, pd.PeriodDtype):
        return pd.Series(column.dt.to_period(dtype.freq))
    if not kind.startswith(("datetime64", "timestamp", "date")):
        return column
    if kind.startswith("date") and isinstance(dtype, pd.ArrowDtype):
        column = column.dt.floor("D")
    has_zone = isinstance(dtype, pd.DatetimeTZDtype) or "tz=" in kind
    return (column.dt.tz_localize("UTC") if has_zone else column).astype(dtype)


def _of_decimals(column: "pd.Series", kind: str) -> "pd.Series":
    """A column of `Decimal` objects, or of decimals of pyarrow."""
    parametric = _ARROW_DECIMAL.fullmatch(kind)
    if parametric is None:
        exact = [None if np.isnan(value) else Decimal(repr(value)) for value in column.tolist()]
        return pd.Series(exact, dtype=object)
    digits, decimals = map(int, parametric.groups())
    exact = [
        None if np.isnan(value) else Decimal(f"{value:.{decimals}f}") for value in column.tolist()
    ]
    return pd.Series(exact, dtype=pd.ArrowDtype(pyarrow.decimal128(digits, decimals)))
