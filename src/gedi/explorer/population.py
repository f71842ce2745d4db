"""The points of a run, with the predictions of its model."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gedi.data.dataset import Dataset
from gedi.phrases import shortened
from gedi.runs import Run
from gedi.training.trained import Prediction, TrainedModel

__all__ = ["ORDERS", "Order", "Population", "Standing"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

Order = Literal["most typical", "least typical", "least certain", "in row order"]
ORDERS: tuple[Order, ...] = ("most typical", "least typical", "least certain", "in row order")

_USUAL = 0.05  # a point is typical if at least this share of the points is more unusual


class Standing(NamedTuple):
    """How a point compares with the training points.

    Attributes:
        share: the share of the points that are more unusual, in [0, 1].
        verdict: the share in words.
    """

    share: float
    verdict: Literal["typical", "unusual", "unlike anything seen"]


@dataclass(frozen=True)
class Population:
    """Points of a run, and the predictions of its model for them.

    Args:
        name: the name of the run.
        trained: the model.
        dataset: the points.
        rows: the row of each point in the data of the training, (n,).
        prediction: clusters, probabilities, energies and log-densities.
    """

    name: str
    trained: TrainedModel
    dataset: Dataset
    rows: Integers
    prediction: Prediction

    @classmethod
    def of(cls, run: Run, *, most: int = 20_000) -> "Population":
        """The points of a run; if there are more than `most`, evenly spaced ones of them."""
        dataset = run.read()
        rows = np.arange(len(dataset.x))
        if len(rows) > most:
            rows = rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
            dataset = dataset.subset(rows)
        trained = run.load_model()
        return cls(run.path.name, trained, dataset, rows, trained.predict(dataset.x))

    @property
    def n_clusters(self) -> int:
        """The number of clusters, c."""
        return self.trained.n_clusters

    @property
    def image_shape(self) -> tuple[int, int, int] | None:
        """(C, H, W) for images; None for rows of a table."""
        return self.dataset.image_shape

    @property
    def feature_names(self) -> list[str]:
        """The names of the columns; "feature 1" and so on if they have none."""
        return list(self.dataset.feature_names) or [
            f"feature {j + 1}" for j in range(self.dataset.x.shape[1])
        ]

    @property
    def shown_features(self) -> list[int]:
        """The places of the features whose values say something, which axes of texts do not."""
        plan = self.dataset.columns
        return list(range(self.dataset.x.shape[1])) if plan is None else plan.plain_features

    @cached_property
    def scores(self) -> Floats:
        """How typical the points are, (n,); see `TrainedModel.outlier_scores`."""
        if self.trained.outliers is None:
            return self.prediction.log_density
        return self.trained.outlier_scores(self.dataset.x)

    @cached_property
    def embedding(self) -> Floats:
        """The encoder's features of all points, each with variance 1, (n, e)."""
        return self._standardised(self._features(self.dataset.x))

    def gallery(
        self, cluster: int | None = None, order: Order = "most typical", search: str = ""
    ) -> Integers:
        """Indices of the points to show, in order.

        Args:
            cluster: show only the points of this cluster.
            order: by outlier score, by the probability of the likeliest cluster, or by row.
            search: show only points with this row number (or one in `from-to`), or with this text
                in the name of their file or label.
        """
        found = np.arange(len(self.rows))
        if cluster is not None:
            found = found[self.prediction.clusters[found] == cluster]
        if search.strip():
            found = found[self._matches(search.strip())[found]]
        if order == "in row order":
            return found
        values = {
            "most typical": -self.scores,
            "least typical": self.scores,
            "least certain": self.prediction.probabilities.max(1),
        }[order]
        return found[np.argsort(values[found], kind="stable")]

    def nearest(self, x: ArrayLike, k: int) -> Integers:
        """Indices of the k points whose embeddings are nearest to that of a point (d,)."""
        z = self._standardised(self._features(np.asarray(x, dtype=np.float64)[None]))
        return np.argsort(np.linalg.norm(self.embedding - z, axis=1), kind="stable")[:k]

    def standing(self, score: float) -> Standing:
        """How a point with this outlier score compares with the training points."""
        share = float(np.mean(self.scores < score))
        if share >= _USUAL:
            return Standing(share, "typical")
        return Standing(share, "unusual" if share > 0 else "unlike anything seen")

    def prediction_of(self, place: int) -> Prediction:
        """The prediction for one of the points."""
        clusters, probabilities, energy, log_density = self.prediction
        part = [place]
        return Prediction(clusters[part], probabilities[part], energy[part], log_density[part])

    def title(self, place: int) -> str:
        """The file name or row number of a point, its label and its text, if it has them."""
        files, labels = self.dataset.files, self.dataset.labels
        name = files[place] if files else f"row {self.rows[place]}"
        if labels is not None and labels[place] >= 0:
            name = f"{name} ({self.dataset.class_names[labels[place]]})"
        if self.dataset.texts is None:
            return name
        return f"{name}: {shortened(self.dataset.texts[place])}"

    def _matches(self, search: str) -> NDArray[np.bool_]:
        first, dash, last = search.partition("-")
        if first.strip().isdecimal() and (not dash or last.strip().isdecimal()):
            low, high = int(first), int(last if dash else first)
            return (self.rows >= low) & (self.rows <= high)
        text = search.casefold()
        titles = self.dataset.texts or map(self.title, range(len(self.rows)))
        return np.array([text in title.casefold() for title in titles])

    def _features(self, x: ArrayLike) -> Floats:
        return self.trained.embed(x)

    @cached_property
    def _moments(self) -> tuple[Floats, Floats]:
        features = self._features(self.dataset.x)
        return features.mean(0), np.maximum(features.std(0), 1e-9)

    def _standardised(self, features: Floats) -> Floats:
        mean, deviation = self._moments
        return (features - mean) / deviation
