"""`gedi reproduce` for tasks of which only a rule over several images is observed."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Generator, Tensor

from gedi.cli.cells import check_same, fit_cell, measures_of, write_measures
from gedi.cli.decoding import decoding_shown
from gedi.data import Dataset
from gedi.errors import DataError
from gedi.evaluation.clustering import agreement, symbol_accuracy
from gedi.evaluation.outliers import auroc, uniform_noise
from gedi.evidence.build import GROUP_SHARE, n_known
from gedi.evidence.groups import Groups, rule_log_probability
from gedi.experiments import Tree
from gedi.machine import provenance
from gedi.runs import Source
from gedi.settings import learns_density
from gedi.tasks import (
    TASKS,
    RuleCell,
    Task,
    group_rows,
    outcome_accuracy_of,
    rule_cells,
    rule_settings,
    rule_table,
)
from gedi.training.custom import Custom
from gedi.training.plan import plan
from gedi.training.session import Fit
from gedi.training.trained import TrainedModel

__all__ = ["RuleRequest", "reproduce_rules"]

_TEST_IMAGES = 2000  # in groups
_NOISE = 2000  # points of it
_TIMED = 20  # evaluations of the rule


@dataclass(frozen=True)
class RuleRequest:
    """What was asked for.

    Args:
        task: a key of `TASKS`.
        data: images of digits, as `gedi train` takes them.
        image_size: to bring them to.
        numbers: of groups; empty for those of the task.
        unlabelled: whether all images are there, beside those of the groups.
        methods: keys of `RULE_METHODS`.
        seeds: of each method.
        minutes: of each training.
        changes: settings over the defaults.
        out: folder of the cells.
        deadline: of `time.monotonic`.
        console: where progress is shown.
    """

    task: str
    data: str
    image_size: int | None
    numbers: tuple[int, ...]
    unlabelled: bool
    methods: tuple[str, ...]
    seeds: int
    minutes: float
    changes: Tree
    out: Path
    deadline: float
    console: Console


def reproduce_rules(request: RuleRequest) -> tuple[str, int]:
    """Fill the gaps of a table, as far as time goes.

    Returns:
        The table of what is there in Markdown, and how many of its cells are missing.

    Raises:
        DataError: if the images cannot be read, have no labels, or are too few.
        SettingsError: for settings that do not fit.
        RunError: for cells that were made with other settings, or cannot be written.
    """
    task = TASKS[request.task]
    place = str(Path(request.data).resolve()) if Path(request.data).exists() else request.data
    source = Source(place, split="train", image_size=request.image_size)
    with decoding_shown() as watch:
        train, test = source.load(watch), replace(source, split="test").load(watch)
    train, test = (_of_values(dataset, task) for dataset in (train, test))
    found: list[tuple[RuleCell, Tree]] = []
    wanted = rule_cells(
        request.task,
        request.numbers or task.groups,
        request.unlabelled,
        request.methods,
        request.seeds,
    )
    for cell in wanted:
        measured = _filled(cell, source, train, test, request)
        if measured is None:
            break
        found.append((cell, measured))
    return rule_table(found), len(wanted) - len(found)


def _of_values(dataset: Dataset, task: Task) -> Dataset:
    """The images of digits that take part.

    Raises:
        DataError: if there are no labels, of which outcomes are made.
    """
    if dataset.labels is None:
        raise DataError(f"{dataset.name}: expected labels, of which outcomes are made")
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
    """The images that a training sees, and groups of them with their outcomes."""

    task: Task
    dataset: Dataset
    groups: Groups

    @property
    def custom(self) -> Custom:
        return Custom(groups=self.groups)


def _filled(
    cell: RuleCell, source: Source, train: Dataset, test: Dataset, request: RuleRequest
) -> Tree | None:
    """The measures of a cell, which is trained where it is not; None if stopped before its end."""
    folder = request.out / cell.name
    observed = _observed(cell, train)
    chosen = rule_settings(cell, request.minutes, request.changes)
    planned = plan(observed.dataset, chosen, observed.custom)
    check_same(folder, source, planned.settings)
    measured = measures_of(folder)
    if measured:
        return measured
    if time.monotonic() > request.deadline:
        return None
    request.console.print(cell.name, markup=False)
    fit = fit_cell(
        folder,
        source,
        observed.dataset,
        planned,
        request.console,
        custom=observed.custom,
        deadline=request.deadline,
    )
    if fit is None:
        return None
    measured = _measured(cell, fit, observed, test)
    write_measures(folder, measured)
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


def _measured(cell: RuleCell, fit: Fit, observed: _Observed, test: Dataset) -> Tree:
    assert test.labels is not None  # refused before
    trained, task, groups = fit.trained, observed.task, observed.groups
    clusters = trained.predict(test.x).clusters
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
    """Share of groups whose outcome the model finds more likely than all others together."""
    logits = trained.logits(dataset.x[rows.flatten().numpy()])
    found: NDArray[np.floating] = rule_log_probability(groups.rule, logits, codes).numpy()
    return outcome_accuracy_of(found)


def _auroc_of_noise(trained: TrainedModel, test: Dataset, seed: int) -> float:
    """How well log p(x) tells uniform noise from images."""
    generator = Generator().manual_seed(seed)
    noise = uniform_noise(trained.box.low, trained.box.high, _NOISE, generator)
    with torch.no_grad():
        outliers = trained.model.energy(noise)
    return auroc(torch.from_numpy(trained.predict(test.x[:_NOISE]).energy), outliers)


def _seconds_of_rule(groups: Groups, n: int) -> float:
    """Of the rule's log-likelihood of n groups and its gradient; the median of some."""
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
