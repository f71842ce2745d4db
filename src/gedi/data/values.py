"""Checks of points: finite numbers, in rows (n, d) or as images."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gedi.errors import DataError

__all__ = ["Values", "check_points", "checked_rows", "checked_values", "value_range_of"]

# Floats, or bytes of images: as floats, CIFAR-10 would take 600 MB instead of 150. All code that
# computes with them accepts both.
Values = NDArray[Any]

_MOST_CHANNELS = 4


def check_points(x: ArrayLike, n_features: int, *, first_row: int | None = None) -> Values:
    """Check new points for a model trained on `n_features` features.

    Args:
        x: points (n, n_features), or images of as many values.
        n_features: what the model was trained on.
        first_row: the place of the first of them among more points, for errors; None if these are
            all.

    Returns:
        Points (n, n_features), images flattened; bytes stay bytes, all else becomes floats.

    Raises:
        DataError: another number of features, no rows, or values that are not finite numbers.
    """
    points, _ = checked_values(_array_of(x), where="x", keep_bytes=True, first_row=first_row)
    if points.shape[1] != n_features:
        raise DataError(f"x: expected {n_features} features, got {points.shape[1]}")
    if len(points) == 0:
        raise DataError("x: expected at least 1 row, got 0")
    return points


def _array_of(x: ArrayLike) -> NDArray[np.generic]:
    """The array itself, or that of a tensor; masked values become NaN, which is refused."""
    if np.ma.is_masked(x):
        return np.asarray(np.ma.filled(np.ma.asarray(x).astype(np.float64), np.nan))
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)


def checked_rows(
    array: NDArray[np.generic],
    where: str,
    *,
    names: Sequence[str] = (),
    first_row: int | None = None,
) -> Values:
    """Finite rows (n, d); images flattened, and as bytes if they are bytes.

    Args:
        array: points (n, d), or images (n, H, W) or (n, C, H, W).
        where: the source of the values, for errors.
        names: of the columns, for errors.
        first_row: the place of the first of these rows among more; None if these are all.

    Raises:
        DataError: for another type or shape, or values that are not finite.
    """
    return checked_values(array, where, names, first_row=first_row)[0]


def checked_values(
    array: NDArray[np.generic],
    where: str,
    names: Sequence[str] = (),
    keep_bytes: bool = False,
    first_row: int | None = None,
) -> tuple[Values, tuple[int, int, int] | None]:
    """Finite rows (n, d), and the shape (C, H, W) of one image if they are images.

    The rows are float32 or float64. Images of bytes stay bytes, and so do all bytes with
    `keep_bytes`. The arguments are those of `checked_rows`.
    """
    if array.dtype.names:
        raise DataError(
            f"{where}: expected real numbers, got records with the fields "
            f"{', '.join(array.dtype.names[:12])}: convert them with "
            "numpy.lib.recfunctions.structured_to_unstructured(x)"
        )
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{where}: expected real numbers, got values of type {array.dtype}: convert them, "
            f"for example with x.astype('float32')"
        )
    image_shape = _image_shape(array, where)
    flat = array.reshape(len(array), math.prod(array.shape[1:]))
    if flat.shape[1] == 0:
        raise DataError(f"{where}: there are no feature columns, its shape is {array.shape}")
    if flat.dtype == np.uint8 and (image_shape is not None or keep_bytes):
        return flat.astype(np.uint8, copy=False), image_shape
    # In native byte order, and wide enough for every value: long integers need 64 bits.
    wide = np.result_type(flat.dtype.newbyteorder("="), np.float32)
    with np.errstate(over="ignore"):
        x: NDArray[np.floating] = flat.astype(
            np.float32 if wide == np.float32 else np.float64, copy=False
        )
    _refuse_not_finite(x, where, names, first_row)
    return x, image_shape


def value_range_of(x: NDArray[np.generic]) -> tuple[float, float]:
    """The least and the greatest value of images, whatever their type.

    The range of the type would leave hardly any contrast to dim images of bytes, such as masks of
    0 and 1.
    """
    return (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)


def _image_shape(array: NDArray[np.generic], where: str) -> tuple[int, int, int] | None:
    shape = array.shape
    if array.ndim == 2:
        return None
    if array.ndim == 3:
        return 1, shape[1], shape[2]
    if array.ndim == 4:
        if shape[1] > _MOST_CHANNELS and shape[3] <= _MOST_CHANNELS:
            raise DataError(
                f"{where}: the shape {shape} looks like images with channels last: "
                f"transpose to (n, C, H, W) with x.transpose(0, 3, 1, 2)"
            )
        return shape[1], shape[2], shape[3]
    if array.ndim == 1:
        raise DataError(
            f"{where}: expected rows of features, got one dimension of {len(array)} values: "
            f"reshape to (n, 1) if it is one feature, with x.reshape(-1, 1)"
        )
    raise DataError(
        f"{where}: expected points (n, d) or images (n, H, W) or (n, C, H, W), got {shape}"
    )


def _refuse_not_finite(
    flat: NDArray[np.floating], where: str, names: Sequence[str], first_row: int | None
) -> None:
    finite = np.isfinite(flat)
    if finite.all():
        return
    row, column = np.argwhere(~finite)[0].tolist()
    nans = int(np.isnan(flat).sum())
    infinities = finite.size - int(finite.sum()) - nans
    counts = [f"{nans} missing (NaN)"] * bool(nans) + [f"{infinities} infinite"] * bool(infinities)
    among, start = "", first_row or 0
    if first_row is not None:  # nothing is known of the other rows
        among = f" among rows {start} to {start + len(flat) - 1}"
    advice = "drop these rows or fill the values in"
    if nans:
        advice += "; GEDI fills the missing values of tables that are data frames"
    raise DataError(
        f"{where}: {' and '.join(counts)} values{among}, the first in row {start + row}, "
        f"{_column(column, names)}: {advice}"
    )


def _column(index: int, names: Sequence[str]) -> str:
    return f"column {names[index]!r}" if names else f"column {index}"
