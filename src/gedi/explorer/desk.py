"""What all panels share: a run, its points, and the names of its clusters."""

from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gedi.explorer.figures import density_figure, features_figure, plane_figure
from gedi.explorer.names import ClusterNames
from gedi.explorer.population import Population
from gedi.runs import Run
from gedi.training.trained import Prediction

__all__ = ["Desk"]

Floats = NDArray[np.float64]


@dataclass
class Desk:
    """A run on the desk.

    Args:
        run: its folder.
        population: its points.
        names: of its clusters; changed by the panel for names.
    """

    run: Run
    population: Population
    names: ClusterNames = field(init=False)

    def __post_init__(self) -> None:
        self.names = ClusterNames.load(self.run.path, self.population.n_clusters)

    @classmethod
    def open(cls, run: Run) -> "Desk":
        """A finished run, with its points."""
        return cls(run, Population.of(run))

    @property
    def has_images(self) -> bool:
        """Whether points are images."""
        return self.population.image_shape is not None

    def choices(self) -> list[tuple[str, int]]:
        """What clusters are called, and their numbers, as menus take them."""
        sizes = np.bincount(self.population.prediction.clusters, minlength=len(self.names.names))
        into = np.array(self.names.into)
        return [
            (f"{self.names.of(group)} ({sizes[into == group].sum():,})", group)
            for group in self.names.groups
        ]

    def gallery(self, group: int | None, order: str, search: str) -> NDArray[np.int64]:
        """Places of the points of a cluster, and of those merged with it, in order."""
        found = self.population.gallery(None, order, search)  # type: ignore[arg-type]
        if group is None:
            return found
        into = np.array(self.names.into)
        kept: NDArray[np.int64] = found[into[self.population.prediction.clusters[found]] == group]
        return kept

    def posterior(self, probabilities: Floats) -> dict[str, float]:
        """One point's p(y|x) by name, merged clusters in one."""
        found = self.names.probabilities(probabilities[None])[0]
        groups = zip(self.names.groups, found, strict=True)
        return {self.names.of(group): float(value) for group, value in groups}

    def told(self, title: str, one: Prediction) -> str:
        """One point's energy and standing, in words; `one` is a prediction of one point."""
        log_density = float(one.log_density[0])
        standing = self.population.standing(log_density)
        cluster = self.names.of(int(one.clusters[0]))
        return (
            f"{title}: cluster {cluster}, {standing.verdict}.\n"
            f"Log-density {log_density:.2f} nats, energy {float(one.energy[0]):.2f} nats; "
            f"{standing.share:.1%} of the points of the training are less likely."
        )

    def figures(self, x: Floats, one: Prediction) -> tuple[Figure, Figure | None]:
        """One point's log-density among all; and where it lies, if it is a row of a table."""
        density = density_figure(self.population, float(one.log_density[0]))
        if self.has_images:
            return density, None
        if len(x) == 2:
            return density, plane_figure(self.population, np.asarray(x, dtype=np.float64)[None])
        return density, features_figure(self.population, x)
