"""Displays of a model, like those of scikit-learn: made from an estimator, and drawn by `plot`.

A model is an estimator, or a `TrainedModel` such as `Run.open(folder).load_model()` returns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from gedi.errors import DataError
from gedi.plot.calibration_curves import Calibration, calibration, reliability
from gedi.plot.detection import auroc, ood_histogram, roc
from gedi.plot.plane import decision_regions, energy_landscape, points
from gedi.plot.style import INK, MUTED, Floats, Integers, axes_or_new, short_name
from gedi.training.trained import TrainedModel

__all__ = ["DensityDisplay", "OutlierDisplay", "RegionsDisplay", "ReliabilityDisplay"]

_MOST_ON_LANDSCAPE = 400  # points, so that the landscape stays visible


class _Display:
    """A display with the axes and the figure of the last drawing: `ax_` and `figure_`."""

    ax_: Axes
    figure_: Any

    def _drawn(self, ax: Axes) -> Self:
        self.ax_, self.figure_ = ax, ax.figure
        return self


@dataclass
class _PlaneDisplay(_Display):
    """A map of points in two dimensions.

    Args:
        model: an estimator or a `TrainedModel`.
        x: points, (n, 2).
        names: names of the two features; may be empty.
        margin: margin around the points, as a share of their range.
    """

    model: Any = field(repr=False)
    x: Floats = field(repr=False)
    names: Sequence[str] = ()
    margin: float = 0.15

    @classmethod
    def from_estimator(cls, model: Any, X: Any, *, ax: Axes | None = None) -> Self:  # noqa: N803
        """Draw a fitted model over points of two features.

        Args:
            model: an estimator, or a `TrainedModel`.
            X: points, (n, 2); the columns of a frame name the axes.
            ax: the axes to draw on; None makes new ones.

        Raises:
            DataError: for points of another number of features.
        """
        x = np.asarray(X, float)
        if x.ndim != 2 or x.shape[1] != 2:
            raise DataError(
                f"expected points with two features, (n, 2), to draw a map, got {x.shape}"
            )
        return cls(model, x, [str(name) for name in getattr(X, "columns", ())]).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on the axes, or on new ones if they are None."""
        raise NotImplementedError

    @property
    def box(self) -> tuple[Floats, Floats]:
        """The lower and upper corner of the map, each (2,)."""
        margin = self.margin * np.ptp(self.x, axis=0) + 1e-9
        return self.x.min(axis=0) - margin, self.x.max(axis=0) + margin

    def _named(self, ax: Axes) -> Self:
        if len(self.names) == 2:
            ax.set_xlabel(short_name(self.names[0]), color=MUTED, parse_math=False)
            ax.set_ylabel(short_name(self.names[1]), color=MUTED, parse_math=False)
        return self._drawn(ax)


class DensityDisplay(_PlaneDisplay):
    """The log-density of a model in two dimensions, with points.

        DensityDisplay.from_estimator(model, X)

    Attributes:
        ax_: the axes.
        figure_: their figure.
    """

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on the axes, or on new ones if they are None."""
        ax = energy_landscape(axes_or_new(ax), _log_density_of(self.model), *self.box)
        shown = self.x[:: -(-len(self.x) // _MOST_ON_LANDSCAPE)]
        return self._named(points(ax, shown, color="white", edge=INK, size=5.0))


class RegionsDisplay(_PlaneDisplay):
    """The clusters of a model in two dimensions, with points.

        RegionsDisplay.from_estimator(model, X)

    Attributes:
        ax_: the axes.
        figure_: their figure.
    """

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on the axes, or on new ones if they are None."""
        posterior = _posterior_of(self.model)
        ax = decision_regions(axes_or_new(ax), posterior, *self.box)
        probabilities = posterior(self.x)
        n_clusters = probabilities.shape[1]
        return self._named(points(ax, self.x, probabilities.argmax(1), n_clusters=n_clusters))


