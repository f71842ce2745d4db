"""The arguments of an estimator, converted to the arrays that the training expects."""

import math
import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight
from torch import Tensor

from gedi import plugins
from gedi.data.columns import KINDS
from gedi.errors import DataError, SettingsError
from gedi.estimators.frames import as_points
from gedi.features import ImageFeatures, TextFeatures
from gedi.settings.presets import NEUTRAL
from gedi.training.numbering import Reference

__all__ = [
    "flatten",
    "functions_of",
    "image_shape_of",
    "kept_pairs",
    "kept_rows",
    "kinds_of",
    "network_name",
    "pairs_of",
    "reference_of",
    "refuse_local_functions",
    "seed_of",
    "split_views",
    "texts_of",
    "transformer_of",
    "weights_of",
    "whole",
]

_MOST_LABELS = 2_000
_REFERENCES = 5_000
_KEPT = 20_000  # points of earlier calls of `partial_fit`

_VIEWS = {
    "noise": ("noise",),
    "dropout": ("dropout",),
    "adversarial": ("adversarial",),
    "neighbours": ("neighbours",),
    "image": tuple(NEUTRAL),
}


def texts_of(x: Any) -> Sequence[str] | None:
    """The texts if these are texts: a list, or a column of an array or a frame; otherwise None."""
    if isinstance(x, (str, bytes, dict)) or not hasattr(x, "__len__"):
        return None
    if getattr(x, "ndim", 1) != 1 or not hasattr(x, "__iter__") or not len(x):
        return None
    return x if isinstance(next(iter(x)), str) else None


