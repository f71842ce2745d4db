"""Predictions of the model in a run folder, by which another training numbers its clusters."""

import math
from pathlib import Path
from typing import Any

from gedi.data.dataset import Dataset
from gedi.errors import DataError, RunError
from gedi.plugins import plugins_of, refuse_missing
from gedi.settings import complete, from_dict, learns_density
from gedi.training.numbering import Reference, recall
from gedi.training.storage import load_trained
from gedi.untrusted import check_within, json_of, readable, yaml_of

__all__ = ["holds_run", "recall_run"]


def holds_run(path: Path) -> bool:
    """Whether a folder holds a run."""
    return (path / "run.json").is_file()


def recall_run(path: Path, dataset: Dataset, *, seed: int) -> Reference:
    """The predictions of the model of a run for up to 5,000 points of other data.

    Raises:
        DataError: if the data are not like those that the run was trained on.
        RunError: if the run cannot be read, or has no model yet.
        PluginError: if the encoder or the method belongs to a plug-in that is not installed.
    """
    file = path / "model.safetensors"
    with readable(path):
        check_within(path)
        facts: Any = json_of(path / "run.json")
        shape = facts["image_shape"]
        image_shape = None if shape is None else tuple(shape)
        names = tuple(map(str, facts["feature_names"]))
        settings = complete(from_dict(yaml_of(path / "settings.yaml")))
        result = path / "result.json"
        found: Any = json_of(result) if result.is_file() else {}
        energies = found.get("energies", {}).get("data")
        known = energies is not None and learns_density(settings)
        limit = _fence(*map(float, energies)) if known else math.inf
        refuse_missing(
            plugins_of(facts.get("plugins", [])), str(path), ("gedi.encoders", "gedi.methods")
        )
    if not file.is_file():
        raise RunError(f"{path}: holds no {file.name} yet; continue it with `gedi resume {path}`")
    if dataset.image_shape != image_shape:
        raise DataError(
            f"{path}: was trained on {_kind(image_shape)}, and {dataset.name} has "
            f"{_kind(dataset.image_shape)}, so clusters cannot keep their numbers"
        )
    return recall(
        load_trained(file, settings, image_shape or (facts["n_features"],)),
        dataset.x,
        seed=seed,
        limit=limit,
        names=dataset.feature_names,
        known_names=names,
        name=str(path),
    )


def _fence(low: float, _: float, high: float) -> float:
    """Tukey's upper fence for the quartiles of the energies, in nats."""
    return high + 1.5 * (high - low)


def _kind(image_shape: tuple[Any, ...] | None) -> str:
    if image_shape is None:
        return "rows of numbers"
    return f"images of {' × '.join(map(str, image_shape))}"
