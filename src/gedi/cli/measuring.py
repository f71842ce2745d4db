"""What `gedi evaluate --measure` measures: each measure is checked first, and all are run then."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jsonargparse import Namespace
from torch import Generator

from gedi.cli.telling import tell_detection, tell_figures, tell_findings
from gedi.data.dataset import Dataset, Values
from gedi.errors import DataError, RunError, SettingsError
from gedi.evaluation.generation import require_torchmetrics
from gedi.evaluation.measures import (
    detection_measures,
    embedding_measures,
    generation_measures,
    outlier_sets,
    some_of,
)
from gedi.experiments.feature_network import FeatureNetwork, feature_network
from gedi.report.findings import find, sampling_rounds
from gedi.runs import Run
from gedi.settings import learns_density
from gedi.training.trained import TrainedModel

__all__ = ["Measure", "measured"]

Measure = Literal["clustering", "embedding", "generation", "ood"]

# Samples take long, scores do not.
_SAMPLES = 1000
_POINTS = 5000


@dataclass(frozen=True)
class _Task:
    """A run, its model, and the data it is measured on."""

    run: Run
    trained: TrainedModel
    dataset: Dataset
    options: Namespace

    def generator(self) -> Generator:
        """A fresh one for each measure, so that none hangs on which others are asked for."""
        return Generator().manual_seed(self.options.seed)


def measured(
    run: Run, trained: TrainedModel, dataset: Dataset, options: Namespace
) -> dict[str, Any]:
    """Measure, print, and return the figures by measure.

    Args:
        run: the run.
        trained: its model.
        dataset: what it is measured on.
        options: of the command.

    Raises:
        GediError: before anything is measured, if one of the measures is not possible.
    """
    wanted = list(dict.fromkeys(options.measure))
    _check_options(options, wanted)
    task = _Task(run, trained, dataset, options)
    # In this order all that can be refused is refused before what takes long.
    embedded = _embedding_data(task) if "embedding" in wanted else None
    outliers = _outliers(task) if "ood" in wanted else {}
    network = _feature_network(task) if "generation" in wanted else None
    figures: dict[str, Any] = {}
    for measure in wanted:
        if measure == "clustering":
            figures[measure] = _clustering(task)
        elif measure == "embedding" and embedded is not None:
            figures[measure] = _embedding(task, *embedded)
        elif measure == "generation" and network is not None:
            figures[measure] = _generation(task, network)
        elif measure == "ood":
            figures[measure] = _detection(task, outliers)
    return figures


def _check_options(options: Namespace, wanted: list[Measure]) -> None:
    needs: dict[str, tuple[Measure, ...]] = {
        "against": ("ood",),
        "features": ("generation",),
        "n_samples": ("generation", "ood"),
        "n_steps": ("generation",),
    }
    for name, measures in needs.items():
        if options[name] is not None and not set(measures) & set(wanted):
            raise SettingsError(
                f"--{name.replace('_', '-')}: is for --measure {' or '.join(measures)}, got "
                f"{', '.join(wanted)}: leave it out, or measure that"
            )
    if options.n_samples is not None and options.n_samples < 4:
        raise SettingsError(f"--n-samples: expected at least 4, got {options.n_samples}")
    if options.n_steps is not None and options.n_steps < 0:
        raise SettingsError(f"--n-steps: expected 0 or more, got {options.n_steps}")


def _clustering(task: _Task) -> dict[str, Any]:
    named = task.run.groups is not None
    findings = find(task.trained, task.dataset, task.run.settings(), named=named)
    tell_findings(findings)
    return {
        "collapse gap": findings.collapse_gap,
        "cluster sizes": findings.sizes.tolist(),
        **findings.metrics,
    }


# Embedding


def _embedding_data(task: _Task) -> tuple[Dataset, Dataset, str]:
    """What the classifiers are fitted to, what is scored, and words for it."""
    train, test = task.run.source.read(), task.dataset
    for data in (train, test):
        if data.labels is None:
            raise DataError(
                f"{data.name} has no labels, which --measure embedding compares with: give them "
                "with --label, in training and here"
            )
    if len(train.x) != len(test.x) or not (train.x == test.x).all():
        return train, test, f"fitted to training points, scored on {len(test.x)} others"
    # A point would be its own nearest neighbour.
    order = torch.randperm(len(train.x), generator=task.generator()).numpy()
    half = len(order) // 2
    parts = train.subset(order[:half]), train.subset(order[half:])
    return *parts, "fitted to one half of the training points, scored on the other"


def _embedding(task: _Task, train: Dataset, test: Dataset, words: str) -> dict[str, Any]:
    found = embedding_measures(task.trained, train, test, generator=task.generator())
    tell_figures(f"Embedding, {words}", found)
    return {**found, "note": words}


# Generation


def _feature_network(task: _Task) -> FeatureNetwork:
    if not learns_density(task.run.settings()):
        raise RunError(
            f"{task.run.path}: was trained without GEN, so it has no density to draw samples from: "
            "--measure generation is for models that have one"
        )
    if task.dataset.image_shape is None:
        raise DataError(
            f"{task.dataset.name}: --measure generation compares images, but these are vectors"
        )
    require_torchmetrics()
    return feature_network(task.run, task.options.features, task.dataset, task.generator())


def _generation(task: _Task, network: FeatureNetwork) -> dict[str, Any]:
    n = min(task.options.n_samples or _SAMPLES, len(task.dataset.x))
    n_steps = task.options.n_steps
    n_steps = sampling_rounds(task.run.settings()) if n_steps is None else n_steps
    found = generation_measures(
        task.trained, task.dataset, network.net, n=n, n_steps=n_steps, generator=task.generator()
    )
    known = "of unknown accuracy here"
    if network.accuracy is not None:
        known = f"which is right for {network.accuracy:.1%} of these images"
    tell_figures(
        f"Generation: {n} samples, {n_steps} rounds each, against {n} images, in the features of "
        f"{network.name}, {known}",
        found,
    )
    return {
        **found,
        "n": n,
        "rounds": n_steps,
        "feature network": network.file,
        "feature network accuracy": network.accuracy,
    }


# Outliers


def _outliers(task: _Task) -> dict[str, Values]:
    others: dict[str, Dataset] = {}
    for text in task.options.against or []:
        name, path = _named(text)
        data = task.run.other_data(path, skip_bad=task.options.skip_bad)
        name = name or data.name
        if name in others:
            raise SettingsError(f"--against: two sets are called {name!r}: give them as NAME=PATH")
        others[name] = data
    n = task.options.n_samples or _POINTS
    outliers = outlier_sets(task.dataset, others, n=n, generator=task.generator())
    if not outliers:
        raise DataError(
            f"{task.dataset.name} is no set of images to make outliers from: give sets of them "
            "with --against"
        )
    return outliers


def _named(text: str) -> tuple[str | None, str]:
    """Name and path of NAME=PATH; without a name, None."""
    name, equals, path = text.partition("=")
    # Names on the hub and paths may hold the sign too, after a slash.
    if not equals or not name or "/" in name:
        return None, text
    return name, path


def _detection(task: _Task, outliers: dict[str, Values]) -> dict[str, Any]:
    test = some_of(task.dataset, task.options.n_samples or _POINTS, task.generator())
    found = detection_measures(task.trained, test, outliers)
    words = f"Out of distribution: {len(test.x)} points against sets of at most as many"
    if not learns_density(task.run.settings()):
        words += "; without GEN, log density and approximate mass are by-products"
    tell_detection(words, found)
    return found
