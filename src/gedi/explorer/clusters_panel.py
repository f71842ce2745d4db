"""The panel that shows the points of clusters, and the nearest points of one."""

from typing import Any

import gradio as gr
import numpy as np

from gedi.explorer.desk import Desk
from gedi.explorer.figures import frame_of, gallery_of, tiles_of
from gedi.explorer.population import ORDERS

__all__ = ["clusters_panel"]

_SHOWN = 40
_NEAREST = 8


def clusters_panel(desk: Desk) -> None:
    """Build the panel: a searchable gallery in which a click shows one point."""
    with gr.Row():
        cluster = gr.Dropdown(_choices(desk), value=-1, label="Cluster", elem_id="cluster")
        order = gr.Dropdown(list(ORDERS), value=ORDERS[0], label="Order", elem_id="order")
        search = gr.Textbox(
            label="Search",
            placeholder="row 12, rows 10-20, a word, a file or a label",
            elem_id="search",
        )
    shown = gr.State([])
    about = gr.Textbox(label="Shown", interactive=False, elem_id="shown")
    gallery: gr.Gallery | gr.Dataframe
    if desk.has_pictures:
        gr.Markdown("Choose a point")
        gallery = gallery_of(8, 420, "gallery")
    else:
        gallery = gr.Dataframe(
            label="Choose a point", interactive=False, max_height=420, elem_id="gallery"
        )
    chosen = gr.Textbox(label="The chosen point", interactive=False, lines=2, elem_id="chosen")
    with gr.Row():
        posterior = gr.Label(label="p(y|x)", num_top_classes=6, elem_id="posterior")
        density = gr.Plot(label="Its log-density among all points", elem_id="density")
        if _has_columns(desk):
            place = gr.Plot(label="Its features")
    nearest: gr.Gallery | gr.Dataframe
    if desk.has_pictures:
        gr.Markdown("Nearest points")
        nearest = gallery_of(8, 160, "nearest")
    else:
        nearest = gr.Dataframe(label="Nearest points", interactive=False, elem_id="nearest")

    def list_points(group: int, by: str, text: str) -> tuple[list[int], str, Any]:
        found = desk.gallery(None if group < 0 else group, by, text)
        places = [int(place) for place in found[:_SHOWN]]
        return places, f"{len(places)} of {len(found):,} points, {by}", _points(desk, places)

    def show(places: list[int], event: gr.SelectData) -> tuple[Any, ...]:
        index = event.index[0] if isinstance(event.index, (list, tuple)) else event.index
        return shown_point(desk, places[index])

    outputs = [shown, about, gallery]
    inputs = [cluster, order, search]
    gr.on([cluster.change, order.change, search.submit], list_points, inputs, outputs)
    details = [chosen, posterior, density, *([place] if _has_columns(desk) else []), nearest]
    gallery.select(show, [shown], details)
    page = gr.context.Context.root_block
    assert page is not None
    page.load(list_points, inputs, outputs)
    page.load(lambda: gr.Dropdown(_choices(desk)), None, cluster)


def shown_point(desk: Desk, place: int) -> tuple[Any, ...]:
    """The values that the panel shows for one point of the run."""
    population = desk.population
    one = population.prediction_of(place)
    x = np.asarray(population.dataset.x[place], dtype=np.float64)
    density, lies = desk.figures(x, one)
    near = [int(other) for other in population.nearest(x, _NEAREST + 1) if other != place]
    return (
        desk.description(population.title(place), x, one),
        desk.posterior(one.probabilities[0]),
        density,
        *([lies] if _has_columns(desk) else []),
        _points(desk, near[:_NEAREST]),
    )


def _points(desk: Desk, places: list[int]) -> Any:
    population = desk.population
    if not desk.has_pictures:
        return frame_of(population, desk.names, places)
    return tiles_of(population, places)


def _has_columns(desk: Desk) -> bool:
    """Whether points are rows of a table, whose columns mean something."""
    return not (desk.has_images or desk.has_features)


def _choices(desk: Desk) -> list[tuple[str, int]]:
    return [("all", -1), *desk.choices()]
