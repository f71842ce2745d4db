"""The paper's comparisons: missing cells are trained and measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Generator

from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.errors import DataError, SettingsError
from gedi.evaluation.features import cached_feature_net
from gedi.evaluation.measures import (
    as_bytes,
    clustering_measures,
    detection_measures,
    embedding_measures,
    generation_measures,
    named_sets,
    outlier_sets,
)
from gedi.experiments.cells import Filled, Workspace, filled
from gedi.experiments.comparisons import (
    METHODS,
    PRESETS,
    TOYS,
    Budget,
    Cell,
    PresetName,
    TableName,
    Tree,
    cells,
    comparison_table,
    settings_of,
)
from gedi.experiments.provenance import provenance
from gedi.report.findings import find
from gedi.runs import Run
from gedi.settings import CompleteSettings, learns_density
from gedi.training.plan import Plan, plan
from gedi.training.trained import TrainedModel

__all__ = ["ComparisonRequest", "compare"]

_FRESH_SEED = 1_000_003  # of the toys' test points, unlike any seed of a training
_TEST_POINTS = 2000
_GENERATED = 2000  # images on each side of a distance
_ROUNDS = 20  # of the sampler's moves for each of them
_OUTLIERS = 2000  # of each set


@dataclass(frozen=True)
class ComparisonRequest:
    """The table to fill, and how.

    Args:
        table: the table.
        preset: the settings that all methods share.
        budget: the resource of which all methods get the same amount.
        minutes: duration of a training, if that is the budget.
        changes: changes to the preset for every method.
        data: data sets; None for those of the preset.
        methods: keys of `METHODS`; None for all.
        seeds: number of seeds; None for that of the preset.
        against: other sets of images as PATH or NAME=PATH, outliers in the table "ood"; None for
            those of the preset.
        image_size: side in pixels to which images are resized; None: they keep their size.
    """

    table: TableName
    preset: PresetName
    budget: Budget
    minutes: float
    changes: Tree
    data: Sequence[str] | None = None
    methods: Sequence[str] | None = None
    seeds: int | None = None
    against: Sequence[str] | None = None
    image_size: int | None = None


@dataclass(frozen=True)
class _Material:
    """The data that the cells of one data set share: training and test points, and outliers."""

    source: Source
    train: Dataset
    test: Dataset
    others: Mapping[str, Dataset]
    features: Path


def compare(request: ComparisonRequest, workspace: Workspace) -> Filled:
    """Fill a table while there is time.

    Raises:
        DataError: if data cannot be read or have no labels.
        SettingsError: for settings or data that do not fit the table.
        RunError: for cells that were made with other settings, or cannot be written.
    """
    preset, is_toy = PRESETS[request.preset], request.table == "toy"
    wanted = cells(
        request.preset,
        request.data or (TOYS if is_toy else preset.data),
        request.methods or list(METHODS),
        request.seeds or (preset.toy_seeds if is_toy else preset.seeds),
        request.budget,
    )
    material_of = lru_cache(maxsize=1)(partial(_material, request=request, workspace=workspace))
    return filled(
        wanted,
        lambda cell: _measured(cell, material_of(cell.data), request, workspace),
        partial(comparison_table, request.table),
    )


def _material(name: str, request: ComparisonRequest, workspace: Workspace) -> _Material:
    """Load the data of a table.

    Raises:
        DataError: if they cannot be read or have no labels.
        SettingsError: for toys in another table than theirs, or other data in it.
    """
    features = workspace.out / f"features-{Path(name).stem}.safetensors"
    if (name in TOYS) != (request.table == "toy"):
        raise SettingsError(
            f"--data: expected {' or '.join(TOYS)} for the table toy, and images for all others; "
            f"got {name} for {request.table}"
        )
    if name in TOYS:
        source = Source(name)
        fresh = replace(source, n_points=_TEST_POINTS, seed=_FRESH_SEED)
        return _Material(source, workspace.load(source), workspace.load(fresh), {}, features)
    source, train, test = workspace.halves(name, request.image_size)
    for dataset in (train, test):
        if dataset.labels is None:
            raise DataError(f"{name}: expected labels, with which the tables compare the clusters")
    against = (request.against or PRESETS[request.preset].against) if request.table == "ood" else ()
    others = named_sets(
        against, lambda path: workspace.load(replace(source, data=path, split=None))
    )
    return _Material(source, train, test, others, features)


def _measured(
    cell: Cell, material: _Material, request: ComparisonRequest, workspace: Workspace
) -> Tree | None:
    """The measures of a cell, which is trained if needed; None if it was stopped."""
    train = material.train
    chosen = settings_of(
        cell, len(train.x), len(train.class_names), request.minutes, request.changes
    )
    planned = plan(train, chosen)
    workspace.check(cell.name, material.source, planned)
    measured = workspace.measures(cell.name)
    if request.table in measured.get("tables", ()):
        return measured
    if not workspace.begin(cell.name):
        return None
    trained = _trained(cell, material, planned, workspace)
    if trained is None:
        return None
    measured = workspace.measures(cell.name)
    generator = Generator().manual_seed(cell.seed)
    measured |= _MEASURES[request.table](trained, material, planned.settings, generator)
    measured["tables"] = [*measured.get("tables", ()), request.table]
    workspace.store(cell.name, measured)
    return measured


def _trained(
    cell: Cell, material: _Material, planned: Plan, workspace: Workspace
) -> TrainedModel | None:
    """The model of a cell, stored or trained; None if the training was stopped."""
    if workspace.measures(cell.name):
        return Run.open(workspace.out / cell.name).load_model()
    fit = workspace.fit(cell.name, material.source, material.train, planned)
    if fit is None:
        return None
    workspace.store(
        cell.name,
        {
            **cell.row(),
            "iterations": fit.iterations,
            "seconds": round(fit.seconds, 1),
            # The gaps of other methods are measured under other views.
            **({"collapse_gap": fit.collapse_gap} if planned.settings.method == "gedi" else {}),
            **provenance(),
        },
    )
    return fit.trained


# The measures of each table


def _clustering(
    trained: TrainedModel, material: _Material, settings: CompleteSettings, generator: Generator
) -> Tree:
    return {
        "clustering": clustering_measures(trained, material.test),
        "embedding": embedding_measures(
            trained, material.train, material.test, generator=generator
        ),
    }


def _generation(
    trained: TrainedModel, material: _Material, settings: CompleteSettings, generator: Generator
) -> Tree:
    if not learns_density(settings):
        return {}
    train = material.train
    assert train.labels is not None and train.image_shape is not None  # refused before
    assert train.value_range is not None
    try:
        net = cached_feature_net(
            material.features,
            as_bytes(train.x, train.value_range),
            torch.from_numpy(train.labels),
            train.image_shape,
            generator=Generator().manual_seed(0),
        )
    except ValueError as error:
        raise DataError(f"{error}; remove the file to train the network again") from error
    return {
        "generation": generation_measures(
            trained, material.test, net, n=_GENERATED, n_steps=_ROUNDS, generator=generator
        )
    }


def _ood(
    trained: TrainedModel, material: _Material, settings: CompleteSettings, generator: Generator
) -> Tree:
    test = material.test
    outliers = outlier_sets(test, material.others, n=_OUTLIERS, generator=generator)
    return {"ood": detection_measures(trained, test, outliers)}


def _toy(
    trained: TrainedModel, material: _Material, settings: CompleteSettings, generator: Generator
) -> Tree:
    metrics = find(trained, material.test, settings).metrics
    return {"toy": metrics}


_MEASURES: Mapping[
    TableName, Callable[[TrainedModel, _Material, CompleteSettings, Generator], Tree]
] = {
    "clustering": _clustering,
    "generation": _generation,
    "ood": _ood,
    "toy": _toy,
}