@dataclass
class ReliabilityDisplay(_Display):
    """Accuracy over confidence.

        ReliabilityDisplay.from_estimator(classifier, X_test, y_test)

    Args:
        y_true: class of each point, as a column of `probabilities`, (n,).
        probabilities: p(y|x), (n, c).
        n_bins: number of bins between 0 and 1.
        name: name of the model in the legend.

    Attributes:
        ax_: the axes.
        figure_: their figure.
    """

    y_true: Integers = field(repr=False)
    probabilities: Floats = field(repr=False)
    n_bins: int = 10
    name: str = "predictions"

    @classmethod
    def from_estimator(
        cls,
        classifier: Any,
        X: Any,  # noqa: N803
        y: ArrayLike,
        *,
        n_bins: int = 10,
        ax: Axes | None = None,
    ) -> Self:
        """Draw a fitted classifier on points that it was not trained on.

        Args:
            classifier: an estimator with `predict_proba` and `classes_`.
            X: points that the classifier accepts.
            y: their classes, (n,).
            n_bins: number of bins between 0 and 1.
            ax: the axes to draw on; None makes new ones.

        Raises:
            DataError: for a model without `classes_`, or a class that it does not know.
        """
        if not hasattr(classifier, "classes_"):
            raise DataError(
                f"expected a classifier with classes_, got {type(classifier).__name__}; for "
                "clusters use from_predictions, with the cluster of each class"
            )
        classes, labels = np.asarray(classifier.classes_), np.asarray(y)
        unknown = labels[~np.isin(labels, classes)]
        if len(unknown):
            raise DataError(f"y: expected classes of the classifier, got {unknown[0]!r}")
        columns = np.argmax(labels[:, None] == classes, axis=1)
        return cls.from_predictions(
            columns,
            classifier.predict_proba(X),
            n_bins=n_bins,
            name=type(classifier).__name__,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        probabilities: ArrayLike,
        *,
        n_bins: int = 10,
        name: str = "predictions",
        ax: Axes | None = None,
    ) -> Self:
        """Draw probabilities of any model.

        Args:
            y_true: class of each point, as a column of `probabilities`, (n,).
            probabilities: p(y|x), (n, c).
            n_bins: number of bins between 0 and 1.
            name: name of the model in the legend.
            ax: the axes to draw on; None makes new ones.

        Raises:
            DataError: for shapes that do not fit each other, or classes without a column.
        """
        return cls(np.asarray(y_true), np.asarray(probabilities), n_bins, name).plot(ax)

    @property
    def calibration(self) -> Calibration:
        """The values that are drawn; their `error` is the expected calibration error."""
        return calibration(self.y_true, self.probabilities, n_bins=self.n_bins)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on the axes, or on new ones if they are None."""
        drawn = reliability(ax, self.y_true, self.probabilities, n_bins=self.n_bins, name=self.name)
        return self._drawn(drawn)


@dataclass
class OutlierDisplay(_Display):
    """Scores of the data and of sets of outliers.

        OutlierDisplay.from_estimator(model, X, {"noise": rng.uniform(-3, 3, X.shape)})

    Args:
        inliers: outlier scores of points like the data, in nats, (n,).
        outliers: outlier scores of each set of outliers, by name, (m,).
        threshold: score below which points count as outliers; None for no threshold.

    Attributes:
        ax_: the axes.
        figure_: their figure.
    """

    inliers: Floats = field(repr=False)
    outliers: Mapping[str, Floats] = field(repr=False)
    threshold: float | None = None

    @classmethod
    def from_estimator(
        cls,
        model: Any,
        X: Any,  # noqa: N803
        outliers: Mapping[str, Any],
        *,
        kind: str = "histogram",
        ax: Axes | None = None,
    ) -> Self:
        """Draw the scores of a fitted model for points like its data and for outliers.

        Args:
            model: an estimator, or a `TrainedModel`.
            X: points like the data, preferably not those of the training.
            outliers: points of each set of outliers, by name.
            kind: "histogram", or "roc" for the receiver operating characteristic.
            ax: the axes to draw on; None makes new ones.

        Raises:
            DataError: for another kind.
        """
        score: Callable[[Any], Floats] = (
            model.outlier_scores if isinstance(model, TrainedModel) else model.score_samples
        )
        scores = {name: score(x) for name, x in outliers.items()}
        threshold = getattr(model, "offset_", -np.inf)
        return cls(score(X), scores, None if threshold == -np.inf else threshold).plot(
            ax, kind=kind
        )

    @property
    def auroc(self) -> dict[str, float]:
        """The AUROC of each set: 1 at best, 0.5 by chance."""
        return {name: auroc(self.inliers, scores) for name, scores in self.outliers.items()}

    def plot(self, ax: Axes | None = None, *, kind: str = "histogram") -> Self:
        """Draw on the axes, or on new ones if they are None.

        Raises:
            DataError: for another kind than "histogram" and "roc".
        """
        if kind == "histogram":
            return self._drawn(
                ood_histogram(
                    ax,
                    self.inliers,
                    self.outliers,
                    threshold=self.threshold,
                    label="score (nats); higher is more typical",
                )
            )
        if kind == "roc":
            return self._drawn(roc(ax, self.inliers, self.outliers))
        raise DataError(f"kind: expected histogram or roc, got {kind!r}")


def _log_density_of(model: Any) -> Callable[[Any], Floats]:
    if isinstance(model, TrainedModel):
        return lambda x: model.predict(x).log_density
    log_density: Callable[[Any], Floats] = model.log_density
    return log_density


def _posterior_of(model: Any) -> Callable[[Any], Floats]:
    if isinstance(model, TrainedModel):
        return lambda x: model.predict(x).probabilities
    probabilities: Callable[[Any], Floats] = model.predict_proba
    return probabilities
