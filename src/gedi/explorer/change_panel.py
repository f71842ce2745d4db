"""The panel that interpolates between points and fills in a part of one."""

from typing import Any

import gradio as gr
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Generator

from gedi.evaluation.imputation import fill_in, interpolate
from gedi.explorer.desk import Desk
from gedi.explorer.figures import gallery_of, tiles

__all__ = ["PARTS", "change_panel", "free_part"]

PARTS = ("left half", "right half", "upper half", "lower half", "centre", "all")
_BETWEEN = 9
_DIGITS = 4


def change_panel(desk: Desk) -> None:
    """Build the panel: lines between two points, and parts of a point that are drawn again."""
    most = len(desk.population.rows) - 1
    gr.Markdown(
        "### Between two points: what changes on the way\n"
        f"Choose points by their index in the run, from 0 to {most:,}."
    )
    with gr.Row():
        first = gr.Number(0, label="From point", precision=0, minimum=0, maximum=most)
        last = gr.Number(min(1, most), label="To point", precision=0, minimum=0, maximum=most)
    go = gr.Button("Interpolate", elem_id="interpolate")
    way = _viewer(
        desk, "Points on the straight line, with their cluster and log-density (nats)", "way"
    )
    go.click(lambda a, b: line_between(desk, a, b), [first, last], way)
    gr.Markdown("### A part of a point: what the model expects there, given the rest")

    with gr.Row():
        place = gr.Number(0, label="Point", precision=0, minimum=0, maximum=most)
        if desk.has_images:
            part = gr.Dropdown(list(PARTS), value=PARTS[0], label="Fill in", elem_id="part")
        else:
            names = desk.population.feature_names
            features = list(zip(names, range(len(names)), strict=True))
            part = gr.Dropdown(
                features, value=[0], multiselect=True, label="Fill in", elem_id="part"
            )
        seed = gr.Number(0, label="Seed", precision=0, minimum=0)
    fill = gr.Button("Fill in this part", variant="primary", elem_id="fill")
    filled = _viewer(
        desk, "The point and its filled-in versions, with cluster and log-density (nats)", "filled"
    )
    fill.click(lambda *values: filled_in(desk, *values), [place, part, seed], filled)
    page = gr.context.Context.root_block
    assert page is not None
    page.load(lambda a, b: line_between(desk, a, b), [first, last], way)
    page.load(lambda *values: filled_in(desk, *values), [place, part, seed], filled)


def line_between(desk: Desk, first: float, last: float) -> Any:
    """Points on the line between two points, with their predictions."""
    x = interpolate(_point(desk, first), _point(desk, last), _BETWEEN)
    return _view(desk, x, [""] * len(x))


def filled_in(desk: Desk, place: float, part: Any, seed: float) -> Any:
    """A point, and draws of one part of it given the rest."""
    x, free = _point(desk, place), free_part(desk, part)
    if not free.any():
        raise gr.Error("choose at least one feature to fill in", print_exception=False)
    found = fill_in(
        desk.population.trained, x, free, n=6, generator=Generator().manual_seed(int(seed))
    )
    names = ["the point: ", *[""] * len(found)]
    return _view(desk, np.concatenate([x[None], found[:, -1]]), names)


def free_part(desk: Desk, part: Any) -> NDArray[np.bool_]:
    """The mask of the coordinates that belong to a part of an image, or to a list of features."""
    shape = desk.population.image_shape
    if shape is None:
        free = np.zeros(desk.population.dataset.x.shape[1], dtype=bool)
        free[list(part or [])] = True
        return free
    _, height, width = shape
    image = np.zeros(shape, dtype=bool)
    rows, columns = {
        "left half": (slice(None), slice(0, width // 2)),
        "right half": (slice(None), slice(width // 2, None)),
        "upper half": (slice(0, height // 2), slice(None)),
        "lower half": (slice(height // 2, None), slice(None)),
        "centre": (slice(height // 4, -(height // 4)), slice(width // 4, -(width // 4))),
        "all": (slice(None), slice(None)),
    }[part]
    image[:, rows, columns] = True
    return image.reshape(-1)


def _point(desk: Desk, place: float) -> NDArray[np.float64]:
    n = len(desk.population.rows)
    if place is None or not 0 <= place < n:
        raise gr.Error(f"expected a point from 0 to {n - 1}, got {place}", print_exception=False)
    return np.asarray(desk.population.dataset.x[int(place)], dtype=np.float64)


def _viewer(desk: Desk, label: str, name: str) -> gr.Gallery | gr.Dataframe:
    if desk.has_images:
        gr.Markdown(label)
        return gallery_of(9, None, name)
    return gr.Dataframe(label=label, interactive=False, elem_id=name)


def _view(desk: Desk, x: NDArray[np.float64], names: list[str]) -> Any:
    found = desk.population.trained.predict(x)
    clusters = [desk.names.of(int(k)) for k in found.clusters]
    if desk.has_images:
        parts = zip(names, clusters, found.log_density, strict=True)
        return tiles(desk.population, x, [f"{a}{k}, {value:.0f}" for a, k, value in parts])
    about = pd.DataFrame({"cluster": clusters, "log-density": found.log_density.round(2)})
    if any(names):
        about.insert(0, "point", names)
    values = pd.DataFrame(np.round(x, _DIGITS)).set_axis(desk.population.feature_names, axis=1)
    return pd.concat([about, values], axis=1)
