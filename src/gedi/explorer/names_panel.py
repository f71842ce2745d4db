"""The panel that names and merges clusters."""

from typing import Any

import gradio as gr
import pandas as pd

from gedi.explorer.desk import Desk
from gedi.runs.names import FILE, ClusterNames

__all__ = ["names_panel"]


def names_panel(desk: Desk) -> None:
    """Build the panel: names and merges, which are stored in the run folder."""
    gr.Markdown("### Names: give each cluster a name, and merge clusters that belong together")
    table = gr.Dataframe(label="Clusters", interactive=False, elem_id="names")
    with gr.Row():
        which = gr.Dropdown(desk.choices(), label="Cluster", elem_id="which")
        name = gr.Textbox(label="New name", max_length=100, elem_id="name")
        rename = gr.Button("Rename", variant="primary", elem_id="rename")
    with gr.Row():
        keep = gr.Dropdown(desk.choices(), label="Merge this cluster", elem_id="keep")
        other = gr.Dropdown(desk.choices(), label="with this one", elem_id="other")
        merge = gr.Button("Merge", elem_id="merge")
        separate = gr.Button("Undo merges of the first cluster", elem_id="separate")
    gr.Textbox(
        str(desk.run.path / FILE),
        label="File of the names, which gedi predict uses",
        interactive=False,
    )
    outputs = [table, which, keep, other]

    def updated() -> tuple[Any, ...]:
        menus = (gr.Dropdown(desk.choices(), value=None) for _ in range(3))
        return names_frame(desk), *menus

    def apply(change: Any) -> tuple[Any, ...]:
        try:
            names: ClusterNames = change()
        except (ValueError, TypeError) as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error
        names.save(desk.run.path)
        desk.names = names
        return updated()

    rename.click(
        lambda k, text: apply(lambda: desk.names.rename(_chosen(k), text)), [which, name], outputs
    )
    merge.click(
        lambda a, b: apply(lambda: desk.names.merge(_chosen(a), _chosen(b))), [keep, other], outputs
    )
    separate.click(lambda a: apply(lambda: desk.names.separate(_chosen(a))), [keep], outputs)
    page = gr.context.Context.root_block
    assert page is not None
    page.load(updated, None, outputs)


def _chosen(cluster: int | None) -> int:
    if cluster is None:
        raise ValueError("choose a cluster first")
    return cluster


def names_frame(desk: Desk) -> pd.DataFrame:
    """One row for each cluster: its number, its name, and its number of points."""
    sizes = pd.Series(desk.population.prediction.clusters).value_counts()
    names = desk.names
    return pd.DataFrame(
        {
            "cluster": list(range(len(names.names))),
            "name": [names.of(k) for k in range(len(names.names))],
            "points": [int(sizes.get(k, 0)) for k in range(len(names.names))],
            "merged into": ["" if k == into else str(into) for k, into in enumerate(names.into)],
        }
    )
