"""Measures of a trained model on data: of its clusters, embedding, samples and outlier scores.

Data are in the user's units. Labels are compared with, never trained on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from gedi.data.dataset import Dataset, Values
from gedi.errors import DataError, GediError, SettingsError
from gedi.evaluation.clustering import agreement
from gedi.evaluation.embedding import knn_accuracy, linear_probe_accuracy
from gedi.evaluation.generation import generation_report
from gedi.evaluation.out_of_distribution import (
    Scored,
    confidence_score,
    detection,
    gradient_score,
    image_foils,
    log_density_score,
)
from gedi.settings import SamplerSettings, ViewSettings
from gedi.training.monitor import Monitor
from gedi.training.plan import plan_views
from gedi.training.trained import TrainedModel
from gedi.views.build import build_views, together

__all__ = [
    "SCORES",
    "Detection",
    "Scores",
    "as_bytes",
    "clustering_measures",
    "compare_scores",
    "detection_measures",
    "detection_scores",
    "embedding_measures",
    "generation_measures",
    "named_sets",
    "outlier_sets",
    "some_of",
    "usual_gap",
]

Scores = Mapping[str, NDArray[np.float64]]
"""Scores (n,) by name; they are higher for points that are more typical of the data."""

_MOST = 10_000
_GAP_SEED = 0
_NEIGHBOURS = 20
_LEAST_IMAGES = 4  # on each side, for precision and recall with the third neighbour
_PART = 500  # samples at a time, so that memory does not grow with their number


# Clusters and embedding


def clustering_measures(trained: TrainedModel, test: Dataset) -> dict[str, float]:
    """Agreement of the clusters with known classes: "NMI", "ARI" and "accuracy".

    Raises:
        DataError: for points without labels, or that do not fit the model.
    """
    labels = _labels_of(test)
    return agreement(labels, trained.clusters(test.x))


@torch.no_grad()
def usual_gap(trained: TrainedModel, x: Values, image_shape: tuple[int, int, int] | None) -> float:
    """The collapse gap in nats, on up to 10,000 points under the default views.

    The views are the same whatever those of the training were; otherwise a comparison would favour
    the weakest views.

    Args:
        trained: the model.
        x: points in the user's units, (n, d); n of them leave a gap of about (c - 1) / 2n.
        image_shape: (C, H, W) if the points are images.
    """
    z = trained.scaling(x)
    z = z[torch.randperm(len(z), generator=Generator().manual_seed(_GAP_SEED))]
    usual = plan_views(ViewSettings(), image_shape)
    n_anchors = SamplerSettings().n_anchors
    view = together(build_views(usual, z, image_shape, trained.scaling, n_anchors=n_anchors))
    monitor = Monitor(z[:_MOST], view, _GAP_SEED)
    _, measured = monitor.measure(trained.model, trained.chains, trained.log_prior)
    return float(measured["gap"])


def embedding_measures(
    trained: TrainedModel,
    train: Dataset,
    test: Dataset,
    *,
    n_train: int = _MOST,
    generator: Generator,
) -> dict[str, float]:
    """How well classes are predicted from the embedding: "knn accuracy", "linear probe accuracy".

    Classes are matched by name, as two files may number them differently.

    Args:
        trained: the model.
        train: labelled points on whose embeddings the classifiers are fitted.
        test: other labelled points, on which the classifiers are scored.
        n_train: the largest number of training points; they are drawn without replacement.
        generator: draws them.

    Raises:
        DataError: for points without labels or that do not fit the model, or fewer than two
            classes among the training points.
    """
    known, labels = some_of(train, n_train, generator), _labels_of(test)
    known_labels = _labels_of(known)
    if len(np.unique(known_labels)) < 2:
        raise DataError(f"{train.name}: expected labels of at least 2 classes to learn from, got 1")
    # A class that the training points lack gets a code that no classifier can predict.
    codes = {name: code for code, name in enumerate(train.class_names)}
    renamed = [codes.get(name, len(codes) + i) for i, name in enumerate(test.class_names)]
    labels = np.array(renamed, dtype=np.int64)[labels]
    embedded, scored = trained.embed(known.x), trained.embed(test.x)
    k = min(_NEIGHBOURS, len(embedded))
    return {
        "knn accuracy": knn_accuracy(embedded, known_labels, scored, labels, k),
        "linear probe accuracy": linear_probe_accuracy(
            embedded, known_labels, scored, labels, generator=generator
        ),
    }


def _labels_of(dataset: Dataset) -> NDArray[np.int64]:
    if dataset.labels is None:
        raise DataError(
            f"{dataset.name}: expected labels to compare with, got none: use data with labels"
        )
    return dataset.labels


# Samples


def generation_measures(
    trained: TrainedModel,
    real: Dataset,
    feature_net: nn.Module,
    *,
    n: int = _MOST,
    n_steps: int = 100,
    generator: Generator,
) -> dict[str, float]:
    """How close samples of p(x) are to real images: "FID", "KID", "precision" and "recall".

    Both sides have the same number of images, rounded to 256 levels (see `as_bytes`): otherwise a
    network could recognise samples by values between the levels. Distances are comparable only for
    the same feature network and the same number of images. Chains start where those of the training
    ended, so with few steps, samples beyond their number resemble each other and recall suffers.

    Args:
        trained: a model that has learned a density; see `gedi.settings.learns_density`.
        real: images that samples should resemble, preferably ones that were not trained on.
        feature_net: maps images (n, C·H·W) of bytes to features, as
            `gedi.evaluation.features.FeatureNet` does.
        n: the largest number of images on each side.
        n_steps: rounds of the sampler's moves for each sample.
        generator: draws images, samples, and subsets for KID.

    Raises:
        DataError: if the real points are not images, or fewer than 4.
        GediError: if samples are not finite, or torchmetrics is not installed.
    """
    if real.image_shape is None or real.value_range is None:
        raise DataError(f"{real.name}: expected images to compare samples with, got vectors")
    images = some_of(real, n, generator)
    if len(images.x) < _LEAST_IMAGES:
        raise DataError(
            f"{real.name}: expected at least {_LEAST_IMAGES} images to compare samples with, "
            f"got {len(images.x)}"
        )
    parts = [
        as_bytes(
            trained.sample(min(_PART, len(images.x) - start), generator=generator, n_steps=n_steps)[
                0
            ],
            real.value_range,
        )
        for start in range(0, len(images.x), _PART)
    ]
    return generation_report(
        as_bytes(images.x, real.value_range), torch.cat(parts), feature_net, generator
    )


def as_bytes(x: Values, value_range: tuple[float, float]) -> Tensor:
    """Images (n, d) with their range of values mapped to 0 to 255, as uint8.

    Bytes stay as they are; values out of range are clipped.

    Raises:
        GediError: for values that are not finite.
    """
    if x.dtype == np.uint8 and value_range == (0.0, 255.0):
        return torch.from_numpy(np.require(x, requirements="W"))
    if not np.isfinite(x).all():
        raise GediError("expected images, got values that are not finite: the training diverged")
    low, high = value_range
    levels = np.rint(255 * (np.clip(x, low, high) - low) / ((high - low) or 1.0))
    return torch.from_numpy(levels.astype(np.uint8))


# Outliers


@dataclass(frozen=True)
class Detection:
    """Scores of data and of outliers, and how well the scores separate them.

    Args:
        scores: score -> set -> its values, (n,); the first set is the data.
        figures: score -> set of outliers -> "AUROC", "AUPR" and "FPR95".
    """

    scores: Mapping[str, Mapping[str, NDArray[np.float64]]]
    figures: Mapping[str, Mapping[str, Mapping[str, float]]]


class _Ranked:
    """The model in float32, with a posterior in float64.

    The error of energies in float32 is about a millionth, too little to reorder sets of points, and
    with convolutions they take a sixth of the time. A confidence in float32 would be 1 for most
    points of a good clustering, and ties cannot be ranked.
    """

    def __init__(self, trained: TrainedModel) -> None:
        self.model = trained.model

    def energy(self, x: Tensor) -> Tensor:
        return self.model.energy(x)

    def posterior(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits.double().softmax(-1)


OUTLIER = "outlier score"
SCORES: Mapping[str, Callable[[Scored, Tensor], Tensor]] = {
    "log density": log_density_score,
    "confidence": confidence_score,
    "approximate mass": gradient_score,
}


def detection_scores(trained: TrainedModel, x: Values) -> dict[str, NDArray[np.float64]]:
    """The scores of `SCORES` for points (n, d) in the user's units, (n,) each.

    They are in the scaled units of the network: the log density in nats up to a constant, the
    approximate mass in nats per unit. A model with an outlier energy has an "outlier score", too.
    """
    z, model = trained.scaling(x), _Ranked(trained)
    found = {name: score(model, z).double().numpy() for name, score in SCORES.items()}
    return found if trained.outliers is None else found | {OUTLIER: trained.outlier_scores(x)}


def compare_scores(
    inliers: Scores, outliers: Mapping[str, Scores]
) -> dict[str, dict[str, dict[str, float]]]:
    """How well each score detects each set of outliers: score -> set -> AUROC, AUPR and FPR95.

    Raises:
        GediError: for scores that are NaN.
    """
    for name, scores in (("the data", inliers), *outliers.items()):
        if any(np.isnan(values).any() for values in scores.values()):
            raise GediError(f"expected numbers as scores of {name}, got NaN: the training diverged")
    return {
        score: {
            name: detection(torch.from_numpy(inside), torch.from_numpy(scores[score]))
            for name, scores in outliers.items()
        }
        for score, inside in inliers.items()
    }


def detection_measures(
    trained: TrainedModel, test: Dataset, outliers: Mapping[str, Values]
) -> dict[str, dict[str, dict[str, float]]]:
    """How well outliers are detected: score -> set of outliers -> AUROC, AUPR and FPR95.

    Args:
        trained: the model; without GEN, its log density and approximate mass mean little.
        test: points like the data, preferably ones that were not trained on.
        outliers: points (m, d) in the user's units by name, as `outlier_sets` makes them.

    Raises:
        GediError: for scores that are NaN.
    """
    return compare_scores(
        detection_scores(trained, test.x),
        {name: detection_scores(trained, x) for name, x in outliers.items()},
    )


def named_sets(given: Sequence[str], read: Callable[[str], Dataset]) -> dict[str, Dataset]:
    """Sets of outliers that a command was given as PATH or NAME=PATH, by their names.

    Args:
        given: paths, or names with paths.
        read: reads a path.

    Raises:
        SettingsError: if two sets have one name.
    """
    sets: dict[str, Dataset] = {}
    for text in given:
        name, equals, path = text.partition("=")
        # After a slash, the sign belongs to a path or to a name on the hub.
        named = bool(equals and name and "/" not in name)
        data = read(path if named else text)
        name = name if named else data.name
        if name in sets:
            raise SettingsError(f"--against: two sets are called {name!r}: name them, as NAME=PATH")
        sets[name] = data
    return sets


def outlier_sets(
    test: Dataset,
    others: Mapping[str, Dataset] | None = None,
    *,
    n: int = _MOST,
    generator: Generator,
) -> dict[str, Values]:
    """Foils made from images, and further sets of the user; at most n points each.

    If the images are bytes, the foils are rounded to bytes too; otherwise values between them would
    give the foils away. No foils are made from tables, because shuffling or inverting would mix
    columns of different units.

    Args:
        test: points like the data.
        others: further sets by name, with points of the same shape.
        n: the largest number of points of each set; they are drawn without replacement.
        generator: draws them.

    Raises:
        DataError: for a set of another shape or kind of values, or with the name of a foil.
    """
    made: dict[str, Values] = {}
    if test.image_shape is not None:
        x = torch.from_numpy(np.require(some_of(test, n, generator).x, requirements="W"))
        floats = x if x.is_floating_point() else x.float()
        for name, foil in image_foils(floats, test.image_shape, generator).items():
            made[name] = (foil if x.is_floating_point() else foil.round().to(x.dtype)).numpy()
    for name, other in (others or {}).items():
        if name in made:
            raise DataError(
                f"outliers {name!r}: expected another name, because foils have this name: rename "
                "the set"
            )
        _check_alike(test, other, name)
        made[name] = some_of(other, n, generator).x
    return made


def some_of(dataset: Dataset, n: int, generator: Generator) -> Dataset:
    """At most n of the points, drawn without replacement; the set itself if it has no more."""
    if len(dataset.x) <= n:
        return dataset
    order = torch.randperm(len(dataset.x), generator=generator, device=generator.device)
    return dataset.subset(order[:n].cpu().numpy())


def _check_alike(test: Dataset, other: Dataset, name: str) -> None:
    if test.image_shape != other.image_shape:
        raise DataError(
            f"outliers {name!r}: expected {_shape_words(test)}, got {_shape_words(other)}: convert "
            "and resize them first"
        )
    if test.x.shape[1] != other.x.shape[1]:
        raise DataError(
            f"outliers {name!r}: expected {test.x.shape[1]} features, got {other.x.shape[1]}"
        )
    if (test.x.dtype == np.uint8) != (other.x.dtype == np.uint8):
        ranges = " and ".join(str(data.value_range) for data in (test, other))
        raise DataError(
            f"outliers {name!r}: expected values of the type and range of the data, got the ranges "
            f"{ranges}, of which only one is of bytes: save both in the same way"
        )


def _shape_words(dataset: Dataset) -> str:
    if dataset.image_shape is None:
        return "vectors"
    channels, height, width = dataset.image_shape
    kind = {1: "grey images", 3: "colour images"}.get(channels, f"images of {channels} channels")
    return f"{kind} of {width} x {height} pixels"
