"""The content of a report as plain values, and how it follows from a finished training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gedi import phrases
from gedi.data.dataset import Dataset
from gedi.data.inverse import date_places
from gedi.deadline import Deadline
from gedi.evaluation.clustering import confusion, match
from gedi.evaluation.cohesion import Cohesion
from gedi.evaluation.measures import Detection
from gedi.evaluation.reasons import reasons
from gedi.report.findings import Findings
from gedi.report.point_map import MapPoints, map_points
from gedi.settings import method_name
from gedi.training.numbering import describe
from gedi.training.restarts import choice_in_words
from gedi.training.session import Fit
from gedi.training.threads import bounded_threads
from gedi.training.trained import Prediction, TrainedModel, confidence

__all__ = ["ENDINGS", "Floats", "Integers", "ReportContent", "report_content"]

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


class Unusual(NamedTuple):
    """The least typical of m rows.

    Attributes:
        rows: their places, (k,).
        numbers: their numbers in the data, which differ from the places in a sample, (k,).
        scores: outlier scores in nats, (k,).
        p_values: shares of rows that are at least as unusual, (k,).
        confidence: how sure the cluster is, see `gedi.GEDI.predict_confidence`, (k,).
        reasons: for each, the columns that make it unusual, and why; empty for features of texts
            and photographs, whose columns mean nothing.
        n_compared: m.
    """

    rows: Integers
    numbers: Integers
    scores: Floats
    p_values: Floats
    confidence: Floats
    reasons: list[list[tuple[str, str]]]
    n_compared: int


@dataclass(frozen=True, eq=False)
class ReportContent:
    """The content of a report as plain values.

    Args:
        title: heading of the page.
        dataset: name of the data.
        n_points: number of points, n.
        n_features: number of features of a point, d.
        n_clusters: number of clusters, c.
        method: "GEDI", "GEDI no gen" or "JEM".
        stopped: why the training ended, in words.
        seconds: duration of the training.
        iterations: iterations trained.
        history: metrics over the column `iteration`: any of gen, inv, prior, bound, gap,
            energy_data, energy_samples, acceptance, step_size and learning_rate.
        collapse_gap: the gap on a fixed set with fixed views, in nats.
        cohesion: how often neighbours share a cluster; None but for vectors of many features.
        metrics: values by name, shown in this order; may be empty.
        cluster_sizes: points in each cluster, shape (c,).
        prior: share of each cluster under the prior, shape (c,).
        restarts: one mapping for each restart; the key `chosen` marks the one that was kept.
        choice: which of them was kept, and why, as a sentence.
        interventions: what the guard against divergence did, one sentence each.
        confusion: counts (classes, clusters), columns matched to the diagonal, and class names.
        energies: energies in nats of the sets `data`, `samples` and `noise`, each shape (n,).
        x: the data in the user's units, shape (n, d).
        clusters: cluster of each point, shape (n,).
        confidence: probability of that cluster, shape (n,).
        log_density: log-density of each point in nats, shape (n,).
        samples: generated points, shape (m, d); m may be zero.
        sample_clusters: cluster of each sample, shape (m,).
        image_shape: (channels, height, width) where points are images.
        value_range: (lowest, highest) value of a pixel; by default the data's own range.
        feature_names: one name for each feature; may be empty for images.
        dates: the features that are days since 1970-01-01, and the names of their columns.
        shown: the features whose values say something, which axes of texts do not; None for all.
        log_density_function: points (m, 2) -> nats (m,), for two-dimensional data.
        posterior_function: points (m, 2) -> probabilities (m, c), for two-dimensional data.
        low: lower corner of the box to draw, shape (2,); by default around data and samples.
        high: upper corner of the box to draw, shape (2,).
        settings: the settings of the run, nested.
        next_steps: command lines.
        confusion_clusters: cluster numbers of the columns of the confusion, in order.
        outliers: for images, scores of some of them and of foils.
        unusual: the least typical rows; None without an outlier energy.
        named: whether a rule gave the clusters their meanings, as symbols.
        cluster_names: one name for each cluster, such as the value of its symbol; if empty,
            clusters are shown by number.
        ended: what ended the training; see `gedi.evaluation.symptoms.Signs`.
        max_iter: number of iterations that were asked for; None if that is not known.
        over_base: see `gedi.evaluation.symptoms.Signs`.
        apart: see `gedi.evaluation.symptoms.Signs`.
        number: how the number of clusters was found; None if it was given.
        agreement: see `gedi.training.session.Fit`.
        drift: for an update, sentences on how the new rows differ; see `gedi.evaluation.drift`.
        walk: for images, positions of k chains from noise to samples, shape (k, positions, d), of
            which the last is denoised.
        walk_rounds: the number of rounds of moves before each position but the last.
        reading: how the data were read, and what was done with the columns of a table.
        titles: for features of texts or photographs, the text or the name of the file of each row,
            (n,); empty for all other data.
        pictures: for features of photographs, small copies of them, bytes (n, 3, H, W).
        words: for texts, the words typical of each cluster, (c,).
        runner_up: the second most probable cluster of each point, (n,).
        on_map: the points on a map.
        brief: whether charts and the map are left out for lack of time.
    """

    title: str
    dataset: str
    n_points: int
    n_features: int
    n_clusters: int
    method: str
    stopped: str
    seconds: float
    iterations: int
    history: pd.DataFrame
    collapse_gap: float
    cohesion: Cohesion | None
    metrics: Mapping[str, float]
    cluster_sizes: Integers
    prior: Floats
    restarts: Sequence[Mapping[str, object]]
    choice: str
    interventions: Sequence[str]
    confusion: tuple[Integers, Sequence[str]] | None
    energies: Mapping[str, Floats]
    x: Floats
    clusters: Integers
    confidence: Floats
    log_density: Floats
    samples: Floats
    sample_clusters: Integers
    image_shape: tuple[int, int, int] | None
    value_range: tuple[float, float] | None
    feature_names: Sequence[str]
    log_density_function: Callable[[Floats], Floats] | None
    posterior_function: Callable[[Floats], Floats] | None
    low: Floats | None
    high: Floats | None
    settings: Mapping[str, object]
    next_steps: Sequence[str]
    confusion_clusters: Sequence[int] | None = None
    outliers: Detection | None = None
    unusual: Unusual | None = None
    walk: Floats | None = None
    walk_rounds: Sequence[int] = ()
    named: bool = False
    cluster_names: Sequence[str] = ()
    ended: str | None = None
    max_iter: int | None = None
    reading: Sequence[str] = ()
    dates: Mapping[int, str] = field(default_factory=dict)
    shown: Sequence[int] | None = None
    titles: Sequence[str] = ()
    pictures: NDArray[np.uint8] | None = None
    words: Sequence[Sequence[str]] = ()
    runner_up: Integers | None = None
    on_map: MapPoints | None = None
    brief: bool = False
    number: str | None = None
    agreement: float | None = None
    drift: Sequence[str] = ()
    over_base: float | None = None
    apart: float | None = None


_UNUSUAL = 10  # rows that are shown
_LONGEST = 140  # letters of a text in one of them
_UNUSUAL_IMAGES = 24
_TRIED = 256  # rows by which the time for others is estimated
_CHARTS = 5.0  # seconds that charts and the map of a large table may take
_LOOKING = 0.3  # share of the time to look for them
_COMPARED = 5_000_000  # numbers in the rows among which they are looked for

ENDINGS = {
    "max_iter": "all iterations were done",
    "max_time": "the time was up",
    "converged": "bound and gap had stopped improving",
    "interrupted": "it was interrupted",
}


@bounded_threads(0)  # the map waits at many barriers, which last long on a busy machine
def report_content(
    fit: Fit,
    findings: Findings,
    dataset: Dataset,
    next_steps: list[str],
    *,
    named: bool = False,
    values: Sequence[str] = (),
    deadline: Deadline = Deadline(),
) -> ReportContent:
    """The content of the report of a training.

    Args:
        fit: the training.
        findings: the findings of its model.
        dataset: the data that it was trained on.
        next_steps: command lines to show.
        named: whether a rule gave the clusters their meanings, so that cluster j is class j.
        values: the value of each cluster under a rule, (c,); empty if there is none.
        deadline: when it is near, unusual rows are looked for among fewer rows; when it is
            too near for charts, the report is brief.
    """
    prediction, brief = findings.prediction, deadline.left < _CHARTS
    n, n_rows, plane = len(dataset.x), dataset.n_rows, dataset.x.shape[1] == 2
    trained = fit.trained
    table, order = _confusion(dataset, prediction.clusters, trained.n_clusters, named=named)
    seen, scores = _typicality(trained, dataset, prediction, deadline.share(_LOOKING))
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
        cohesion=findings.cohesion,
        metrics=findings.metrics,
        cluster_sizes=findings.sizes,
        prior=trained.log_prior.exp().double().numpy(),
        restarts=_restarts(fit),
        choice=choice_in_words(fit.candidates, fit.chosen) if fit.candidates else "",
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
        shown=None if dataset.columns is None else dataset.columns.plain_features,
        dates={} if dataset.columns is None else date_places(dataset.columns),
        log_density_function=_log_density(trained) if plane else None,
        posterior_function=_posterior(trained) if plane else None,
        low=None if corners is None else corners[0],
        high=None if corners is None else corners[1],
        settings=asdict(fit.settings) | _numbers(fit),
        next_steps=next_steps,
        confusion_clusters=order,
        outliers=findings.outliers,
        unusual=_unusual(trained, dataset, prediction, seen, scores[seen]),
        on_map=None if brief else map_points(trained, dataset, prediction, scores),
        brief=brief,
        walk=findings.walk,
        walk_rounds=findings.walk_rounds,
        named=named,
        cluster_names=values,
        ended=fit.ended,
        max_iter=fit.settings.max_iter,
        over_base=findings.over_base,
        apart=findings.apart,
        reading=dataset.reading,
        agreement=fit.agreement,
        **_of_features(dataset, findings),
    )


def _of_features(dataset: Dataset, findings: Findings) -> dict[str, Any]:
    """What only features of texts or photographs have in a report."""
    if not dataset.are_features:
        return {}
    found = findings.prediction.probabilities
    return {
        "titles": dataset.titles,
        "pictures": dataset.pictures,
        "words": findings.words,
        "runner_up": np.argsort(-found, axis=1, kind="stable")[:, min(1, found.shape[1] - 1)],
    }


def _numbers(fit: Fit) -> dict[str, str]:
    return {} if fit.numbering is None else {"like": describe(fit.numbering)}


def _history(fit: Fit) -> pd.DataFrame:
    history = pd.DataFrame(fit.history)
    if "evidence" in history:
        history["evidence_probability"] = np.exp(history["evidence"])
    return history


def _restarts(fit: Fit) -> list[dict[str, object]]:
    """A mapping for each restart: how it started, what it was measured by, whether it was kept."""
    restarts, n = fit.settings.restarts, len(fit.candidates)
    kmeans = min(restarts.kmeans or 0, n)
    starts = ["chance"] * (n - kmeans) + ["k-means"] * kmeans
    if starts and restarts.pool:
        starts[-1] = "pool"
    rows: list[dict[str, object]] = []
    for place, (candidate, start) in enumerate(zip(fit.candidates, starts, strict=True)):
        row: dict[str, object] = {
            "start": start,
            "warm-up iterations": candidate.warmup,
            "collapse gap": candidate.gap,
        }
        if candidate.modularity is not None:
            row["modularity"] = candidate.modularity
        rows.append({**row, "chosen": place == fit.chosen})
    return rows


def _confusion(
    dataset: Dataset, clusters: NDArray[np.int64], n_clusters: int, *, named: bool
) -> tuple[tuple[NDArray[np.int64], tuple[str, ...]] | None, list[int] | None]:
    """Counts of classes against clusters, with columns in the order of the classes they match.

    If a rule named the clusters, columns keep their order: a matching would hide a wrong name.
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


