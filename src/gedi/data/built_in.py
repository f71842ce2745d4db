"""Data sets that are known by name: moons, circles, digits, and those of plug-ins."""

import math
from dataclasses import replace

import numpy as np

from gedi import plugins
from gedi.data import toy
from gedi.data.dataset import Dataset
from gedi.data.images import PRESETS
from gedi.data.values import checked_values
from gedi.errors import DataError, PluginError

__all__ = ["BUILT_IN", "is_plugged", "known_names", "load_built_in", "load_plugged"]

BUILT_IN = ("moons", "circles", "digits")


def is_plugged(source: str) -> bool:
    """Whether a plug-in brings data of this name, which has none of the signs of a path."""
    return _is_bare(source) and plugins.find("gedi.data", source) is not None


def known_names(source: str) -> tuple[str, ...]:
    """The names of data sets that a user may have meant by a source."""
    plugged = plugins.installed("gedi.data") if _is_bare(source) else ()
    return (*BUILT_IN, *PRESETS, *plugged)


def load_built_in(name: str, n_points: int, noise: float, seed: int) -> Dataset:
    """One of the built-in sets.

    Raises:
        DataError: for a toy set that cannot be drawn.
    """
    if name == "digits":
        return _digits()
    x, labels = (toy.moons if name == "moons" else toy.circles)(n_points, noise=noise, seed=seed)
    return Dataset(name, x.astype(np.float32), labels, ("0", "1"), ("x0", "x1"), n_classes=2)


def load_plugged(name: str, n_points: int, seed: int, split: str | None) -> Dataset:
    """A data set of a plug-in, checked.

    Raises:
        PluginError: the plug-in cannot be loaded, or returns no `Dataset`.
        DataError: its parts do not fit together.
    """
    make = plugins.load("gedi.data", name, setting="data")
    dataset: object = make(n_points=n_points, seed=seed, split=split)
    source = plugins.find("gedi.data", name)
    if not isinstance(dataset, Dataset):
        raise PluginError(f"data: expected a gedi.Dataset from {source}, got {dataset!r}")
    if dataset.x.ndim != 2:
        raise DataError(f"{source}: expected points x (n, d), got shape {dataset.x.shape}")
    x, _ = checked_values(dataset.x, str(source), dataset.feature_names, keep_bytes=True)
    n, d = x.shape
    labels, shape, names = dataset.labels, dataset.image_shape, dataset.feature_names
    if labels is not None:
        codes = np.arange(len(dataset.class_names))
        if labels.shape != (n,) or not np.isin(labels, codes).all():
            raise DataError(f"{source}: expected labels (n,) that are places in class_names")
    if shape is not None and (math.prod(shape) != d or dataset.value_range is None):
        raise DataError(f"{source}: expected images of {d} values with a value_range, got {shape}")
    if names and len(names) != d:
        raise DataError(f"{source}: expected {d} feature_names or none, got {len(names)}")
    return replace(dataset, name=name, x=x)


def _is_bare(source: str) -> bool:
    """Whether this is a name that is not built in, without the signs of a path."""
    ours = source in BUILT_IN or source in PRESETS
    return not ours and not any(sign in source for sign in "./\\:")


def _digits() -> Dataset:
    from sklearn.datasets import load_digits  # noqa: PLC0415

    digits = load_digits()
    return Dataset(
        name="digits",
        x=digits.data.astype(np.float32),
        labels=digits.target.astype(np.int64),
        class_names=tuple(str(name) for name in digits.target_names),
        image_shape=(1, 8, 8),
        value_range=(0.0, 16.0),
        n_classes=10,
    )