def without_blank(x: Any, weights: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """The weights of texts (n,), where those of blank texts are 0; others as they are.

    The vectors of blank texts are all the same, so they would be a cluster of their own.

    Raises:
        DataError: if all texts are blank.
    """
    texts = texts_of(x)
    blank = np.array([not str(text).strip() for text in texts or ()], dtype=bool)
    if not blank.any():
        return weights
    if blank.all():
        raise DataError("X holds blank texts only: add rows with words")
    warnings.warn(
        f"{blank.sum():,} of {len(blank):,} texts are blank and take no part in the training",
        UserWarning,
        stacklevel=3,
    )
    return np.where(blank, 0.0, 1.0 if weights is None else weights)


def transformer_of(features: Any, x: Any, n_features: int | None = None) -> Any:
    """What turns raw things into points; None if they are points.

    Args:
        features: see `BaseGEDI`.
        x: the raw things, or points.
        n_features: the number of features that a model was trained on; None for a new one. Models
            of texts that earlier versions saved know no vectors of words.

    Raises:
        SettingsError: if it is neither a name nor a transformer.
    """
    texts = texts_of(x)
    if features is None and texts is None:
        return None
    if features is None or isinstance(features, (str, Path)):
        kind = ImageFeatures if texts is None else TextFeatures
        features = kind(None if features == "auto" else features)
    if not hasattr(features, "fit") or not hasattr(features, "transform"):
        raise SettingsError(
            "features: expected auto, the name of a network, or a transformer such as "
            f"gedi.TextFeatures(...), got {features!r}"
        )
    if not isinstance(features, (TextFeatures, ImageFeatures)):
        return clone(features)
    # Those of a pretrained network learn nothing, and a copy would load it again.
    if isinstance(features, TextFeatures) and n_features not in (None, features.n_features):
        return clone(features).set_params(words=False)
    return features


def kinds_of(columns: Any) -> dict[str, str]:
    """The kinds of columns that the user gave, by name.

    Raises:
        SettingsError: if they are no dictionary of known kinds.
    """
    if columns is None:
        return {}
    if not isinstance(columns, Mapping) or not set(map(str, columns.values())) <= set(KINDS):
        raise SettingsError(
            f"columns: expected a dictionary from names to {', '.join(KINDS)}, got {columns!r}"
        )
    return {str(name): str(kind) for name, kind in columns.items()}


def network_name(features: Any) -> str | None:
    """The name of the network of columns of texts; None is the default.

    Raises:
        SettingsError: if `features` is something else.
    """
    if features is None or features == "auto":
        return None
    if isinstance(features, (str, Path)):
        return str(features)
    raise SettingsError(
        "features: expected auto, or the name of a network, with columns of texts; "
        f"got {features!r}"
    )


def flatten(x: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Points as rows that scikit-learn can check; images flattened.

    Args:
        x: points (n, d), or images (n, H, W) or (n, C, H, W), in any container of `as_points`.

    Returns:
        The rows, and the shape of one image, or None.

    Raises:
        DataError: for anything that `as_points` refuses.
    """
    if (
        isinstance(x, (list, tuple))
        and len(x)
        and not isinstance(x[0], Tensor)
        and np.ndim(x[0]) >= 2
    ):
        x = np.asarray(x)
    x = as_points(x)
    shape = getattr(x, "shape", ())
    if len(shape) not in (3, 4):
        return x, None
    images = np.asarray(x)
    return images.reshape(len(images), math.prod(images.shape[1:])), tuple(images.shape[1:])


def image_shape_of(input_shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """(C, H, W) of points of this shape; None if they are not images.

    Raises:
        DataError: for images whose channels seem to come last.
    """
    if len(input_shape) == 1:
        return None
    if len(input_shape) == 2:
        return 1, input_shape[0], input_shape[1]
    channels, height, width = input_shape
    if channels > 4 and width <= 4:
        raise DataError(
            f"X: images of shape {input_shape} seem to have their channels last: "
            "transpose to (n, C, H, W) with X.transpose(0, 3, 1, 2)"
        )
    return channels, height, width


def pairs_of(positives: Any, n: int) -> NDArray[np.int64] | None:
    """Pairs of rows that belong to the same cluster.

    Args:
        positives: pairs (m, 2), or a sparse matrix (n, n) whose entries mark them, as
            `sklearn.neighbors.kneighbors_graph` returns; None if there are none.
        n: number of rows.

    Returns:
        Indices of the rows, (m, 2), or None.

    Raises:
        DataError: for another shape, no pairs, or rows that do not exist.
    """
    if positives is None:
        return None
    if sparse.issparse(positives):
        if positives.shape != (n, n):
            raise DataError(
                f"positives: expected a sparse matrix of shape {(n, n)}, got {positives.shape}"
            )
        pairs = np.stack(positives.nonzero(), axis=1)
    else:
        pairs = np.asarray(positives)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise DataError(
            "positives: expected whole numbers of shape (m, 2), a pair of rows each, or a sparse "
            f"matrix (n, n), got {pairs.dtype} of shape {pairs.shape}"
        )
    if len(pairs) == 0:
        raise DataError("positives: expected at least one pair, got none")
    if pairs.min() < 0 or pairs.max() >= n:
        raise DataError(
            f"positives: expected rows from 0 to {n - 1}, got {pairs.min()} to {pairs.max()}"
        )
    return pairs.astype(np.int64)


def weights_of(sample_weight: Any, rows: NDArray[np.floating]) -> NDArray[np.float64] | None:
    """The weights of points, (n,); None if all are the same.

    Args:
        sample_weight: a number for each point, or None.
        rows: the points, (n, d).

    Raises:
        ValueError: for another shape, negative or infinite weights, or zeros alone.
    """
    if sample_weight is None:
        return None
    values = np.asarray(sample_weight)
    if values.dtype.kind in "biuf" and values.size and not values.any():
        raise DataError(
            "sample_weight: expected a positive weight for some points, got zero for all weights"
        )
    checked = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    weights: NDArray[np.float64] = np.array(checked)
    if (weights == weights[0]).all():
        return None
    weights /= weights.max()
    return weights


def kept_pairs(
    pairs: NDArray[np.int64] | None, kept: NDArray[np.bool_]
) -> NDArray[np.int64] | None:
    """Pairs among the points that are kept, by their places among these, (m, 2); None if none.

    Args:
        pairs: pairs of rows, (m, 2), or None.
        kept: mask of the points, (n,).
    """
    if pairs is None:
        return None
    places = np.cumsum(kept) - 1
    among: NDArray[np.int64] = places[pairs[kept[pairs].all(1)]]
    return among if len(among) else None


def split_views(
    views: Sequence[Any] | Callable[[Tensor], Tensor] | str | None,
) -> tuple[tuple[str, ...] | None, tuple[str, ...], tuple[Callable[[Tensor], Tensor], ...]]:
    """Views by name, built-in ones and those of plug-ins, and views as functions.

    Args:
        views: a name, a function, several of both, or None.

    Returns:
        Names of the strengths in `ViewSettings` that stay above zero, None for all; names of views
        of plug-ins; functions.

    Raises:
        SettingsError: for anything that is neither a name nor a function.
        PluginError: for a name that is neither built in nor in a plug-in.
    """
    if views is None:
        return None, (), ()
    each = [views] if isinstance(views, str) or callable(views) else list(views)
    names = [view for view in each if not callable(view)]
    for name in names:
        if not isinstance(name, str):
            raise SettingsError(
                f"views: expected functions and names, such as {', '.join(_VIEWS)}, got {name!r}"
            )
        if name not in _VIEWS:
            plugins.load("gedi.views", name, built_in=tuple(_VIEWS), setting="views")
    strengths = tuple(strength for name in names for strength in _VIEWS.get(name, ()))
    own = tuple(name for name in names if name not in _VIEWS)
    return strengths, own, tuple(view for view in each if callable(view))


def kept_rows(
    old: NDArray[np.floating], n_seen: int, new: NDArray[np.floating], seed: int
) -> tuple[NDArray[np.floating], int]:
    """A random sample of up to 20,000 of all points seen, and their number.

    Args:
        old: the sample of those before, (m, d).
        n_seen: the number of those before.
        new: new points, (n, d).
        seed: of the sample.
    """
    n = n_seen + len(new)
    if n <= _KEPT:
        return np.concatenate([old, new]), n
    rng = np.random.default_rng([seed, n])
    n_old = rng.hypergeometric(n_seen, len(new), _KEPT)
    counts = (n_old, _KEPT - n_old)
    parts = [
        part[np.sort(rng.choice(len(part), count, replace=False))]
        for part, count in zip((old, new), counts, strict=True)
    ]
    return np.concatenate(parts), n


def reference_of(like: Any, n: int, seed: int, kept: NDArray[np.bool_]) -> Reference:
    """The predictions of an earlier model for up to 5,000 random points.

    Args:
        like: labels (n,) of all points, -1 where they are unknown, or probabilities (n, c).
        n: number of points.
        seed: seed of the choice of points.
        kept: mask of the points that are trained on, (n,).

    Raises:
        DataError: for anything else.
    """
    try:
        values = np.asarray(like, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.ndim not in (1, 2) or len(values) != n or not values.size:
        got = f"an array {values.shape}" if values.size else type(like).__name__
        raise DataError(
            f"like: expected a fitted GEDI, the folder of one or of a run, labels ({n},) or "
            f"probabilities ({n}, c), got {got}"
        )
    if values.ndim == 2:
        fits = np.isfinite(values) & (values >= 0)
        expected = "probabilities"
    else:
        fits = (values == np.floor(values)) & (values >= -1) & (values < _MOST_LABELS)
        expected = f"labels from -1 to {_MOST_LABELS - 1}"
    if not fits.all():
        raise DataError(f"like: expected {expected}, got {values[~fits][0]:g}")
    values = values[kept]
    rows = np.flatnonzero(values.reshape(len(values), -1).max(1) >= 0)
    if not len(rows):
        raise DataError("like: expected labels of some points, got -1 for all")
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:_REFERENCES])
    if values.ndim == 2:
        return Reference(rows, values[rows])
    return Reference(rows, np.eye(int(values.max()) + 1)[values[rows].astype(np.int64)])


def functions_of(callbacks: Any) -> list[Callable[..., Any]]:
    """Callbacks as a list; one function is a list of one.

    Raises:
        SettingsError: for anything but functions.
    """
    if callbacks is None:
        return []
    each = [callbacks] if callable(callbacks) else callbacks
    if not isinstance(each, Sequence) or not all(callable(function) for function in each):
        raise SettingsError(f"callbacks: expected a function or a list of them, got {callbacks!r}")
    return list(each)


def refuse_local_functions(functions: Sequence[Any], name: str) -> None:
    """Refuse functions that a pickle cannot hold.

    Raises:
        pickle.PicklingError: for a lambda, or a function that is defined within another one.
    """
    for function in functions:
        try:
            pickle.dumps(function)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise pickle.PicklingError(
                f"{name}: {getattr(function, '__qualname__', function)} cannot be pickled: define "
                f"it with def at the top of a module, or leave it out with "
                f"set_params({name}=None); cloudpickle can store it"
            ) from error


def seed_of(random_state: Any) -> int:
    """A seed: the number itself, or one that is drawn from the state."""
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        return int(random_state)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(np.iinfo(np.int32).max))
    if isinstance(random_state, torch.Generator):
        return int(torch.randint(np.iinfo(np.int32).max, (), generator=random_state))
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def whole(value: Any, name: str, least: int) -> int:
    """A whole number that is at least so large.

    Raises:
        DataError: for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        hint = f": pass {int(value)}" if isinstance(value, float) and value.is_integer() else ""
        raise DataError(f"{name}: expected a whole number, got {value!r}{hint}")
    if value < least:
        raise DataError(f"{name}: expected at least {least}, got {value}")
    return int(value)
