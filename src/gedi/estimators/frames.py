"""Points in any container, as what scikit-learn can check: an array, or a frame of numbers."""

import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from gedi.errors import DataError
from gedi.untrusted.limits import most_bytes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_points", "frame_of", "framed"]

_SHOWN = 5  # columns in a message
_ARRAYS = ("__array__", "__array_interface__", "__dlpack__", "__dataframe__")
_DATES = ("date", "period", "timestamp")
_ARROW_DECIMAL = re.compile(r"decimal128\((\d+), (\d+)\)\[pyarrow\]")
_DECIMAL = "decimal"  # the type of columns of `Decimal`, which pandas has no name for


def as_points(x: Any) -> Any:
    """Points as an array, or as a pandas frame whose columns are all numbers.

    Tensors are detached, sparse matrices become dense, masked values become NaN, and a structured
    array becomes a frame. In a frame, booleans become 0 and 1, time spans seconds, and nullable
    types, `Decimal` and types of pyarrow floats, with NaN for missing values. If some names of
    columns are not text, all become text; of equal names the later ones get a number, as with
    `pandas.read_csv`.

    Args:
        x: a list, an array, a tensor, a matrix of scipy, or a frame of pandas, polars or pyarrow.

    Raises:
        DataError: for anything else, a single row as a series, columns that are not numbers, or a
            sparse matrix that is too large as a dense one.
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
        return _numbers(_named(frame))
    _refuse_others(x)
    if np.ma.isMaskedArray(x):
        return np.ma.filled(x.astype(float), np.nan) if np.ma.is_masked(x) else np.ma.getdata(x)
    if isinstance(x, np.ndarray):
        return _of_array(x)
    return x


def frame_of(x: Any) -> dict[str, Any] | None:
    """What `framed` needs to make a frame like this one: the library, names and types; or None.

    Args:
        x: anything that `as_points` accepts.
    """
    frame = _pandas(x)
    if frame is None or not frame.shape[1]:
        return None
    names = [name if isinstance(name, (str, int)) else str(name) for name in _named(frame).columns]
    kinds = [_DECIMAL if _is_decimal(column) else str(column.dtype) for _, column in frame.items()]
    return {"library": _library(x), "names": names, "types": kinds}


def framed(values: NDArray[np.floating], like: Mapping[str, Any]) -> Any:
    """A frame of points, in the library and with the types of columns of another one.

    Whole numbers are rounded and truth values are true from 0.5 on.

    Args:
        values: points, (n, d).
        like: what `frame_of` returned.
    """
    import pandas as pd  # noqa: PLC0415

    columns = [_typed(column, kind) for column, kind in zip(values.T, like["types"], strict=True)]
    frame = pd.concat(columns, axis=1)
    frame.columns = pd.Index(like["names"])
    if like["library"] == "polars":
        import polars  # noqa: PLC0415 - only for those who have it

        return polars.from_pandas(frame)
    if like["library"] == "pyarrow":
        import pyarrow  # noqa: PLC0415

        return pyarrow.Table.from_pandas(frame, preserve_index=False)
    return frame


# From containers


def _library(x: Any) -> str:
    return type(x).__module__.partition(".")[0]


def _pandas(x: Any) -> "pd.DataFrame | None":
    """A frame of any library as one of pandas, or None for anything else.

    Raises:
        DataError: for a series.
    """
    import pandas as pd  # noqa: PLC0415

    if _library(x) == "polars" and type(x).__name__ == "LazyFrame":
        x = x.collect()
    if isinstance(x, pd.Series) or (_library(x) == "polars" and type(x).__name__ == "Series"):
        one_row = "X.to_frame().T" if isinstance(x, pd.Series) else "a frame of one row"
        raise DataError(
            f"X: expected rows of features, got a series of {len(x)} values: pass {one_row} if it "
            "is one row, or X.to_frame() if it is one column"
        )
    if isinstance(x, pd.DataFrame):
        return x
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
    import pandas as pd  # noqa: PLC0415

    if x.dtype.names is not None:
        fields = {name: np.asarray(x[name]) for name in x.dtype.names}
        if any(field.ndim != 1 for field in fields.values()):
            raise DataError(
                f"X: expected rows of numbers, got a structured array of {x.dtype}: make it an "
                "array (n, d), for example with numpy.lib.recfunctions.structured_to_unstructured"
            )
        return _numbers(pd.DataFrame(fields))
    if x.ndim == 2 and x.dtype.kind in "mM":
        return _numbers(pd.DataFrame(x)).to_numpy()
    if x.ndim == 2 and x.dtype.kind in "OUS":
        if any(not _is_plain(value) for value in x.ravel().tolist()):
            return x  # scikit-learn says what is wrong
        return _numbers(pd.DataFrame(x.astype(str) if x.dtype.kind == "S" else x)).to_numpy()
    return x


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, bytes, Number))


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
    import pandas as pd  # noqa: PLC0415

    if not frame.shape[1]:
        raise DataError(
            f"X: expected at least one column, got a frame of {len(frame)} rows without columns"
        )
    names: list[Any] = list(frame.columns)
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


def _numbers(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The frame with all columns as numbers; the only place that decides what to do with others.

    Raises:
        DataError: for columns that are not numbers, with their names.
    """
    import pandas as pd  # noqa: PLC0415

    if all(isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in frame.dtypes):
        return frame
    if any(isinstance(kind, pd.SparseDtype) for kind in frame.dtypes):
        _check_room(frame.shape, 8)
    numbers: dict[Any, Any] = {}
    wrong: dict[Any, str] = {}
    for name, column in frame.items():
        is_sparse = isinstance(column.dtype, pd.SparseDtype)
        numbers[name], problem = _column(pd.Series(np.asarray(column)) if is_sparse else column)
        if problem is not None:
            wrong[name] = problem
    if wrong:
        shown = [f"column {name!r} holds {what}" for name, what in wrong.items()][:_SHOWN]
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise DataError(
            f"X: expected numbers, but {', '.join(shown)}{more}: encode them, for example with "
            "sklearn.preprocessing.OneHotEncoder in a make_column_transformer, or leave them out"
        )
    return pd.DataFrame(numbers, index=frame.index)


