"""A fitted estimator as a folder: config.json and model.safetensors, and back.

After `partial_fit`, rows.safetensors holds the points that it has kept.
"""

import json
import math
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sklearn.base import BaseEstimator
from torch import nn

import gedi
from gedi.data.columns import ColumnPlan
from gedi.errors import RunError
from gedi.estimators.frames import framed
from gedi.estimators.inputs import image_shape_of
from gedi.evaluation.drift import Drift
from gedi.features import ImageFeatures, TextFeatures
from gedi.methods import Method
from gedi.plugins import Group, plugins_of, refuse_missing
from gedi.settings import Settings, from_dict
from gedi.training.storage import load_trained, plugins_used, save_trained
from gedi.untrusted import check_format, json_of, readable, refuse_special

__all__ = ["load_estimator", "save_estimator"]

_FORMAT = 1
_CONFIG, _MODEL, _ROWS = "config.json", "model.safetensors", "rows.safetensors"
_LEFT_OUT = ("model_", "settings_", "rule_", "features_", "rows_")  # stored elsewhere, or functions


def save_estimator(estimator: Any, path: Path) -> None:
    """Write a temporary folder and rename it, so that a folder is either complete or absent.

    Raises:
        RunError: if the path holds anything but a saved estimator, or cannot be written.
    """
    if path.exists() and not _is_saved(path):
        raise RunError(f"{path}: exists and is not a saved estimator, so it is not overwritten")
    config = {
        "format": _FORMAT,
        "version": gedi.__version__,
        "class": type(estimator).__name__,
        "params": {name: _plain(value) for name, value in estimator.get_params(deep=False).items()},
        "settings": asdict(estimator.settings_),
        "own_encoder": isinstance(estimator.encoder, nn.Module),
        "own_method": isinstance(estimator.method, Method),
        "plugins": [plugin._asdict() for plugin in plugins_used(estimator.settings_)],
        "learned": {
            name: _packed(value) for name, value in vars(estimator).items() if _is_learned(name)
        },
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial, before = (path.with_name(f".{path.name}.{end}") for end in ("partial", "before"))
        shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed
        partial.mkdir()
        try:
            text = json.dumps(config, indent=1, default=np.generic.item)
            (partial / _CONFIG).write_text(text + "\n", encoding="utf-8")
            save_trained(estimator.model_, partial / _MODEL)
            if hasattr(estimator, "rows_"):
                save_file({"rows": estimator.rows_}, partial / _ROWS)
            if path.exists():  # an earlier copy, if any, is older
                shutil.rmtree(before, ignore_errors=True)
                path.rename(before)
            partial.rename(path)
            shutil.rmtree(before, ignore_errors=True)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error


def _is_learned(name: str) -> bool:
    """Returns whether config.json holds an attribute."""
    ends = name.endswith("_") and not name.startswith("_")
    return (ends or name == "_n_features_out") and name not in _LEFT_OUT


def _is_saved(path: Path) -> bool:
    """Returns whether a folder holds a saved estimator and nothing else."""
    if not path.is_dir():
        return False
    return {file.name for file in path.iterdir()} - {_ROWS} == {_CONFIG, _MODEL}


def load_estimator(
    kind: type[BaseEstimator], path: Path, encoder: nn.Module | None, method: Method | None
) -> Any:
    """Read a folder that `save_estimator` wrote.

    Raises:
        RunError: if it cannot be read, or holds another kind of estimator.
        PluginError: if encoder or method belong to a plug-in that is not installed.
    """
    file = path / _CONFIG
    if not file.is_file():
        raise RunError(f"{path}: is not a saved estimator: it holds no {_CONFIG}")
    with readable(file):
        config = json_of(file)
        _check_config(config, kind, path, encoder, method)
        estimator: Any = _estimator(config, kind, encoder, method)
        shape = image_shape_of(estimator.input_shape_) or estimator.input_shape_
    estimator.model_ = load_trained(
        path / _MODEL, estimator.settings_, shape, encoder=encoder, method=method
    )
    if (path / _ROWS).exists():
        estimator.rows_ = _rows(path / _ROWS, estimator)
    return estimator


def _rows(file: Path, estimator: Any) -> NDArray[np.floating]:
    """The points that `partial_fit` has kept, (n, d)."""
    try:
        refuse_special(file)
        rows: NDArray[np.floating] = load_file(file)["rows"]
        if rows.ndim != 2 or rows.dtype.kind != "f" or rows.shape[1:] != estimator.input_shape_:
            raise ValueError(f"expected points of the shape {estimator.input_shape_}")
        if not 0 < len(rows) <= estimator.n_samples_seen_ or not np.isfinite(rows).all():
            raise ValueError("expected finite points, and n_samples_seen_ of them at most")
    except (OSError, SafetensorError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise RunError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
    return rows


def _check_config(
    config: Any,
    kind: type[BaseEstimator],
    path: Path,
    encoder: nn.Module | None,
    method: Method | None,
) -> None:
    check_format(config, _FORMAT)
    if config["class"] != kind.__name__:
        raise RunError(
            f"{path}: holds a {config['class']}, not a {kind.__name__}: use {config['class']}.load"
        )
    if config["own_encoder"] and encoder is None:
        raise RunError(
            f"{path}: was trained with a module as encoder: give a module like it, as "
            f"{kind.__name__}.load(path, encoder=...)"
        )
    needed: tuple[Group, ...] = ("gedi.encoders", "gedi.methods")
    refuse_missing(plugins_of(config.get("plugins", [])), str(path), needed)
    name = config["settings"]["method"] if config.get("own_method") else None
    if name is not None and (method is None or method.name != name):
        raise RunError(
            f"{path}: was trained with a method of its own, {name!r}: give it, as "
            f"{kind.__name__}.load(path, method=...)"
        )


def _estimator(
    config: Any,
    kind: type[BaseEstimator],
    encoder: nn.Module | None,
    method: Method | None,
) -> Any:
    """The estimator with its parameters and all learned attributes but the model."""
    params = {name: _given(value) for name, value in config["params"].items()}
    if params["settings"] is not None:
        params["settings"] = from_dict(params["settings"])
    if isinstance(params.get("features"), dict):
        params["features"] = _features(params["features"])
    if encoder is not None:
        params["encoder"] = encoder
    if method is not None:
        params["method"] = method
    estimator: Any = kind(**params)
    for name, value in config["learned"].items():
        # The names come from the file, which must not replace a method.
        if not _is_learned(name) or hasattr(kind, name):
            raise ValueError(f"{name!r} is not learned by a {kind.__name__}")
        setattr(estimator, name, _unpacked(value))
    estimator.input_shape_ = tuple(estimator.input_shape_)
    _check_learned(estimator)
    estimator.settings_ = from_dict(config["settings"])
    return estimator


def _check_learned(estimator: Any) -> None:
    """Refuse values that later calls cannot use.

    Raises:
        ValueError: for a wrong attribute, with its name.
    """
    shape = estimator.input_shape_
    if len(shape) not in (1, 2, 3) or not all(type(side) is int and side > 0 for side in shape):
        raise ValueError(f"input_shape_: expected one to three positive numbers, got {shape}")
    for name in ("n_features_in_", "_n_features_out"):
        if type(getattr(estimator, name)) is not int:
            raise ValueError(f"{name}: expected a whole number")
    frame, plan = getattr(estimator, "frame_", None), getattr(estimator, "columns_", None)
    n = estimator.n_features_in_
    if plan is not None and len(plan.columns) != n:
        raise ValueError(f"columns_: expected {n}, as n_features_in_ says")
    if (n if plan is None else len(plan.features)) != math.prod(shape):
        raise ValueError(f"n_features_in_: expected {math.prod(shape)}, as input_shape_ says")
    if frame is not None:
        known = ColumnPlan.of_numbers(map(str, frame["names"])) if plan is None else plan
        framed(np.zeros((1, math.prod(shape))), {**frame, "library": "pandas"}, known)
    if not isinstance(getattr(estimator, "agreement_", None), (int, float, type(None))):
        raise ValueError("agreement_: expected a number or null")
    for name in ("offset_", "collapse_gap_", "temperature_", "satisfaction_"):
        if not isinstance(getattr(estimator, name, 0.0), (int, float)):
            raise ValueError(f"{name}: expected a number")


def _features(content: dict[str, Any]) -> TextFeatures | ImageFeatures:
    """The transformer of raw things that `_plain` wrote."""
    kinds = {kind.__name__: kind for kind in (TextFeatures, ImageFeatures)}
    return kinds[content["class"]](**content["params"])


def _plain(value: Any) -> Any:
    """A parameter as JSON; functions, modules and random states become null."""
    if isinstance(value, Settings):
        return asdict(value)
    if isinstance(value, (TextFeatures, ImageFeatures)):
        own = {name: _plain(part) for name, part in value.get_params().items()}
        return {"class": type(value).__name__, "params": own}
    if isinstance(value, (np.ndarray, np.generic, Path)):
        return str(value) if isinstance(value, Path) else value.tolist()
    if isinstance(value, dict):
        pairs = _plain(list(value.items()))
        return None if pairs is None else {"pairs": pairs}
    if isinstance(value, (list, tuple)):
        kept = [_plain(part) for part in value]
        return None if None in kept else kept
    return value if value is None or isinstance(value, (bool, int, float, str)) else None


def _given(value: Any) -> Any:
    """A parameter that `_plain` wrote; only dictionaries differ from JSON."""
    if isinstance(value, dict) and value.keys() == {"pairs"}:
        return dict(value["pairs"])
    return value


def _packed(value: Any) -> Any:
    """A learned attribute as JSON; arrays with their type."""
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": value.dtype.str}
    if isinstance(value, ColumnPlan):
        return {"columns": value.to_json()}
    if isinstance(value, Drift):
        return {"drift": value.to_json()}
    if isinstance(value, dict):
        return {"dict": {name: _packed(part) for name, part in value.items()}}
    if isinstance(value, np.generic):
        return value.item()
    return value


def _unpacked(value: Any) -> Any:
    if isinstance(value, dict) and "array" in value:
        kind = np.dtype(value["dtype"])
        # A type from the file could ask for any number of bytes; text gets the length it needs.
        if kind.kind not in "biufUO":
            raise ValueError(f"expected an array of numbers or text, got {kind}")
        array: NDArray[Any] = np.array(value["array"], dtype=str if kind.kind == "U" else kind)
        return array
    if isinstance(value, dict) and "columns" in value:
        return ColumnPlan.of_json(value["columns"])
    if isinstance(value, dict) and "drift" in value:
        return Drift.of_json(value["drift"])
    if isinstance(value, dict):
        return {name: _unpacked(part) for name, part in value["dict"].items()}
    return value
