"""The panel that shows all clusters with a map, the points of one, and one of them in detail."""

import math
from typing import Any

import gradio as gr
import numpy as np

from gedi.explorer.desk import Desk
from gedi.explorer.figures import frame_of, gallery_of, tiles_of
from gedi.explorer.map_frame import map_html
from gedi.explorer.overview import cards, verdict_text
from gedi.explorer.population import ORDERS

__all__ = ["clusters_panel"]

_SHOWN = 40
_NEAREST = 8


def clusters_panel(desk: Desk) -> None:
    """Build the panel: the clusters, the points of one, and where one point stands."""
    gr.Textbox(
        verdict_text(desk),
        label="Can the clusters be trusted?",
        interactive=False,
        elem_id="verdict",
    )
    gr.Markdown("### Clusters: choose one to see its points")
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            overview: gr.Gallery | gr.Dataframe
            if desk.has_pictures:
                columns = max(2, math.ceil(math.sqrt(len(desk.names.groups))))
                overview = gallery_of(columns, None, "overview")
            else:
                overview = gr.Dataframe(
                    interactive=False,
                    max_height=620,
                    wrap=True,
                    column_widths=["32%", "15%", "13%", "40%"],
                    elem_id="overview",
                )
        with gr.Column(scale=3, min_width=320):
            whole = gr.HTML(elem_id="map")
    with gr.Row():
        cluster = gr.Dropdown(_choices(desk), value=-1, label="Cluster", elem_id="cluster")
        order = gr.Dropdown(list(ORDERS), value=ORDERS[0], label="Order", elem_id="order")
        search = gr.Textbox(
            label="Search",
            placeholder="row 12, rows 10-20, a word, a file or a label",
            elem_id="search",
        )
    gr.Markdown("### Points: choose one to see how it compares")
    shown = gr.State([])
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            about = gr.Textbox(
                show_label=False, container=False, interactive=False, elem_id="shown"
            )
            gallery = _list_of(desk, 420, "gallery")
            gr.Markdown("### Its nearest points")
            nearest = _list_of(desk, None, "nearest")
        with gr.Column(scale=2, min_width=320):
            chosen = gr.Textbox(label="The chosen point", interactive=False, elem_id="chosen")
            posterior = gr.Label(
                label="Its cluster, p(y|x)", num_top_classes=5, elem_id="posterior"
            )
            density = gr.Plot(label="Its log-density among all points", elem_id="density")
            place = (
                [gr.Plot(label="Its features", elem_id="features")] if _has_columns(desk) else []
            )
    details = [chosen, posterior, density, *place, nearest]

    def list_points(group: int, by: str, text: str) -> tuple[Any, ...]:
        found = desk.gallery(None if group < 0 else group, by, text)
        places = [int(place) for place in found[:_SHOWN]]
        words = f"{len(places)} of {len(found):,} points, {by}"
        first = shown_point(desk, places[0]) if places else tuple(None for _ in details)
        return places, words, _points(desk, places), *first

    def show(places: list[int], event: gr.SelectData) -> tuple[Any, ...]:
        return shown_point(desk, places[_row_of(event)])

    def choose(event: gr.SelectData) -> int:
        return desk.names.groups[_row_of(event)]

    def everything() -> tuple[Any, ...]:
        return gr.Dropdown(_choices(desk)), cards(desk), map_html(desk)

    outputs = [shown, about, gallery, *details]
    inputs = [cluster, order, search]
    gr.on([cluster.change, order.change, search.submit], list_points, inputs, outputs)
    gallery.select(show, [shown], details)
    overview.select(choose, None, [cluster])
    page = gr.context.Context.root_block
    assert page is not None
    page.load(everything, None, [cluster, overview, whole])
    page.load(list_points, inputs, outputs)


def _list_of(desk: Desk, height: int | None, name: str) -> gr.Gallery | gr.Dataframe:
    """An empty gallery, or an empty table, of points."""
    if desk.has_pictures:
        return gallery_of(6, height, name)
    return gr.Dataframe(
        interactive=False, max_height=height or 340, wrap=desk.run.has_texts, elem_id=name
    )


def _row_of(event: gr.SelectData) -> int:
    """The place in a gallery, or the row in a table, that was chosen."""
    return int(event.index[0] if isinstance(event.index, (list, tuple)) else event.index)


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
