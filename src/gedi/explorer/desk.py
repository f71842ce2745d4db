"""An open run, its points and the names of its clusters, which all panels share."""

from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gedi.evaluation.reasons import reasons
from gedi.explorer.figures import density_figure, features_figure, plane_figure
from gedi.explorer.population import ORDERS, Population
from gedi.runs import Run
from gedi.runs.names import ClusterNames
from gedi.training.trained import Prediction

__all__ = ["Desk"]

Floats = NDArray[np.float64]


@dataclass
class Desk:
    """An open run."""

    run: Run
    population: Population
    names: ClusterNames = field(init=False)

    def __post_init__(self) -> None:
        self.names = ClusterNames.load(self.run.path, self.population.n_clusters)

    @classmethod
    def open(cls, run: Run) -> "Desk":
        """Open a finished run and read its points."""
        return cls(run, Population.of(run))

    @property
    def has_images(self) -> bool:
        """Whether points are images, of pixels."""
        return self.population.image_shape is not None

    @property
    def has_features(self) -> bool:
        """Whether points are features of texts or of photographs."""
        return self.population.dataset.are_features

    @property
    def has_pictures(self) -> bool:
        """Whether points are shown as pictures: images, or photographs with features."""
        return self.has_images or self.population.dataset.pictures is not None

    def choices(self) -> list[tuple[str, int]]:
        """The names and numbers of the clusters, in the format of menus."""
        sizes = np.bincount(self.population.prediction.clusters, minlength=len(self.names.names))
        into = np.array(self.names.into)
        return [
            (f"{self.names.of(group)} ({sizes[into == group].sum():,})", group)
            for group in self.names.groups
        ]

    def gallery(self, group: int | None, order: str, search: str) -> NDArray[np.int64]:
        """Indices of the points of a cluster and of clusters merged with it, in order.

        The most typical points of all clusters come from each cluster in turn: otherwise they would
        be nearly equal points of one cluster.
        """
        found = self.population.gallery(None, order, search)  # type: ignore[arg-type]
        if group is None:
            return self._in_turn(found) if order == ORDERS[0] else found
        into = np.array(self.names.into)
        kept: NDArray[np.int64] = found[into[self.population.prediction.clusters[found]] == group]
        return kept

    def _in_turn(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Points from each cluster in turn, in their order within a cluster."""
        groups = np.array(self.names.into)[self.population.prediction.clusters[places]]
        rank = np.empty(len(places), dtype=np.int64)
        for group in np.unique(groups):
            rank[groups == group] = np.arange(np.sum(groups == group))
        turned: NDArray[np.int64] = places[np.lexsort((groups, rank))]
        return turned

    def posterior(self, probabilities: Floats) -> dict[str, float]:
        """p(y|x) of one point by name, summed over merged clusters."""
        found = self.names.probabilities(probabilities[None])[0]
        groups = zip(self.names.groups, found, strict=True)
        return {self.names.of(group): float(value) for group, value in groups}

    def description(self, title: str, x: Floats, one: Prediction) -> str:
        """The cluster, energy and standing of a point in words; `one` is its prediction."""
        trained = self.population.trained
        standing = self.population.standing(float(trained.outlier_scores(x[None])[0]))
        cluster = self.names.of(int(one.clusters[0]))
        lines = [
            f"{title}: cluster {cluster}, {standing.verdict}.",
            f"Log-density {float(one.log_density[0]):.2f} nats, energy {float(one.energy[0]):.2f} "
            f"nats; {standing.share:.1%} of the training points are more unusual.",
            *(f"{name}: {text}" for name, text in self.reasons(x[None])[0]),
        ]
        return "\n".join(lines)

    def reasons(self, x: Floats) -> list[list[tuple[str, str]]]:
        """The columns of a table that make each point (n, d) unusual, and why; empty for others."""
        trained = self.population.trained
        if self.has_features or not trained.explains_outliers:
            return [[] for _ in x]
        names, plan = self.population.feature_names, self.population.dataset.columns
        return reasons(x, trained.explain_outliers(x), names, plan)

    def figures(self, x: Floats, one: Prediction) -> tuple[Figure, Figure | None]:
        """The log-density of a point among all, and its features if it is a row of a table."""
        density = density_figure(self.population, float(one.log_density[0]))
        if self.has_images or self.has_features:
            return density, None
        if len(x) == 2:
            return density, plane_figure(self.population, np.asarray(x, dtype=np.float64)[None])
        return density, features_figure(self.population, x)
