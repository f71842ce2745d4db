"""How much an embedding tells of known labels; labels are never used for its training.

Both scores fit a simple classifier to the embeddings of labelled points and apply it to others:
neighbours see whether classes lie together, the linear probe whether planes part them.
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
    """Share of points whose class is the most frequent one among their k nearest neighbours.

    Nearness is the cosine u·v / (|u| |v|); of classes that are equally frequent, the lowest wins.

    Args:
        train_embedding: embeddings (m, e) of the neighbours.
        train_labels: their classes (m,).
        embedding: embeddings (n, e) of the points that are scored.
        labels: their classes (n,).
        k: number of neighbours, from 1 to m.

    Raises:
        ValueError: shapes that do not fit, no rows, values that are not finite, or a k that is
            out of range.
    """
    _check(train_embedding, train_labels, embedding, labels)
    if not 1 <= k <= len(train_embedding):
        raise ValueError(f"expected k from 1 to {len(train_embedding)}, the neighbours, got {k}")
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
    """Share of points that a logistic regression on standardised features puts in their class.

    Args:
        train_embedding: embeddings (m, e) it is fitted to.
        train_labels: their classes (m,).
        embedding: embeddings (n, e) of the points that are scored.
        labels: their classes (n,).
        most_points: it is fitted to so many of the m at most, drawn without replacement.
        generator: draws them.

    Raises:
        ValueError: shapes that do not fit, no rows, values that are not finite, or fewer than two
            classes among the points it is fitted to.
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
            raise ValueError(f"the {name}embedding has values that are not finite")
    if train_embedding.shape[1] != embedding.shape[1]:
        raise ValueError(
            f"expected embeddings of one width, got {train_embedding.shape[1]} and "
            f"{embedding.shape[1]}"
        )
