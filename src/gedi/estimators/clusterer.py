"""`GEDI`: clusters, density, outliers and samples of unlabelled data."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClusterMixin
from sklearn.utils.validation import check_is_fitted

from gedi.data.dataset import Dataset
from gedi.estimators.base import BaseGEDI
from gedi.estimators.frames import as_points
from gedi.estimators.inputs import (
    image_shape_of,
    kept_pairs,
    pairs_of,
    reference_of,
    seed_of,
    texts_of,
    weights_of,
)
from gedi.evaluation.words import typical_words
from gedi.settings import learns_density
from gedi.training.custom import Custom
from gedi.training.earlier import holds_run, recall_run
from gedi.training.numbering import Reference, recall
from gedi.training.session import Fit

__all__ = ["GEDI"]


@dataclass(eq=False, repr=False)
class GEDI(ClusterMixin, BaseGEDI):  # type: ignore[misc]
    """Clusters, density and samples from one network that is trained without labels.

        w_gen GEN + w_inv INV + w_prior PRIOR   (Sansone & Manhaeve, TMLR 2025)

    with p(y|x) = softmax f(x) and log p(x) = logsumexp f(x) - log Z. Points are scaled internally.

    Args:
        n_clusters: the number of clusters c; "auto" finds it from the data, which images do not
            allow. With 1, only the density is learned.
        ...: those of `BaseGEDI`.

    Attributes:
        labels_: cluster of each training point, (n,), numbered by size unless a prior was given.
        n_clusters_: the number of clusters, c.
        n_clusters_scores_: if c was found, arrays by name: the numbers `n_clusters` that were
            compared, and their `score` in nats below the best; otherwise None.
        n_clusters_reason_: if c was found, a sentence that says whether it is clear, and which
            other numbers would do about as well; otherwise None.
        former_clusters_: with `like`, the number that each cluster had before, -1 for new ones,
            (c,).
        overlaps_: with `like`, how well each cluster matches the one before, from 0 to 1: the
            number of points in both as a share of those in either, (c,).
        words_: if X is a list of texts or has columns of texts, the words typical of each cluster,
            (c,).
        ...: those of `BaseGEDI`.

    Example:
        >>> from gedi import GEDI
        >>> from sklearn.datasets import make_moons
        >>> X, _ = make_moons(500, noise=0.05, random_state=0)
        >>> model = GEDI(n_clusters=2, max_iter=50, random_state=0).fit(X)
        >>> model.predict_proba(X).shape
        (500, 2)
    """

    n_clusters: int | str = "auto"
    words_: list[list[str]] = field(init=False)  # only of texts

    def fit(
        self,
        X: Any,  # noqa: N803
        y: Any = None,
        sample_weight: Any = None,
        *,
        positives: Any = None,
        like: Any = None,
    ) -> Self:
        """Train on unlabelled points.

        Args:
            X: points (n, d), also as a data frame, or images (n, H, W) or (n, C, H, W); or a list
                of texts, or what `features` reads.
            y: not used.
            sample_weight: weight of each point in all terms, (n,); a weight of 2 counts like two
                copies, and points of weight 0 take no part. Batches are drawn with these weights.
                Outlier scores and p-values, and the number of clusters if it is found, are those of
                the points of positive weight without their weights.
            positives: rows that belong to the same cluster, as an additional view: pairs (m, 2),
                or a sparse matrix (n, n) whose entries mark them.
            like: an earlier model, so that clusters that are the same keep their numbers: a fitted
                `GEDI`, the folder of a saved one or of a run, or its predictions for X, as labels
                (n,) with -1 where they are unknown, or as probabilities (n, c).

        Raises:
            ValueError: for points, positives, parameters or an earlier model that cannot be used.
        """
        rows, input_shape = self._checked(X)
        weights = weights_of(sample_weight, rows)
        kept = np.ones(len(rows), dtype=bool) if weights is None else weights > 0
        self.labels_ = self._train(
            X,
            rows,
            input_shape,
            n_clusters=self.n_clusters,
            prior=self.prior,
            custom=Custom(
                positives=kept_pairs(pairs_of(positives, len(rows)), kept),
                like=self._reference(like, rows, kept, input_shape),
            ),
            weights=weights,
        )
        texts = texts_of(X) if hasattr(self, "features_") else None
        if self.columns_ is not None and self.columns_.texts:
            texts = self.columns_.row_texts(as_points(X))
        if hasattr(self, "words_"):  # of an earlier fit
            del self.words_
        if texts is not None:
            self.words_ = typical_words(list(texts), self.labels_, self.model_.n_clusters)
        return self

    def _keep_number(self, fit: Fit) -> None:
        self.n_clusters_ = fit.trained.n_clusters
        self.n_clusters_scores_ = self.n_clusters_reason_ = None
        if fit.number is not None:
            scores = fit.number.scores
            self.n_clusters_scores_ = {
                "n_clusters": np.array(list(scores)),
                "score": np.array(list(scores.values())),
            }
            self.n_clusters_reason_ = str(fit.number)

    def _reference(
        self,
        like: Any,
        rows: NDArray[np.floating],
        kept: NDArray[np.bool_],
        input_shape: tuple[int, ...],
    ) -> Reference | None:
        """The predictions of an earlier model for the points (n, d) that are trained on."""
        n, rows = len(rows), rows[kept]
        seed = seed_of(self.random_state)
        names = self._feature_names
        if like is None:
            return None
        if isinstance(like, (str, Path)):
            path = Path(like)
            if holds_run(path):
                shape = image_shape_of(input_shape)
                dataset = Dataset("X", rows, feature_names=names, image_shape=shape)
                return recall_run(path, dataset, seed=seed)
            like = type(self).load(path)
        if not isinstance(like, GEDI):
            return reference_of(like, n, seed, kept)
        check_is_fitted(like)
        limit = math.inf
        if like.model_.outliers is None and learns_density(like.settings_):
            limit = like.model_.energy_of(like.offset_)
        return recall(
            like.model_,
            rows,
            seed=seed,
            limit=limit,
            names=names,
            known_names=like._feature_names,
            name="the earlier model",
        )

    def decision_function(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """`score_samples` - `offset_`: negative for outliers, (n,).

        Args:
            X: points (n, d), or images as they were fitted.
        """
        return self.score_samples(X) - self.offset_

    def score(self, X: Any, y: Any = None) -> float:  # noqa: N803
        """Mean log p(x) of points, in nats; see `log_density`.

        Args:
            X: points (n, d), or images as they were fitted.
            y: not used.
        """
        return float(self.log_density(X).mean())
