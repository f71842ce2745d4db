"""From a finished training to the content of its report."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gedi.data.dataset import Dataset
from gedi.evaluation.clustering import confusion, match
from gedi.findings import Findings
from gedi.report import ReportContent
from gedi.settings import method_name
from gedi.training.numbering import told
from gedi.training.session import Fit
from gedi.training.trained import TrainedModel

__all__ = ["ENDINGS", "report_content"]

ENDINGS = {
    "max_iter": "all iterations were done",
    "max_time": "the time was up",
    "converged": "bound and gap had stopped improving",
    "interrupted": "it was interrupted",
}


def report_content(
    fit: Fit,
    findings: Findings,
    dataset: Dataset,
    next_steps: list[str],
    *,
    named: bool = False,
    values: Sequence[str] = (),
) -> ReportContent:
    """Everything that the report of a run shows.

    Args:
        fit: the training.
        findings: what it found in the data.
        dataset: the data it was trained on.
        next_steps: command lines to show.
        named: whether a rule gave the clusters their meanings, cluster j that of class j.
        values: what each cluster stands for under a rule, (c,); empty where there is none.
    """
    prediction = findings.prediction
    n, n_rows, plane = len(dataset.x), dataset.n_rows, dataset.x.shape[1] == 2
    trained = fit.trained
    table, order = _confusion(dataset, prediction.clusters, trained.n_clusters, named=named)
    by_chance = len(fit.candidates) - (fit.settings.restarts.kmeans or 0)
    corners = trained.scaling.inverse(torch.stack(trained.box)) if plane else None
    return ReportContent(
        title=f"GEDI on {dataset.name}",
        dataset=dataset.name if n == n_rows else f"{dataset.name}, a sample of its {n_rows:,} rows",
        n_points=n,
        n_features=dataset.x.shape[1],
        n_clusters=trained.n_clusters,
        method=method_name(fit.settings),
        stopped=ENDINGS[fit.ended],
        seconds=fit.seconds,
        iterations=fit.iterations,
        history=_history(fit),
        collapse_gap=findings.collapse_gap,
        metrics=findings.metrics,
        cluster_sizes=findings.sizes,
        prior=trained.log_prior.exp().double().numpy(),
        restarts=[
            {
                "start": "k-means" if place >= by_chance else "chance",
                "warm-up iterations": candidate.warmup,
                "collapse gap": candidate.gap,
                "chosen": place == fit.chosen,
            }
            for place, candidate in enumerate(fit.candidates)
        ],
        interventions=[str(intervention) for intervention in fit.interventions],
        confusion=table,
        energies=findings.energies,
        x=dataset.x,
        clusters=prediction.clusters,
        confidence=prediction.probabilities.max(-1),
        log_density=prediction.log_density,
        samples=findings.samples,
        sample_clusters=findings.sample_clusters,
        image_shape=dataset.image_shape,
        value_range=dataset.value_range,
        feature_names=dataset.feature_names,
        log_density_function=_log_density(trained) if plane else None,
        posterior_function=_posterior(trained) if plane else None,
        low=None if corners is None else corners[0],
        high=None if corners is None else corners[1],
        settings=asdict(fit.settings) | _numbers(fit),
        next_steps=next_steps,
        confusion_clusters=order,
        outliers=findings.outliers,
        walk=findings.walk,
        walk_rounds=findings.walk_rounds,
        named=named,
        cluster_names=values,
    )


def _numbers(fit: Fit) -> dict[str, str]:
    return {} if fit.numbering is None else {"like": told(fit.numbering)}


def _history(fit: Fit) -> pd.DataFrame:
    history = pd.DataFrame(fit.history)
    if "evidence" in history:
        history["evidence_probability"] = np.exp(history["evidence"])
    return history


def _confusion(
    dataset: Dataset, clusters: NDArray[np.int64], n_clusters: int, *, named: bool
) -> tuple[tuple[NDArray[np.int64], tuple[str, ...]] | None, list[int] | None]:
    """Counts of classes against clusters, columns in the order of the classes they match.

    Where they have names of their own, in their own order: a matching would hide a wrong one.
    """
    if dataset.labels is None:
        return None, None
    counts = confusion(dataset.labels, clusters, len(dataset.class_names), n_clusters)
    if named:
        return (counts, dataset.class_names), list(range(n_clusters))
    matched = match(dataset.labels, clusters)
    matched = np.pad(matched, (0, n_clusters - len(matched)), constant_values=-1)
    order = np.argsort(np.where(matched < 0, len(dataset.class_names), matched), kind="stable")
    return (counts[:, order], dataset.class_names), order.tolist()


def _log_density(trained: TrainedModel) -> Any:
    return lambda x: trained.predict(x).log_density


def _posterior(trained: TrainedModel) -> Any:
    return lambda x: trained.predict(x).probabilities
