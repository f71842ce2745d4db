"""The points of a run: their order, their nearest points, and how usual they are."""

import numpy as np
import pytest

from gedi.data.dataset import Dataset
from gedi.explorer.population import Population
from gedi.training.session import start
from small_trainings import SMALL, heaps


@pytest.fixture(scope="module")
def population():
    x, labels = heaps()
    data = Dataset("heaps", x, labels=labels, class_names=("left", "right"))
    trained = start(data, SMALL).run().trained
    return Population("run", trained, data, np.arange(200) * 10, trained.predict(x))


def test_galleries_are_in_order(population):
    density = population.scores
    typical = population.gallery(order="most typical")
    assert len(typical) == 200 and (np.diff(density[typical]) <= 0).all()
    assert (np.diff(density[population.gallery(order="least typical")]) >= 0).all()
    certain = population.prediction.probabilities.max(1)[population.gallery(order="least certain")]
    assert (np.diff(certain) >= 0).all()
    assert population.gallery(order="in row order").tolist() == list(range(200))
    of_one = population.gallery(cluster=1)
    assert set(population.prediction.clusters[of_one]) == {1} and 0 < len(of_one) < 200


@pytest.mark.parametrize(
    ("search", "places"),
    [("30", [3]), ("20 - 50", [2, 3, 4, 5]), ("row 1990", [199]), ("nothing", [])],
)
def test_points_are_found_by_row(population, search, places):
    assert population.gallery(order="in row order", search=search).tolist() == places


def test_points_are_found_by_label(population):
    found = population.gallery(search="RIGHT")
    assert (population.dataset.labels[found] == 1).all() and len(found) == 100


def test_the_nearest_point_is_the_point_itself(population):
    nearest = population.nearest(population.dataset.x[7], 5)
    assert nearest[0] == 7 and len(set(nearest)) == 5
    # Of the same heap, as the heaps are far apart.
    assert len(set(population.dataset.labels[nearest])) == 1


def test_standings(population):
    density = np.sort(population.scores)
    assert population.standing(density[-1] + 1) == (1.0, "typical")
    assert population.standing(density[100] + 1e-9).verdict == "typical"
    share, verdict = population.standing(density[4] + 1e-9)
    assert verdict == "unusual" and share == pytest.approx(5 / 200)
    assert population.standing(density[0] - 1) == (0.0, "unlike anything seen")
