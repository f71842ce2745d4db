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
from gedi.errors import DataError, SettingsError
from gedi.estimators.base import BaseGEDI
from gedi.estimators.frames import as_points
from gedi.estimators.inputs import (
    image_shape_of,
    kept_pairs,
    kept_rows,
    pairs_of,
    reference_of,
    seed_of,
    texts_of,
    weights_of,
    without_blank,
)
from gedi.evaluation.drift import Drift, drift_of, look_at
from gedi.evaluation.words import typical_words
from gedi.settings import learns_density
from gedi.training.custom import Custom
from gedi.training.earlier import holds_run, recall_run
from gedi.training.growth import carry
from gedi.training.numbering import Reference, recall
from gedi.training.plan import grown_settings
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
        labels_: cluster of each point of the last call of `fit` or `partial_fit`, (n,), numbered
            by size unless a prior was given.
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
        drift_: after a later call of `partial_fit`, how the new points differ from earlier ones, a
            `gedi.evaluation.drift.Drift`, which prints as sentences.
        n_samples_seen_: after `partial_fit`, the number of points in all calls.
        rows_: after `partial_fit`, up to 20,000 of these points, (m, d).
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
    drift_: Drift = field(init=False)  # this and the next two only after `partial_fit`
    n_samples_seen_: int = field(init=False)
    rows_: NDArray[np.floating] = field(init=False)

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
                of texts, of which blank ones take no part, or what `features` reads.
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
        self._forget()
        rows, input_shape = self._checked(X)
        weights = without_blank(X, weights_of(sample_weight, rows))
        kept = np.ones(len(rows), dtype=bool) if weights is None else weights > 0
        self.labels_ = self._train(
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
        self._keep_words(X)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803
        """Learn new points without forgetting earlier ones, as `gedi update` does.

        The first call is `fit`. A later one trains again, on the new points and those of earlier
        calls, from the clusters that are known: they keep their numbers, also those without new
        points. A dense group of new points where no earlier ones are becomes a new cluster, so
        that `n_clusters_` may grow. `drift_` says what has changed, and `labels_` are those of the
        new points.

        Earlier points are therefore kept: all of them up to 20,000, otherwise a random sample,
        weighted such that it counts like all of them. `fit` keeps none.

        Args:
            X: points (n, d), texts or a frame, as in `fit`; at least 10 in later calls, without
                blank texts, which take no part.
            y: not used.

        Raises:
            ValueError: for points or parameters that cannot be used.
            DataError: for images, in later calls for fewer than 10 points, and after `fit`.
            SettingsError: in later calls, if `prior` gives the share of each cluster.
        """
        if not hasattr(self, "model_"):
            rows, shape = self._checked(X)
            image_shape = image_shape_of(shape)
            if image_shape is not None:
                raise DataError("X: expected rows of numbers, as images cannot be learned in parts")
            weights = without_blank(X, None)
            self.labels_ = self._train(
                rows,
                shape,
                n_clusters=self.n_clusters,
                prior=self.prior,
                custom=Custom(),
                weights=weights,
            )
            new = rows if weights is None else rows[weights > 0]
            self.rows_, self.n_samples_seen_ = kept_rows(rows[:0], 0, new, self.settings_.seed)
        else:
            rows, weights = self._rows(X), without_blank(X, None)
            self._grow(rows if weights is None else rows[weights > 0])
            if weights is not None:
                self.labels_ = self.model_.clusters(rows)
        self._keep_words(X)
        return self

    def _grow(self, new: NDArray[np.floating]) -> None:
        """Train on the points that are kept and new ones (n, d), which are then kept too."""
        if not hasattr(self, "rows_"):
            raise DataError(
                "expected a model with the points of earlier calls of partial_fit, but one that "
                "was trained by fit, or comes from a hub, has none: give partial_fit all points "
                "from the beginning"
            )
        if isinstance(self.settings_.prior, list):
            raise SettingsError(
                "prior: expected null, uniform or learned, as partial_fit may find new clusters, "
                "whose shares are not given"
            )
        old, n_seen, seed = self.rows_, self.n_samples_seen_, seed_of(self.random_state)
        x = np.concatenate([old, new])
        carried = carry(self.model_, x, len(old), seed=seed, n_seen=n_seen)
        batch = look_at(self.model_, new)
        like = self._reference(self, x, np.ones(len(x), dtype=bool), x.shape[1:])
        clusters = self._train(
            x,
            x.shape[1:],
            n_clusters=carried.n_clusters,
            prior=self.prior,
            custom=Custom(like=like, carried=carried),
            weights=np.repeat([n_seen / len(old), 1.0], [len(old), len(new)]),
            settings=grown_settings(
                self.settings_, carried.n_clusters, seed=seed, max_time=self.max_time
            ),
        )
        self.labels_ = clusters[len(old) :]
        self.drift_ = drift_of(
            self.model_,
            x,
            len(old),
            batch,
            former=self.former_clusters_,
            names=self._feature_names,
        )
        self.rows_, self.n_samples_seen_ = kept_rows(old, n_seen, new, seed)

    def _forget(self) -> None:
        """Remove what earlier calls of `partial_fit` have kept."""
        for name in ("rows_", "n_samples_seen_", "drift_"):
            if hasattr(self, name):
                delattr(self, name)

    def _keep_words(self, x: Any) -> None:
        """Set `words_` if these are texts with the clusters `labels_`."""
        texts = texts_of(x) if hasattr(self, "features_") else None
        if self.columns_ is not None and self.columns_.texts:
            texts = self.columns_.row_texts(as_points(x))
        if hasattr(self, "words_"):  # of an earlier fit
            del self.words_
        if texts is not None:
            self.words_ = typical_words(list(texts), self.labels_, self.model_.n_clusters)

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
