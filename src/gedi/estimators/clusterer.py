"""`GEDI`: clusters, density, outliers and samples of unlabelled data."""

import math
from collections.abc import Callable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClusterMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from gedi.data.dataset import Dataset
from gedi.errors import SettingsError
from gedi.estimators.base import BaseGEDI
from gedi.estimators.inputs import image_shape_of, pairs_of, reference_of, seed_of
from gedi.methods import Method
from gedi.runs import Run
from gedi.settings import Settings, learns_density
from gedi.training.custom import Custom
from gedi.training.hooks import Record
from gedi.training.numbering import Reference, recall

__all__ = ["GEDI"]


class GEDI(ClusterMixin, BaseGEDI):  # type: ignore[misc]
    """Clusters, density and samples from one network, trained without labels.

        w_gen GEN + w_inv INV + w_prior PRIOR   (Sansone & Manhaeve, TMLR 2025)

    with p(y|x) = softmax f(x) and log p(x) = logsumexp f(x) - log Z. Points are scaled inside.

    Args:
        n_clusters: c. With 1, only the density is learned.
        prior: shares of the clusters, c positive numbers; "learned" from the data; None: equal.
        w_gen: weight of the log-likelihood; None: min(1, 4 / d). 0 is GEDI no gen.
        w_inv: weight of the agreement between views. With w_prior, 0 is JEM without labels.
        w_prior: weight of the balance of the clusters; None: by the number of clusters.
        encoder: widths of the hidden layers, or a module from batches of points (or of images
            (n, C, H, W)) to features; or the name of a kind, such as "conv" or one of a plug-in.
            None: (100, 100) for up to 32 features, else (512, 512).
        method: a `gedi.Method`, or the name of one: "gedi", "barlow-twins", "swav" or one
            of a plug-in. None: gedi, or that of `settings`.
        views: small changes that should not change the cluster: names among "noise", "dropout",
            "adversarial", "neighbours" and, for images, "image", or those of plug-ins; functions
            from a batch in the units of X to one like it; or a list of both. None: the usual.
        contamination: share of the training points that `predict_outliers` calls outliers.
        max_iter: iterations at most.
        max_time: seconds at most; None: no limit.
        tol: gain in bound and gap, in nats, that counts as progress.
        n_restarts: trainings side by side, the best of which goes on; None: 4 for small networks,
            else 8.
        batch_size: points, and chains, an iteration; None: 400 for up to 2 features, else 256.
        learning_rate: of Adam; None: by the network's size.
        warm_start: fit goes on from the model there is, with its scaling.
        random_state: seed of everything; an integer fixes the result bit for bit on one machine.
        device: "auto", "cpu" or "cuda".
        verbose: 1 shows the progress.
        callbacks: called with each new row of the history, a dict; one that returns true ends the
            training.
        settings: a `gedi.Settings` with all that has no argument here; arguments win.

    Attributes:
        labels_: cluster of each training point, (n,), numbered by size unless a prior was given.
        n_features_in_: d.
        feature_names_in_: names of the columns, where X had any.
        input_shape_: shape of one point.
        n_iter_: iterations done.
        history_: the terms of the bound, the gap and more over time, an array each, by name.
        interventions_: what the guard against divergence did, a sentence each; usually none.
        collapse_gap_: in nats, on up to 10,000 points under fixed views: near zero if the
            clusters can be trusted.
        prior_: shares that the clusters were to have, (c,).
        log_normalizer_: log Z in nats, for scaled points, by a grid in one or two dimensions and by
            annealed importance sampling above; None if no density was learned.
        log_normalizer_error_: one standard error of it, in nats.
        former_clusters_: with `like` the number of each cluster before, -1 for new ones, (c,).
        overlaps_: with `like` how sure that is, from 0 to 1: points that a cluster and the one
            before share, as a share of those in either, (c,).
        offset_: log-density below which points are outliers.
        model_: the `gedi.TrainedModel`.
        settings_: all settings as they were resolved.

    Example:
        >>> from gedi import GEDI
        >>> from sklearn.datasets import make_moons
        >>> X, _ = make_moons(500, noise=0.05, random_state=0)
        >>> model = GEDI(n_clusters=2, max_iter=50, random_state=0).fit(X)
        >>> model.predict_proba(X).shape
        (500, 2)
    """

    labels_: NDArray[np.int64]

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        prior: Any = None,
        w_gen: float | None = None,
        w_inv: float = 1.0,
        w_prior: float | None = None,
        encoder: Sequence[int] | nn.Module | str | None = None,
        method: Method | str | None = None,
        views: Sequence[Any] | Callable[[Tensor], Tensor] | str | None = None,
        contamination: float = 0.05,
        max_iter: int = 2000,
        max_time: float | None = None,
        tol: float = 1e-3,
        n_restarts: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        device: Any = "auto",
        verbose: int = 0,
        callbacks: Sequence[Callable[[Record], bool | None]] | None = None,
        settings: Settings | None = None,
    ) -> None:
        super().__init__(
            prior=prior,
            w_gen=w_gen,
            w_inv=w_inv,
            w_prior=w_prior,
            encoder=encoder,
            method=method,
            views=views,
            contamination=contamination,
            max_iter=max_iter,
            max_time=max_time,
            tol=tol,
            n_restarts=n_restarts,
            batch_size=batch_size,
            learning_rate=learning_rate,
            warm_start=warm_start,
            random_state=random_state,
            device=device,
            verbose=verbose,
            callbacks=callbacks,
            settings=settings,
        )
        self.n_clusters = n_clusters

    def fit(self, X: Any, y: Any = None, *, positives: Any = None, like: Any = None) -> Self:  # noqa: N803
        """Train on unlabelled points.

        Args:
            X: points (n, d), or images (n, H, W) or (n, C, H, W); a table with names is fine.
            y: not used.
            positives: rows that belong together, as one more kind of view: pairs (m, 2), or a
                sparse matrix (n, n) whose entries mark them.
            like: what gives clusters that are the same the numbers that they had before: a fitted
                `GEDI`, the folder of a saved one or of a run, or what an earlier model says of X,
                as labels (n,) with -1 where it says nothing, or as probabilities (n, c).

        Raises:
            ValueError: for points, positives, parameters or an earlier model that cannot be used.
        """
        rows, input_shape = self._checked(X)
        n_clusters: Any = self.n_clusters  # whatever the user gave
        if not isinstance(n_clusters, Integral) or n_clusters < 1:
            raise SettingsError(
                f"n_clusters: expected a whole number of at least 1, got {n_clusters!r}"
            )
        self.labels_ = self._train(
            X,
            rows,
            input_shape,
            n_clusters=int(n_clusters),
            prior=self.prior,
            custom=Custom(
                positives=pairs_of(positives, len(rows)),
                like=self._reference(like, rows, input_shape),
            ),
        )
        return self

    def _reference(
        self, like: Any, rows: NDArray[np.floating], input_shape: tuple[int, ...]
    ) -> Reference | None:
        """What an earlier model says of points (n, d)."""
        seed = seed_of(self.random_state)
        if like is None:
            return None
        if isinstance(like, (str, Path)):
            path = Path(like)
            if (path / "run.json").is_file():
                names = tuple(getattr(self, "feature_names_in_", ()))
                shape = image_shape_of(input_shape)
                dataset = Dataset("X", rows, feature_names=names, image_shape=shape)
                return Run.open(path).recall(dataset, seed=seed)
            like = type(self).load(path)
        if not isinstance(like, GEDI):
            return reference_of(like, len(rows), seed)
        check_is_fitted(like)
        limit = math.inf
        if learns_density(like.settings_):
            limit = like.model_.energy_of(like.offset_)
        return recall(
            like.model_,
            rows,
            seed=seed,
            limit=limit,
            names=tuple(getattr(self, "feature_names_in_", ())),
            known_names=tuple(getattr(like, "feature_names_in_", ())),
            name="the earlier model",
        )

    def predict(self, X: Any) -> NDArray[np.int64]:  # noqa: N803
        """The most probable cluster of each point, (n,).

        Args:
            X: points (n, d), or images as they were fitted.
        """
        return self._prediction(X).clusters

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """p(y|x), (n, c).

        Args:
            X: points (n, d), or images as they were fitted.
        """
        return self._prediction(X).probabilities

    def decision_function(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Log p(x) - `offset_`: negative for outliers, (n,).

        Args:
            X: points (n, d), or images as they were fitted.
        """
        return self.score_samples(X) - self.offset_

    def score(self, X: Any, y: Any = None) -> float:  # noqa: N803
        """Mean log p(x) of points, in nats; see `score_samples`.

        Args:
            X: points (n, d), or images as they were fitted.
            y: not used.
        """
        return float(self.score_samples(X).mean())
