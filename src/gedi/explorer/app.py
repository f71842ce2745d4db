"""The page with all panels, and the server for it."""

import os
from pathlib import Path

import gradio as gr

from gedi.explorer.change_panel import change_panel
from gedi.explorer.clusters_panel import clusters_panel
from gedi.explorer.compare_panel import compare_panel
from gedi.explorer.desk import Desk
from gedi.explorer.generate_panel import generate_panel
from gedi.explorer.names_panel import names_panel
from gedi.explorer.uploads import MOST_BYTES
from gedi.explorer.uploads_panel import uploads_panel
from gedi.runs import Run

__all__ = ["page_of", "serve"]

# No fonts from elsewhere: the page works offline.
_THEME = gr.themes.Default(
    font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
)
_STYLE = """
footer {display: none !important}
.gradio-container {max-width: none !important}
.grid-wrap.fixed-height {min-height: 0 !important; max-height: 70vh !important}
#verdict textarea {field-sizing: content; height: auto !important}
"""


def page_of(run: Run, other: Run | None = None) -> gr.Blocks:
    """Build the page of a run, with a comparison if another run is given.

    Raises:
        RunError: if a run is not finished or damaged.
        DataError: if its data are gone or do not fit the other run.
    """
    desk = Desk.open(run)
    with gr.Blocks(title="GEDI explorer", analytics_enabled=False, fill_width=True) as page:
        gr.Textbox(
            f"{run.path.name}: {len(desk.population.rows):,} points of "
            f"{desk.population.dataset.name} in {desk.population.n_clusters} clusters",
            show_label=False,
            container=False,
            interactive=False,
            elem_id="title",
        )
        with gr.Tab("Clusters"):
            clusters_panel(desk)
        with gr.Tab("New points"):
            uploads_panel(desk)
        with gr.Tab("Generate"):
            generate_panel(desk)
        if not desk.has_features:
            with gr.Tab("Change"):
                change_panel(desk)
        with gr.Tab("Names"):
            names_panel(desk)
        if other is not None:
            with gr.Tab("Compare"):
                compare_panel(desk, other)
    return page


def serve(page: gr.Blocks, host: str, port: int | None) -> str:
    """Serve the page in the background and return its address.

    Raises:
        OSError: if the port is taken.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        max_file_size=MOST_BYTES,
        allowed_paths=[],
        blocked_paths=[str(Path.home())],
        theme=_THEME,
        css=_STYLE,
    )
    return str(address)