def _column(column: "pd.Series") -> tuple[NDArray[np.float64] | None, str | None]:
    """A column as numbers, or what it holds instead."""
    import pandas as pd  # noqa: PLC0415
    from pandas.api import types  # noqa: PLC0415

    kind = column.dtype
    if types.is_timedelta64_dtype(kind) or str(kind).startswith("duration"):
        return column.dt.total_seconds().to_numpy(np.float64, na_value=np.nan), None
    if types.is_complex_dtype(kind):
        return None, "complex numbers"
    if types.is_numeric_dtype(kind) or types.is_bool_dtype(kind):
        return column.to_numpy(np.float64, na_value=np.nan), None
    if types.is_object_dtype(kind) or types.is_string_dtype(kind):
        return _of_objects(column)
    name = str(kind)
    if isinstance(kind, pd.CategoricalDtype):
        return None, "categories"
    return None, "dates" if name.startswith(_DATES) else f"values of type {name}"


def _of_objects(column: "pd.Series") -> tuple[NDArray[np.float64] | None, str | None]:
    """A column of objects or text as numbers, or what it holds instead."""
    import pandas as pd  # noqa: PLC0415

    try:
        numbers = pd.to_numeric(column.map(_bounded), errors="coerce")
    except (TypeError, ValueError):  # lists and other objects
        numbers = pd.Series(np.nan, index=column.index)
    wrong = np.flatnonzero((numbers.isna() & column.notna()).to_numpy(bool))
    if not len(wrong):
        return numbers.to_numpy(np.float64, na_value=np.nan), None
    value = column.iloc[int(wrong[0])]
    if isinstance(value, (str, bytes)):
        shown = repr(value) if len(repr(value)) <= 40 else repr(value)[:37] + "..."
        return None, f"text ({shown} in row {wrong[0]})"
    name = type(value).__name__
    return None, "dates" if name in ("date", "datetime", "Timestamp") else f"objects like {name}"


def _bounded(value: Any) -> Any:
    """The value; a whole number of any length or a `Decimal` as a float, which may be infinite."""
    if not isinstance(value, (int, Decimal)) or isinstance(value, bool):
        return value
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


# And back


def _is_decimal(column: "pd.Series") -> bool:
    """Whether a column holds `Decimal` objects."""
    known = column.dropna() if column.dtype == object else ()
    return len(known) > 0 and isinstance(known.iloc[0], Decimal)  # type: ignore[union-attr]


def _typed(column: NDArray[np.floating], kind: str) -> "pd.Series":
    """A column of numbers in one of the types that `_numbers` accepts."""
    import pandas as pd  # noqa: PLC0415
    from pandas.api import types  # noqa: PLC0415

    numbers = pd.Series(column, dtype=np.float64)
    if kind == _DECIMAL or _ARROW_DECIMAL.fullmatch(kind):
        return _of_decimals(column, kind)
    dtype = pd.api.types.pandas_dtype(kind)
    if types.is_timedelta64_dtype(dtype) or kind.startswith("duration"):
        spans = pd.Series(pd.to_timedelta(column, unit="s"))
        return spans.astype(dtype)
    if types.is_bool_dtype(dtype):
        return (numbers >= 0.5).astype(dtype)
    if types.is_integer_dtype(dtype):
        limits = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
        low, high = float(limits.min), float(limits.max)
        if int(high) > limits.max:  # by rounding, for numbers of 64 bits
            high = float(np.nextafter(high, 0))
        return numbers.round().clip(low, high).astype(np.dtype(limits.dtype)).astype(dtype)
    is_float = types.is_float_dtype(dtype) and not kind.startswith("Sparse")
    return numbers.astype(dtype) if is_float else numbers


def _of_decimals(column: NDArray[np.floating], kind: str) -> "pd.Series":
    """A column of `Decimal` objects, or of decimals of pyarrow."""
    import pandas as pd  # noqa: PLC0415

    parametric = _ARROW_DECIMAL.fullmatch(kind)
    if parametric is None:
        return pd.Series([Decimal(repr(value)) for value in column.tolist()], dtype=object)
    import pyarrow  # noqa: PLC0415

    digits, places = map(int, parametric.groups())
    exact = [Decimal(f"{value:.{places}f}") for value in column.tolist()]
    return pd.Series(exact, dtype=pd.ArrowDtype(pyarrow.decimal128(digits, places)))
