"""The measures of `gedi evaluate --measure`: all are checked first, then all are run."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jsonargparse import Namespace
from torch import Generator

from gedi.cli.summaries import print_detection, print_figures, print_findings
from gedi.data.dataset import Dataset, Values
from gedi.errors import DataError, RunError, SettingsError
from gedi.evaluation.generation import require_torchmetrics
from gedi.evaluation.measures import (
    detection_measures,
    embedding_measures,
    generation_measures,
    named_sets,
    outlier_sets,
    some_of,
)
from gedi.experiments.feature_network import FeatureNetwork, feature_network
from gedi.report import verdict
from gedi.report.findings import find, sampling_rounds
from gedi.runs import Run
from gedi.runs.diagnosis import diagnose
from gedi.settings import learns_density
from gedi.training.trained import TrainedModel

__all__ = ["Measure", "run_measures"]

Measure = Literal["clustering", "embedding", "generation", "ood"]

_SAMPLES = 1000  # for generation, where drawing takes long
_POINTS = 5000  # for ood


@dataclass(frozen=True)
class _Task:
    """A run, its model, and the data to measure it on."""

    run: Run
    trained: TrainedModel
    dataset: Dataset
    options: Namespace

    def generator(self) -> Generator:
        """A new generator for each measure, so that figures do not depend on other measures."""
        return Generator().manual_seed(self.options.seed)


def run_measures(
    run: Run, trained: TrainedModel, dataset: Dataset, options: Namespace
) -> dict[str, Any]:
    """Run the measures that the options ask for, and print their figures.

    Returns:
        The figures of each measure, by its name.

    Raises:
        GediError: before anything is measured, if one of the measures is not possible.
    """
    wanted = list(dict.fromkeys(options.measure))
    _check_options(options, wanted)
    task = _Task(run, trained, dataset, options)
    # These checks come first, so that nothing long runs before an error.
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
                f"--{name.replace('_', '-')}: only for --measure {' or '.join(measures)}, got "
                f"--measure {' '.join(wanted)}: leave it out, or add that measure"
            )
    if options.n_samples is not None and options.n_samples < 4:
        raise SettingsError(f"--n-samples: expected at least 4, got {options.n_samples}")
    if options.n_steps is not None and options.n_steps < 0:
        raise SettingsError(f"--n-steps: expected 0 or more, got {options.n_steps}")


def _clustering(task: _Task) -> dict[str, Any]:
    named = task.run.groups is not None
    findings = find(task.trained, task.dataset, task.run.settings(), named=named)
    signs = replace(
        diagnose(task.run).signs,
        collapse_gap=findings.collapse_gap,
        cohesion=findings.cohesion,
    )
    print_findings(findings, verdict(signs))
    return {
        "collapse gap": findings.collapse_gap,
        "cluster sizes": findings.sizes.tolist(),
        **findings.metrics,
    }


# Embedding


def _embedding_data(task: _Task) -> tuple[Dataset, Dataset, str]:
    """The data to fit classifiers to, the data to score them on, and a description of both."""
    train, test = task.run.read(), task.dataset
    for data in (train, test):
        if data.labels is None:
            raise DataError(
                f"{data.name} has no labels, but --measure embedding compares with labels: give "
                "--label, both to `gedi train` and here"
            )
    if len(train.x) != len(test.x) or not (train.x == test.x).all():
        return train, test, f"fitted to the training points, scored on {len(test.x)} others"
    # Scored on the training points, each point would be its own nearest neighbour.
    order = torch.randperm(len(train.x), generator=task.generator()).numpy()
    half = len(order) // 2
    parts = train.subset(order[:half]), train.subset(order[half:])
    return *parts, "fitted to one half of the training points, scored on the other"


def _embedding(task: _Task, train: Dataset, test: Dataset, words: str) -> dict[str, Any]:
    found = embedding_measures(task.trained, train, test, generator=task.generator())
    print_figures(f"Embedding, {words}", found)
    return {**found, "note": words}


# Generation


def _feature_network(task: _Task) -> FeatureNetwork:
    if not learns_density(task.run.settings()):
        raise RunError(
            f"{task.run.path}: was trained without GEN, so it has no density to draw samples from: "
            "--measure generation needs a model with weights.gen above 0"
        )
    if task.dataset.image_shape is None:
        raise DataError(
            f"{task.dataset.name}: --measure generation compares images, but these data are vectors"
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
    known = "whose accuracy on these images is unknown"
    if network.accuracy is not None:
        known = f"which classifies {network.accuracy:.1%} of these images correctly"
    print_figures(
        f"Generation: {n} samples after {n_steps} rounds each, compared with {n} images by the "
        f"features of {network.name}, {known}",
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
    others = named_sets(
        task.options.against or [],
        lambda path: task.run.other_data(path, skip_bad=task.options.skip_bad),
    )
    n = task.options.n_samples or _POINTS
    outliers = outlier_sets(task.dataset, others, n=n, generator=task.generator())
    if not outliers:
        raise DataError(
            f"{task.dataset.name} is not a set of images from which outliers could be made: give "
            "sets of outliers with --against"
        )
    return outliers


def _detection(task: _Task, outliers: dict[str, Values]) -> dict[str, Any]:
    test = some_of(task.dataset, task.options.n_samples or _POINTS, task.generator())
    found = detection_measures(task.trained, test, outliers)
    words = f"Out of distribution: {len(test.x)} points against sets of at most that size"
    if not learns_density(task.run.settings()):
        words += (
            "; without GEN, the model was not trained to estimate log density and approximate mass"
        )
    print_detection(words, found)
    return found