def _typicality(
    trained: TrainedModel, dataset: Dataset, prediction: Prediction, deadline: Deadline
) -> tuple[Integers, Floats]:
    """Rows that are compared, (m,), and the scores of all, (n,), which are NaN for others.

    The scores are outlier scores of all rows, or of a sample of so many that it takes seconds;
    log-densities without a model of outliers.
    """
    n, d = dataset.x.shape
    if trained.outliers is None:
        return np.arange(n), prediction.log_density
    some = dataset.x[:_TRIED]
    affordable = deadline.affords(lambda: trained.outlier_scores(some), len(some))
    n_seen = int(min(n, _COMPARED // d, max(_TRIED, affordable)))
    seen = np.linspace(0, n - 1, n_seen).astype(np.int64)
    scores = np.full(n, np.nan)
    scores[seen] = trained.outlier_scores(dataset.x[seen])
    return seen, scores


def _unusual(
    trained: TrainedModel,
    dataset: Dataset,
    prediction: Prediction,
    seen: Integers,
    scores: Floats,
) -> Unusual | None:
    """The least typical of the rows that are compared, ten or 24 images, by their scores, (m,)."""
    if trained.outliers is None:
        return None
    most = _UNUSUAL if dataset.image_shape is None else _UNUSUAL_IMAGES
    least = np.argsort(scores, kind="stable")[:most]
    rows = seen[least]
    scores = scores[least]
    within = trained.outlier_p_values(scores, prediction.clusters[rows])
    return Unusual(
        rows=rows,
        numbers=rows if dataset.numbers is None else dataset.numbers[rows],
        scores=scores,
        p_values=trained.outlier_p_values(scores),
        confidence=confidence(prediction.probabilities[rows], within),
        reasons=_reasons(trained, dataset, rows),
        n_compared=len(seen),
    )


def _reasons(
    trained: TrainedModel, dataset: Dataset, rows: Integers
) -> list[list[tuple[str, str]]]:
    """Why rows of a table are unusual, after their texts if they have some; else nothing."""
    if dataset.are_features or not trained.explains_outliers:
        return []
    x = dataset.x[rows]
    names = dataset.feature_names or [f"feature {j}" for j in range(x.shape[1])]
    found = reasons(x, trained.explain_outliers(x), names, dataset.columns)
    if dataset.texts is None:
        return found
    texts = dataset.texts[rows]
    return [
        [("text", phrases.shortened(text, _LONGEST)), *own]
        for text, own in zip(texts, found, strict=True)
    ]


def _log_density(trained: TrainedModel) -> Any:
    return lambda x: trained.predict(x).log_density


def _posterior(trained: TrainedModel) -> Any:
    return lambda x: trained.predict(x).probabilities
