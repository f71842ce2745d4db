"""The panel with a map of all points."""

from html import escape

import gradio as gr

from gedi.evaluation.layout import layout
from gedi.explorer.desk import Desk
from gedi.report.cluster_table import hex_colors
from gedi.report.point_map import map_page, point_map

__all__ = ["map_html", "map_panel"]

_HEIGHT = 760


def map_panel(desk: Desk) -> None:
    """Build the panel: the map of the report, with the current names of the clusters."""
    shown = gr.HTML(elem_id="map-panel")
    page = gr.context.Context.root_block
    assert page is not None
    page.load(lambda: map_html(desk), None, shown)


def map_html(desk: Desk) -> str:
    """The map as a frame of its own, which can neither load anything nor reach the page."""
    population, found = desk.population, desk.population.prediction
    points = point_map(
        layout(population.dataset.x, found.probabilities, found.clusters),
        found.clusters,
        [desk.names.of(k) for k in range(population.n_clusters)],
        hex_colors(population.n_clusters),
        log_density=found.log_density,
        titles=population.dataset.titles,
        pictures=population.dataset.pictures,
    )
    document = escape(map_page("Map", points), quote=True)
    return (
        f'<iframe title="Map of all points" sandbox="allow-scripts" srcdoc="{document}" '
        f'style="width: 100%; height: {_HEIGHT}px; border: 0"></iframe>'
    )
