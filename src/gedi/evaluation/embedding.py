"""How well known labels can be predicted from an embedding; labels are never used to train it.

Both scores fit a simple classifier to the embeddings of labelled points and apply it to other
points. Nearest neighbours measure whether the points of a class are close to each other, and the
linear probe measures whether hyperplanes separate the classes.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Generator

__all__ = ["knn_accuracy", "linear_probe_accuracy"]

Embedding = NDArray[np.floating]
Labels = NDArray[np.integer]

_MOST_ITERATIONS = 1000


def knn_accuracy(
    train_embedding: Embedding,
    train_labels: Labels,
    embedding: Embedding,
    labels: Labels,
    k: int = 20,
) -> float:
    """The share of points whose class is the most frequent among their k nearest neighbours.

    Neighbours have the largest cosine u·v / (|u| |v|); ties between classes are resolved in favour
    of the lowest code.

    Args:
        train_embedding: embeddings of the neighbours, (m, e).
        train_labels: their classes, (m,).
        embedding: embeddings of the points that are scored, (n, e).
        labels: their classes, (n,).
        k: the number of neighbours, from 1 to m.

    Raises:
        ValueError: if shapes do not match, there are no rows, values are not finite, or k is out of
            range.
    """
    _check(train_embedding, train_labels, embedding, labels)
    if not 1 <= k <= len(train_embedding):
        raise ValueError(
            f"expected k from 1 to {len(train_embedding)}, the number of neighbours, got {k}"
        )
    neighbours = KNeighborsClassifier(n_neighbors=k, metric="cosine", algorithm="brute")
    neighbours.fit(train_embedding, train_labels)
    return float(neighbours.score(embedding, labels))


def linear_probe_accuracy(
    train_embedding: Embedding,
    train_labels: Labels,
    embedding: Embedding,
    labels: Labels,
    *,
    most_points: int = 10_000,
    generator: Generator,
) -> float:
    """The accuracy of a logistic regression on standardised features of the embedding.

    Args:
        train_embedding: embeddings to which the regression is fitted, (m, e).
        train_labels: their classes, (m,).
        embedding: embeddings of the points that are scored, (n, e).
        labels: their classes, (n,).
        most_points: the largest number of points in the fit, drawn without replacement.
        generator: draws these points.

    Raises:
        ValueError: if shapes do not match, there are no rows, values are not finite, or the points
            in the fit have fewer than two classes.
    """
    _check(train_embedding, train_labels, embedding, labels)
    if len(train_embedding) > most_points:
        order = torch.randperm(len(train_embedding), generator=generator, device=generator.device)
        kept = order[:most_points].cpu().numpy()
        train_embedding, train_labels = train_embedding[kept], train_labels[kept]
    n_classes = len(np.unique(train_labels))
    if n_classes < 2:
        raise ValueError(f"expected at least 2 classes to fit the probe to, got {n_classes}")
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_MOST_ITERATIONS))
    probe.fit(train_embedding, train_labels)
    return float(probe.score(embedding, labels))


def _check(
    train_embedding: Embedding, train_labels: Labels, embedding: Embedding, labels: Labels
) -> None:
    pairs = (("train ", train_embedding, train_labels), ("", embedding, labels))
    for name, points, classes in pairs:
        shapes = np.shape(points), np.shape(classes)
        if len(shapes[0]) != 2 or shapes[1] != shapes[0][:1]:
            raise ValueError(
                f"expected {name}embedding (n, e) and {name}labels (n,), "
                f"got {shapes[0]} and {shapes[1]}"
            )
        if shapes[0][0] == 0:
            raise ValueError(f"expected at least 1 row in the {name}embedding, got 0")
        if not np.isfinite(points).all():
            raise ValueError(
                f"expected finite values in the {name}embedding, got NaN or infinite ones"
            )
    if train_embedding.shape[1] != embedding.shape[1]:
        raise ValueError(
            f"expected embeddings of the same width, got {train_embedding.shape[1]} and "
            f"{embedding.shape[1]}"
        )
