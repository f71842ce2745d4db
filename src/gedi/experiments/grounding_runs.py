"""Symbol grounding: missing cells are trained and measured."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.errors import DataError
from gedi.evaluation.clustering import agreement, symbol_accuracy
from gedi.evaluation.outliers import auroc, uniform_noise
from gedi.evidence.build import GROUP_SHARE, n_known
from gedi.evidence.groups import Groups, rule_log_probability
from gedi.experiments.cells import Filled, Workspace, filled
from gedi.experiments.comparisons import Tree
from gedi.experiments.grounding import (
    RuleCell,
    outcome_accuracy_of,
    rule_cells,
    rule_settings,
    rule_table,
)
from gedi.experiments.provenance import provenance
from gedi.experiments.tasks import TASKS, Task, group_rows
from gedi.settings import learns_density
from gedi.training.custom import Custom
from gedi.training.plan import plan
from gedi.training.session import Fit
from gedi.training.trained import TrainedModel

__all__ = ["GroundingRequest", "ground"]

_TEST_IMAGES = 2000  # in groups
_NOISE = 2000  # points of noise
_TIMED = 20  # evaluations of the rule


@dataclass(frozen=True)
class GroundingRequest:
    """The table to fill, and how.

    Args:
        task: a key of `TASKS`.
        data: images of digits, as an argument of `gedi train`.
        image_size: side in pixels to which images are resized; None: they keep their size.
        numbers: numbers of groups; empty for those of the task.
        unlabelled: whether all images are used in addition to those of the groups.
        methods: keys of `RULE_METHODS`.
        seeds: number of seeds for each method.
        minutes: duration of each training.
        changes: changes to the defaults for every method.
    """

    task: str
    data: str
    image_size: int | None
    numbers: Sequence[int]
    unlabelled: bool
    methods: Sequence[str]
    seeds: int
    minutes: float
    changes: Tree


def ground(request: GroundingRequest, workspace: Workspace) -> Filled:
    """Fill a table while there is time.

    Raises:
        DataError: if the images cannot be read, have no labels, or are too few.
        SettingsError: for settings that do not fit.
        RunError: for cells that were made with other settings, or cannot be written.
    """
    task = TASKS[request.task]
    source, *parts = workspace.halves(request.data, request.image_size)
    train, test = (_of_values(dataset, task) for dataset in parts)
    wanted = rule_cells(
        request.task,
        request.numbers or task.groups,
        request.unlabelled,
        request.methods,
        request.seeds,
    )
    return filled(
        wanted,
        lambda cell: _measured(cell, _Material(source, train, test), request, workspace),
        rule_table,
    )


def _of_values(dataset: Dataset, task: Task) -> Dataset:
    """The images of the digits that take part.

    Raises:
        DataError: if there are no labels, from which outcomes are computed.
    """
    if dataset.labels is None:
        raise DataError(f"{dataset.name}: expected labels, from which outcomes are computed")
    rows = np.flatnonzero(dataset.labels < task.n_values)
    return replace(
        dataset,
        x=dataset.x[rows],
        labels=dataset.labels[rows],
        class_names=dataset.class_names[: task.n_values],
        n_classes=None,
    )


@dataclass(frozen=True)
class _Observed:
    """The images of a training, and groups of them with their outcomes."""

    task: Task
    dataset: Dataset
    groups: Groups

    @property
    def custom(self) -> Custom:
        return Custom(groups=self.groups)


@dataclass(frozen=True)
class _Material:
    """The images that all cells share, for training and for measuring."""

    source: Source
    train: Dataset
    test: Dataset


def _measured(
    cell: RuleCell, material: _Material, request: GroundingRequest, workspace: Workspace
) -> Tree | None:
    """The measures of a cell, which is trained if needed; None if it was stopped."""
    observed = _observed(cell, material.train)
    chosen = rule_settings(cell, request.minutes, request.changes)
    planned = plan(observed.dataset, chosen, observed.custom)
    workspace.check(cell.name, material.source, planned)
    measured = workspace.measures(cell.name)
    if measured:
        return measured
    if not workspace.begin(cell.name):
        return None
    fit = workspace.fit(cell.name, material.source, observed.dataset, planned, observed.custom)
    if fit is None:
        return None
    measured = _measures(cell, fit, observed, material.test)
    workspace.store(cell.name, measured)
    return measured


def _observed(cell: RuleCell, train: Dataset) -> _Observed:
    task = TASKS[cell.task]
    assert train.labels is not None  # refused before
    rule = task.rule()
    rows = group_rows(task, train.labels, cell.n_groups, np.random.default_rng(cell.seed))
    codes = rule.encode(task.outcome(train.labels[rows]).tolist())
    if cell.unlabelled:
        return _Observed(task, train, Groups(rule, torch.from_numpy(rows), codes))
    seen, places = np.unique(rows, return_inverse=True)
    dataset = replace(train, x=train.x[seen], labels=train.labels[seen])
    groups = Groups(rule, torch.from_numpy(places.reshape(rows.shape)), codes)
    return _Observed(task, dataset, groups)


def _measures(cell: RuleCell, fit: Fit, observed: _Observed, test: Dataset) -> Tree:
    assert test.labels is not None  # refused before
    trained, task, groups = fit.trained, observed.task, observed.groups
    clusters = trained.clusters(test.x)
    figures = agreement(test.labels, clusters)
    rng = np.random.default_rng(cell.seed + 1)
    most = min(_TEST_IMAGES, len(test.x)) // task.n_symbols
    rows = group_rows(task, test.labels, most, rng)
    codes = groups.rule.encode(task.outcome(test.labels[rows]).tolist())
    n_groups = n_known(GROUP_SHARE, fit.settings.batch_size, task.n_symbols)
    measured = {
        "task": cell.task,
        "groups": cell.n_groups,
        "unlabelled": cell.unlabelled,
        "method": cell.method,
        "seed": cell.seed,
        "symbol accuracy": symbol_accuracy(test.labels, clusters),
        "matched accuracy": figures["accuracy"],
        "NMI": figures["NMI"],
        "outcomes right": _outcomes_right(trained, groups, test, torch.from_numpy(rows), codes),
        "outcomes right, training": _outcomes_right(
            trained, groups, observed.dataset, groups.rows, groups.codes
        ),
        "rule's share": _seconds_of_rule(groups, n_groups) * fit.iterations / fit.seconds,
        "collapse gap": fit.collapse_gap,
        "iterations": fit.iterations,
        "minutes": fit.seconds / 60,
        **provenance(),
    }
    if learns_density(fit.settings):
        measured["AUROC noise"] = _auroc_of_noise(trained, test, cell.seed)
    return measured


@torch.no_grad()
def _outcomes_right(
    trained: TrainedModel, groups: Groups, dataset: Dataset, rows: Tensor, codes: Tensor
) -> float:
    """The share of groups whose outcome is more likely than all others together."""
    logits = trained.logits(dataset.x[rows.flatten().numpy()])
    found: NDArray[np.floating] = rule_log_probability(groups.rule, logits, codes).numpy()
    return outcome_accuracy_of(found)


def _auroc_of_noise(trained: TrainedModel, test: Dataset, seed: int) -> float:
    """How well log p(x) separates uniform noise from images."""
    generator = Generator().manual_seed(seed)
    noise = uniform_noise(trained.box.low, trained.box.high, _NOISE, generator)
    with torch.no_grad():
        outliers = trained.model.energy(noise)
    return auroc(torch.from_numpy(trained.predict(test.x[:_NOISE]).energy), outliers)


def _seconds_of_rule(groups: Groups, n: int) -> float:
    """Median time of the rule's log-likelihood of n groups with its gradient."""
    codes = groups.codes[torch.arange(n) % len(groups.codes)]
    generator = Generator().manual_seed(0)
    times = []
    for _ in range(_TIMED):
        logits = torch.randn(n * groups.rule.n_symbols, groups.rule.n_values, generator=generator)
        logits.requires_grad_(True)
        start = time.perf_counter()
        value = rule_log_probability(groups.rule, logits, codes).mean()
        torch.autograd.grad(value, logits)
        times.append(time.perf_counter() - start)
    return median(times)
