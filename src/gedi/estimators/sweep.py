"""`ClusterSweep`: the number of clusters, from trainings on halves of the data."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import check_array

from gedi.errors import SettingsError
from gedi.estimators.clusterer import GEDI
from gedi.estimators.frames import learn_features
from gedi.estimators.inputs import flatten, image_shape_of, seed_of, weights_of
from gedi.sweeps.advice import Row, advise, rows_of
from gedi.sweeps.halves import Cell, sweep

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.figure import Figure

__all__ = ["ClusterSweep"]


class ClusterSweep(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Fits `GEDI` on halves of the data with several numbers of clusters, and compares them.

    A number stands out if trainings on different halves find the same clusters, and more clusters
    carry hardly more information about points that were not trained on; see `gedi.sweeps.advice`.
    If no number stands out, `n_clusters_` is None, and `reason_` says why.

    Args:
        estimator: the estimator that is cloned for each training; None: `GEDI()`.
        n_clusters: numbers to try, each at least 2.
        n_parts: number of halves to train on for each number of clusters, at least 2.
        refit: whether to fit the estimator on all points with the number that stands out.
        random_state: seed of the halves and of the trainings.

    Attributes:
        n_clusters_: the number that stands out; None if it is not clear.
        reason_: the reasons, in sentences.
        results_: arrays by name, one for each attribute of `gedi.sweeps.advice.Row`, with one value
            for each number of clusters.
        cells_: the result of each training.
        best_estimator_: fitted on all points; only if a number stands out and `refit` is true.

    Example:
        >>> from gedi import GEDI, ClusterSweep
        >>> from sklearn.datasets import make_blobs
        >>> X, _ = make_blobs(200, centers=3, cluster_std=0.5, random_state=1)
        >>> quick = GEDI(w_gen=0, max_iter=20, n_restarts=1)
        >>> found = ClusterSweep(quick, n_clusters=(2, 3), n_parts=2, refit=False).fit(X)
        >>> found.results_["n_clusters"]
        array([2, 3])
    """

    def __init__(
        self,
        estimator: GEDI | None = None,
        *,
        n_clusters: Sequence[int] = (2, 3, 4, 5, 6, 7, 8),
        n_parts: int = 3,
        refit: bool = True,
        random_state: Any = 0,
    ) -> None:
        self.estimator = estimator
        self.n_clusters = n_clusters
        self.n_parts = n_parts
        self.refit = refit
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train at each number of clusters, and compare.

        Args:
            X: points (n, d), or images (n, H, W) or (n, C, H, W).
            y: not used.
            sample_weight: weights of the points in the trainings, (n,); see `gedi.GEDI.fit`. The
                comparison of trainings counts all points alike.

        Raises:
            ValueError: for points or parameters that cannot be used.
        """
        if self.estimator is not None and not isinstance(self.estimator, GEDI):
            raise SettingsError(f"estimator: expected a GEDI, got {type(self.estimator).__name__}")
        flat, shape = flatten(X)
        if hasattr(flat, "columns"):
            flat = learn_features(flat)[1]
        x = check_array(flat, dtype=[np.float64, np.float32])
        shaped = x if shape is None else x.reshape(-1, *shape)
        weights = weights_of(sample_weight, x)
        self.cells_: list[Cell] = list(
            sweep(
                lambda c, rows, seed: (
                    self._fitted(
                        shaped[rows], c, seed, None if weights is None else weights[rows]
                    ).model_
                ),
                x,
                list(self.n_clusters),
                image_shape=None if shape is None else image_shape_of(shape),
                n_parts=self.n_parts,
                seed=seed_of(self.random_state),
            )
        )
        rows = rows_of(self.cells_)
        self.results_: dict[str, NDArray[Any]] = {
            name: np.array([getattr(row, name) for row in rows]) for name in Row._fields
        }
        self.n_clusters_, self.reason_ = advise(rows)
        if self.refit and self.n_clusters_ is not None:
            seed = seed_of(self.random_state)
            self.best_estimator_: GEDI = self._fitted(X, self.n_clusters_, seed, weights)
        return self

    def plot(self, figure: Any = None) -> "Figure":
        """Draw the agreement and the information of clusters over their number.

        Args:
            figure: the figure to draw on; None makes one with pyplot.
        """
        from gedi import plot  # noqa: PLC0415

        if figure is None:
            from matplotlib import pyplot  # noqa: PLC0415

            figure = pyplot.figure(figsize=(9.0, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        plot.sweep_stability(left, self.results_, suggested=self.n_clusters_)
        plot.sweep_told(right, self.results_, suggested=self.n_clusters_)
        drawn: Figure = figure
        return drawn

    def _fitted(
        self, x: Any, n_clusters: int, seed: int, weights: NDArray[np.float64] | None
    ) -> GEDI:
        estimator: GEDI = GEDI() if self.estimator is None else clone(self.estimator)
        estimator.set_params(n_clusters=n_clusters, random_state=seed)
        return estimator.fit(x, sample_weight=weights)
