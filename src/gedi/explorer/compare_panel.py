"""The panel that compares two runs."""

from typing import Any

import gradio as gr
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gedi import plot
from gedi.errors import DataError
from gedi.evaluation.clustering import agreement, match
from gedi.explorer.desk import Desk
from gedi.explorer.figures import frame_of, gallery_of, tiles_of
from gedi.runs import Run
from gedi.runs.names import ClusterNames

__all__ = ["agreement_table", "compare_panel", "crossing_figure", "moved_points"]

_SHOWN = 40  # points that changed their cluster


def compare_panel(desk: Desk, other: Run) -> None:
    """Build the panel: the agreement of two runs on the points of the first."""
    gr.Markdown("### Two runs: do they find the same clusters?")
    clusters = clusters_by(desk, other)
    figures = agreement_table(desk, other, clusters)
    gr.Dataframe(figures, label="Results of both runs", elem_id="figures")
    crossing = crossing_figure(desk, other, clusters)
    gr.Plot(crossing, label="Points in each pair of clusters", elem_id="crossing")
    places = moved_points(desk, clusters)
    if not places:
        return
    gr.Markdown("### Points that the two runs put into different clusters, the most certain first")
    shown = gallery_of(6, None, "moved") if desk.has_pictures else _table(desk)
    page = gr.context.Context.root_block
    assert page is not None
    page.load(lambda: _moved(desk, other, places[:_SHOWN], clusters), None, shown)


def _table(desk: Desk) -> gr.Dataframe:
    if not desk.run.has_texts:
        return gr.Dataframe(interactive=False, elem_id="moved")
    widths = ["46%", "10%", "22%", "22%"]
    return gr.Dataframe(interactive=False, wrap=True, column_widths=widths, elem_id="moved")


def moved_points(desk: Desk, clusters: np.ndarray) -> list[int]:
    """Points whose cluster in the other run is not the one that matches theirs, (m,).

    The most certain ones come first.

    Args:
        desk: the open run.
        clusters: of its points in the other run, (n,).
    """
    found = desk.population.prediction
    moved = np.flatnonzero(match(found.clusters, clusters)[clusters] != found.clusters)
    sure = found.probabilities[moved].max(1)
    return [int(place) for place in moved[np.argsort(-sure, kind="stable")]]


def _moved(desk: Desk, other: Run, places: list[int], clusters: np.ndarray) -> Any:
    """Points with their cluster in both runs, as tiles or as a table."""
    names = ClusterNames.load(other.path, other.load_model().n_clusters)
    there = [names.of(int(clusters[place])) for place in places]
    if desk.has_pictures:
        found = zip(tiles_of(desk.population, places), places, there, strict=True)
        own = desk.population.prediction.clusters
        return [
            (picture, f"{text}: {desk.names.of(int(own[place]))}, then {name}")
            for (picture, text), place, name in found
        ]
    frame = frame_of(desk.population, desk.names, places)
    if desk.run.has_texts:
        frame = frame.drop(columns="log-density")
    frame.insert(list(frame.columns).index("cluster") + 1, "in the other run", there)
    return frame


def clusters_by(desk: Desk, other: Run) -> np.ndarray:
    """The clusters of this run's points under the model of the other run.

    Raises:
        DataError: if the two have different numbers of features.
    """
    if desk.has_features:
        # The other run may use another network: it makes features of the same raw things.
        whole = other.new_data(desk.run.source.data, text=desk.run.source.text)
        rows = desk.population.rows
        both: np.ndarray = other.load_model().clusters(whole.x[rows])
        return both
    x = desk.population.dataset.x
    if other.n_features != x.shape[1]:
        raise DataError(
            f"{other.path}: expected {x.shape[1]} features, the number in {desk.run.path}, "
            f"got {other.n_features}"
        )
    found: np.ndarray = other.load_model().clusters(x)
    return found


def agreement_table(desk: Desk, other: Run, clusters: np.ndarray) -> pd.DataFrame:
    """A table of the results of both runs and their agreement."""
    own = desk.population.prediction.clusters
    found = agreement(own, clusters)
    rows = []
    for run, places in ((desk.run, own), (other, clusters)):
        result = run.result()
        rows.append(
            {
                "run": run.path.name,
                "clusters": run.settings().n_clusters,
                "used": len(np.unique(places)),
                "collapse gap (nats)": round(float(result["collapse_gap"]), 4),
                "iterations": result["iterations"],
                "NMI with the first": 1.0 if run is desk.run else round(found["NMI"], 3),
                "ARI with the first": 1.0 if run is desk.run else round(found["ARI"], 3),
            }
        )
    return pd.DataFrame(rows)


def crossing_figure(desk: Desk, other: Run, clusters: np.ndarray) -> Figure:
    """The number of points in each pair of clusters of the two runs."""
    own = desk.population.prediction.clusters
    counts = np.zeros((own.max() + 1, clusters.max() + 1), dtype=np.int64)
    np.add.at(counts, (own, clusters), 1)
    figure = Figure(figsize=(5.6, 4.6), layout="constrained")
    ax = figure.add_subplot()
    image = ax.imshow(counts, cmap="Blues")
    figure.colorbar(image, ax=ax, label="points")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(f"cluster of {plot.short_name(other.path.name)}")
    ax.set_ylabel(f"cluster of {plot.short_name(desk.run.path.name)}")
    return figure
