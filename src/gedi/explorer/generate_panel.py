"""The panel that draws samples and shows the chains while they run."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray
from torch import Generator

from gedi.evaluation.trajectories import positions_from_noise
from gedi.explorer.desk import Desk
from gedi.explorer.figures import frame_of, gallery_of, plane_figure, tiles, tiles_of
from gedi.model import SamplesDirectly

__all__ = ["chain_positions", "generate_panel"]

_ROUNDS = (0, 2, 5, 10, 20, 40, 80)


def generate_panel(desk: Desk) -> None:
    """Build the panel: samples of p(x) or of one cluster; chains are shown round by round."""
    gr.Markdown("### New points of the model: choose a cluster, and draw again with another seed")
    with gr.Row():
        cluster = gr.Dropdown(
            [("all", -1), *desk.choices()], value=-1, label="Cluster", elem_id="of-cluster"
        )
        number = gr.Slider(2, 24, value=8, step=1, label="Samples", elem_id="n-samples")
        seed = gr.Number(0, label="Seed", precision=0, minimum=0)
    draw = gr.Button("Draw samples", variant="primary", elem_id="draw")
    status = gr.Textbox(label="Progress", interactive=False, elem_id="chains")
    shown: gr.Gallery | gr.Plot | gr.Dataframe
    if desk.has_features:
        gr.Markdown(
            "A sample of this model is a vector of features, neither a text nor a picture: for "
            "each one, the nearest point of the run is shown."
        )
    if desk.has_pictures:
        shown = gallery_of(8, None, "samples")
    elif desk.population.dataset.x.shape[1] == 2:
        shown = gr.Plot(label="Samples", elem_id="samples")
    else:
        shown = gr.Dataframe(label="Samples", interactive=False, elem_id="samples")

    def live(group: int, n: int, start: int) -> Iterator[tuple[str, Any]]:
        for words, x in chain_positions(desk, None if group < 0 else group, int(n), int(start)):
            yield words, _view(desk, x)

    draw.click(live, [cluster, number, seed], [status, shown])
    page = gr.context.Context.root_block
    assert page is not None
    page.load(lambda: gr.Dropdown([("all", -1), *desk.choices()]), None, cluster)
    page.load(live, [cluster, number, seed], [status, shown])


def chain_positions(
    desk: Desk, group: int | None, n: int, seed: int
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yields words and positions (n, d) of chains after some rounds, and in the end the samples.

    Of models that need no chains there are only the samples.

    Args:
        desk: the open run.
        group: sample from this cluster and those merged with it; None: from p(x).
        n: number of samples.
        seed: seed of all random numbers.
    """
    trained = desk.population.trained
    members = [k for k, into in enumerate(desk.names.into) if into == group]
    generator = Generator().manual_seed(seed)
    if isinstance(trained.model, SamplesDirectly):
        end = trained.finished(trained.model.sample(n, generator, members))
    else:
        places = positions_from_noise(trained, n, _ROUNDS, generator, clusters=members)
        for rounds in _ROUNDS:
            yield f"after {rounds} rounds of moves", next(places)
        end = next(places)
    clusters = [desk.names.of(int(k)) for k in trained.clusters(end)]
    yield f"done; clusters: {', '.join(clusters)}", end


def _view(desk: Desk, x: NDArray[np.float64]) -> Any:
    if desk.has_features:
        nearest = [int(desk.population.nearest(row, 1)[0]) for row in x]
        if desk.has_pictures:
            return tiles_of(desk.population, nearest)
        return frame_of(desk.population, desk.names, nearest)
    if desk.has_images:
        return tiles(desk.population, x, [""] * len(x))
    if x.shape[1] == 2:
        return plane_figure(desk.population, x)
    return {"headers": desk.population.feature_names, "data": np.round(x, 4).tolist()}
