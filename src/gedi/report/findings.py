"""The findings of a trained model in data: clusters, density and samples, with measures."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import ks_2samp
from torch import Generator, Tensor

from gedi.data import toy
from gedi.data.dataset import Dataset, Values
from gedi.data.points import affordable
from gedi.deadline import Deadline
from gedi.evaluation.clustering import agreement, cluster_sizes, symbol_accuracy
from gedi.evaluation.cohesion import Cohesion, cohesion
from gedi.evaluation.measures import (
    Detection,
    compare_scores,
    detection_scores,
    outlier_sets,
    some_of,
)
from gedi.evaluation.outliers import auroc, foils
from gedi.evaluation.trajectories import trajectories_from_noise
from gedi.evaluation.words import typical_words
from gedi.evidence.groups import Groups, likeliest_outcomes, outcome_log_probabilities
from gedi.model import LinearClassifier, SamplesDirectly
from gedi.model.kinds import is_convolutional, is_plugged
from gedi.settings import CompleteSettings, learns_density
from gedi.training.monitor import Monitor
from gedi.training.trained import Prediction, TrainedModel
from gedi.views.build import build_views, together

__all__ = ["Findings", "find", "rows_in_time", "sampling_rounds"]

_SAMPLES = 512
_COSTLY_SAMPLES = 100  # of convolutional networks and plug-ins, which may be slow
_SAMPLING = 0.3  # share of the time for samples
_LANGEVIN_STEPS = 400  # from the last chains of the training to a sample
_POINTS, _FEWER_POINTS = 10_000, 2000  # for the collapse gap and the foils, and in a hurry
_HURRY = 3.0  # seconds that are left
_PREDICTING = 0.5  # share of the time for predictions
_PREDICTING_IMAGES = 0.15  # whose views and foils take several times as long
_FEWEST_ROWS, _FEWEST_IMAGES = 5000, 200  # with predictions, if there is no time for more
_TRIED = 256  # rows by which the time for others is estimated
_NEIGHBOURED = 5000  # points among which neighbours are looked for
_PART = 500
_SCORED, _FEWEST_SCORED = 300, 50  # images, and foils of each kind, with scores
_SCORING, _SETS = 0.3, 7  # share of the time for these scores, and the number of kinds
_TRIED_IMAGES = 16  # images by which the time for others is estimated
_COMPARED = 100  # columns of samples and data
_BY_CHANCE = 1.63  # distance of a column at a level of 1 %, times the root of the sample size
_WALKERS = 8
_GROUPS = 2_000  # with predicted outcomes
_OUTCOMES = 200  # of a rule; more take long to compare
_WALK = (0.0, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)  # shares of the rounds of a sample


@dataclass(frozen=True)
class Findings:
    """The findings of a trained model.

    Attributes:
        prediction: clusters and scores of the data.
        sizes: number of points in each cluster, (c,).
        collapse_gap: in nats, under fixed views.
        cohesion: how often neighbours share a cluster along the axes that the network sees; None
            unless it is a head alone.
        samples: points drawn from p(x), without the noise of the training, (m, d).
        sample_clusters: their clusters, (m,).
        energies: energies of `data` (with the noise that the training adds), `samples` and `noise`,
            in nats.
        metrics: values by name. With labels: NMI, ARI and accuracy, and if a rule named the
            clusters, `symbol accuracy`, which needs no matching. With groups: `rule accuracy` and
            `rule probability`. With a trusted log Z: the log-likelihood, and for the toy sets the
            regret. For images: the AUROC against foils.
        held_out: mean log-density of points that the network was not trained on, in nats; None
            without such points or a reliable log Z.
        over_base: mean log-density of held-out data, or of all where none are held out, minus that
            of the base alone, in nats; None without a base or a reliable log Z.
        apart: the largest distance of the distribution functions of samples and data over up to
            100 columns (Kolmogorov-Smirnov), less what chance explains; None for images, and where
            no density was learned.
        outliers: for images, scores of some of them and of foils; otherwise None.
        walk: for images with a learned density, positions of chains from noise to samples,
            (k, positions, d), of which the last is denoised; otherwise None.
        walk_rounds: the number of rounds of moves before each position but the last.
        words: for texts, the words typical of each cluster, (c,); otherwise empty.
    """

    prediction: Prediction
    sizes: NDArray[np.int64]
    collapse_gap: float
    cohesion: Cohesion | None
    samples: NDArray[np.float64]
    sample_clusters: NDArray[np.int64]
    energies: dict[str, NDArray[np.float64]]
    metrics: dict[str, float]
    held_out: float | None
    over_base: float | None
    apart: float | None
    outliers: Detection | None
    walk: NDArray[np.float64] | None
    walk_rounds: tuple[int, ...]
    words: list[list[str]] = field(default_factory=list)


def rows_in_time(trained: TrainedModel, dataset: Dataset, deadline: Deadline) -> Dataset:
    """The data set, or a sample of as many rows as can be predicted in a share of the time.

    Args:
        trained: the model.
        dataset: the data.
        deadline: when the report should be there; without one there is time for all rows.
    """
    some = dataset.x[:_TRIED]
    share, fewest = _PREDICTING, _FEWEST_ROWS
    if dataset.image_shape is not None:
        share, fewest = _PREDICTING_IMAGES, _FEWEST_IMAGES
        some = some[:_TRIED_IMAGES]
    affordable_rows = deadline.share(share).affords(lambda: trained.predict(some), len(some))
    return dataset.sample(int(min(len(dataset.x), max(fewest, affordable_rows))))


@torch.no_grad()
def find(
    trained: TrainedModel,
    dataset: Dataset,
    settings: CompleteSettings,
    *,
    named: bool = False,
    groups: Groups | None = None,
    held_out: Tensor | None = None,
    deadline: Deadline = Deadline(),
) -> Findings:
    """Measure a trained model on data; equal arguments give equal findings.

    Args:
        trained: the model.
        dataset: points, with or without labels.
        settings: settings of the training; the gap is measured under its views.
        named: whether a rule gave the clusters their meanings, so that cluster j is class j.
        groups: groups of these points that obey a rule, if there are any.
        held_out: points that the network was not trained on, scaled, (m, d), to compare its density
            with that of the base; None or none means points of `dataset`.
        deadline: when it is near, samples are drawn in fewer rounds, and fewer points are used.
    """
    generator = Generator().manual_seed(settings.seed)
    prediction = trained.predict(dataset.x)
    n, d = dataset.x.shape
    n_points = affordable(_POINTS if deadline.left > _HURRY else _FEWER_POINTS, d)
    chosen = torch.randperm(n, generator=generator)[:n_points].numpy()
    z = trained.scaling(dataset.x[chosen])
    n_anchors = settings.sampler.n_anchors
    view = together(
        build_views(settings.views, z, dataset.image_shape, trained.scaling, n_anchors=n_anchors)
    )
    monitor = Monitor(z, view, settings.seed)
    _, measured = monitor.measure(trained.model, trained.chains, trained.log_prior)
    kind = settings.encoder.kind
    costly = is_convolutional(kind) or is_plugged(kind)
    n_samples = _COSTLY_SAMPLES if costly else _SAMPLES
    n_rounds = sampling_rounds(settings)
    if deadline.is_set and not isinstance(trained.model, SamplesDirectly):
        n_rounds = min(n_rounds, _affordable_rounds(trained, n_samples, deadline.share(_SAMPLING)))
    noisy, sample_clusters = trained.sample(
        n_samples,
        generator=generator,
        n_steps=n_rounds,
        denoise=False,
    )
    samples = trained.finished(trained.scaling(noisy))
    others = foils(z, trained.box.low, trained.box.high, generator)
    outlier_energies = {name: _energies(trained, points) for name, points in others.items()}
    data_energies = torch.from_numpy(prediction.energy)
    smoothed = trained.smoothing(z, generator)
    metrics = _against_labels(dataset, prediction, named=named)
    metrics |= {} if groups is None else _under_rule(trained, dataset, groups)
    metrics |= _density(trained, dataset, prediction)
    if dataset.image_shape is not None:
        metrics |= {
            f"AUROC {name}": auroc(data_energies, energies)
            for name, energies in outlier_energies.items()
        }
    unseen = None if held_out is None or not len(held_out) else held_out
    rounds = tuple(sorted({round(share * n_rounds) for share in _WALK}))
    generates = dataset.image_shape is not None and learns_density(settings)
    return Findings(
        prediction=prediction,
        sizes=cluster_sizes(prediction.clusters, trained.n_clusters),
        collapse_gap=float(measured["gap"]),
        cohesion=_cohesion(trained, z, prediction.clusters[chosen], settings.seed),
        samples=samples,
        sample_clusters=sample_clusters,
        energies={
            # With the noise that GEN adds, so that they can be compared with samples.
            "data": _energies(trained, smoothed).double().numpy(),
            "samples": trained.predict(noisy).energy,
            "noise": outlier_energies["uniform noise"].double().numpy(),
        },
        metrics=metrics,
        held_out=None if unseen is None else _mean_log_density(trained, unseen),
        over_base=_over_base(trained, z if unseen is None else unseen),
        apart=(
            _distance(samples, dataset.x[chosen])
            if learns_density(settings) and trained.visible is not None
            else None
        ),
        outliers=None
        if dataset.image_shape is None
        else _outliers(trained, dataset, generator, deadline),
        walk=trajectories_from_noise(trained, _WALKERS, rounds, generator) if generates else None,
        walk_rounds=rounds,
        words=[]
        if dataset.texts is None
        else typical_words(dataset.texts, prediction.clusters, trained.n_clusters),
    )


def _cohesion(
    trained: TrainedModel, z: Tensor, clusters: NDArray[np.int64], seed: int
) -> Cohesion | None:
    """The cohesion of the clusters of some of the scaled points (n, d)."""
    if not isinstance(trained.model, LinearClassifier):
        return None
    some = trained.model.encoder_input(z[:_NEIGHBOURED])
    features = trained.model.encoder(some).double().numpy()
    return cohesion(features, clusters[:_NEIGHBOURED], seed)


def sampling_rounds(settings: CompleteSettings) -> int:
    """The number of rounds of the sampler's moves that amount to 400 Langevin steps."""
    return max(1, _LANGEVIN_STEPS // settings.sampler.n_steps)


def _affordable_rounds(trained: TrainedModel, n_samples: int, deadline: Deadline) -> int:
    """The rounds of moves for which there is time, at least one, by a trial of one."""

    def trial() -> None:
        trained.sample(n_samples, generator=Generator().manual_seed(0), n_steps=1)

    return 1 + int(deadline.affords(trial, 1))


def _outliers(
    trained: TrainedModel, dataset: Dataset, generator: Generator, deadline: Deadline
) -> Detection:
    """Scores of some images and of foils made from them, fewer if there is no time for more."""
    tried = dataset.x[:_TRIED_IMAGES]
    time_for_all = deadline.share(_SCORING)
    affordable_images = time_for_all.affords(lambda: detection_scores(trained, tried), len(tried))
    n = max(_FEWEST_SCORED, min(_SCORED, affordable_images / _SETS))
    some = some_of(dataset, int(n), generator)
    inliers = detection_scores(trained, some.x)
    foiled = {
        name: detection_scores(trained, x)
        for name, x in outlier_sets(some, generator=generator).items()
    }
    sets = {"data": inliers} | foiled
    return Detection(
        {score: {name: found[score] for name, found in sets.items()} for score in inliers},
        compare_scores(inliers, foiled),
    )


def _mean_log_density(trained: TrainedModel, z: Tensor) -> float | None:
    """Mean log p(x) of scaled points (n, d), in nats, in the user's units."""
    normalizer = trained.normalizer
    if normalizer is None or not normalizer.trusted:
        return None
    mean = float(_energies(trained, z).double().mean())
    return trained.scaling.log_det - normalizer.value - mean


def _over_base(trained: TrainedModel, z: Tensor) -> float | None:
    """Mean log p(z) - b(z) of scaled points (n, d), in nats."""
    base, normalizer = trained.model.base, trained.normalizer
    if base is None or normalizer is None or not normalizer.trusted:
        return None
    alone = torch.cat([base(part) for part in torch.split(z, _PART)]).double()
    return float((-_energies(trained, z) - alone).mean()) - normalizer.value


def _distance(samples: NDArray[np.float64], x: Values) -> float:
    """How far the distribution functions of points (m, d) and (n, d) differ beyond chance."""
    columns = range(0, x.shape[1], math.ceil(x.shape[1] / _COMPARED))
    chance = _BY_CHANCE * math.sqrt(1 / len(samples) + 1 / len(x))
    apart = max(
        float(ks_2samp(samples[:, j], x[:, j].astype(np.float64), method="asymp").statistic)
        for j in columns
    )
    return max(0.0, apart - chance)


def _energies(trained: TrainedModel, z: Tensor) -> Tensor:
    """Energies of scaled points (n, d), computed in parts, (n,)."""
    return torch.cat([trained.model.energy(part) for part in torch.split(z, _PART)])


def _against_labels(dataset: Dataset, prediction: Prediction, *, named: bool) -> dict[str, float]:
    if dataset.labels is None:
        return {}
    found = agreement(dataset.labels, prediction.clusters)
    if named:
        found["symbol accuracy"] = symbol_accuracy(dataset.labels, prediction.clusters)
    return found


def _under_rule(trained: TrainedModel, dataset: Dataset, groups: Groups) -> dict[str, float]:
    """The probability of the observed outcomes, and how often they are the likeliest ones."""
    rule, rows, codes = groups.rule, groups.rows[:_GROUPS].cpu(), groups.codes[:_GROUPS].cpu()
    logits = trained.logits(dataset.x[rows.numpy().ravel()])
    found = {"rule probability": float(outcome_log_probabilities(rule, logits, codes).mean().exp())}
    if 1 < len(rule.outcomes) <= _OUTCOMES:
        right = likeliest_outcomes(rule, logits).codes == codes
        found = {"rule accuracy": float(right.double().mean()), **found}
    return found


def _density(trained: TrainedModel, dataset: Dataset, prediction: Prediction) -> dict[str, float]:
    if trained.normalizer is None or not trained.normalizer.trusted:
        return {}
    likelihood = {"log-likelihood": float(prediction.log_density.mean())}
    if dataset.name not in ("moons", "circles"):
        return likelihood
    true = toy.log_density(dataset.name, dataset.x)
    return likelihood | {"regret": float((true - prediction.log_density).mean())}
