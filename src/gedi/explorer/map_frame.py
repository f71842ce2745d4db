"""The map of all points, as a frame in the page."""

from html import escape

from gedi.explorer.desk import Desk
from gedi.report.cluster_table import hex_colors
from gedi.report.point_map import map_page, map_points, point_map

__all__ = ["map_html"]

_HEIGHT = 620  # pixels


def map_html(desk: Desk) -> str:
    """The map of the report with the current names, which can neither load nor reach anything."""
    population = desk.population
    found = population.prediction
    points = point_map(
        map_points(population.trained, population.dataset, found, population.scores),
        found.clusters,
        [desk.names.of(k) for k in range(population.n_clusters)],
        hex_colors(population.n_clusters),
    )
    document = escape(map_page("Map", points), quote=True)
    return (
        f'<iframe title="Map of all points" sandbox="allow-scripts" srcdoc="{document}" '
        f'style="width: 100%; height: {_HEIGHT}px; border: 0"></iframe>'
    )
