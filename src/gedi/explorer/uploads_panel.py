"""The panel that predicts points from users: cluster, score and verdict."""

from typing import Any

import gradio as gr
import numpy as np
import pandas as pd

from gedi.data.dataset import Dataset
from gedi.data.images import holds_images
from gedi.errors import GediError
from gedi.explorer.desk import Desk
from gedi.explorer.figures import gallery_of, tiles
from gedi.explorer.uploads import kinds_of, points_of_files, points_of_text, points_of_texts
from gedi.phrases import shortened

__all__ = ["uploads_panel"]

_SHOWN = 200


def uploads_panel(desk: Desk) -> None:
    """Build the panel: uploads of images or a table, or pasted rows."""
    kinds = kinds_of(desk.run)
    noun = "file of texts" if desk.run.has_texts else "table"
    gr.Markdown(
        "### Your own points: choose files"
        + (", and press Predict" if desk.has_pictures else " or paste rows, and press Predict")
    )
    files = gr.File(
        label="Images" if desk.has_pictures else f"A {noun} ({', '.join(kinds)})",
        file_count="multiple" if desk.has_pictures else "single",
        file_types=list(kinds),
        elem_id="files",
    )
    with gr.Row(visible=not desk.has_pictures):
        text = gr.Textbox(
            label="or paste texts, one on each line" if desk.run.has_texts else "or paste rows",
            lines=4,
            placeholder="" if desk.has_features else ", ".join(desk.population.feature_names[:6]),
            elem_id="rows",
        )
    ask = gr.Button("Predict", variant="primary", elem_id="ask")
    with gr.Column(visible=False) as answers:  # nothing to see before a prediction
        if desk.has_images:
            gr.Markdown("The images at the size of the model")
            seen = gallery_of(8, None, "seen")
        verdicts = gr.Dataframe(label="Predictions", interactive=False, elem_id="verdicts")

    def answer(paths: list[str] | str | None, rows: str) -> Any:
        try:
            dataset = _points(desk, paths, rows)
            table = verdict_frame(desk, dataset)
        except GediError as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error
        if not desk.has_images:
            return gr.Column(visible=True), table
        captions = [str(name) for name in table["point"]]
        images = tiles(desk.population, dataset.x[:_SHOWN], captions)
        return gr.Column(visible=True), images, table

    ask.click(
        answer,
        [files, text],
        [answers, seen, verdicts] if desk.has_images else [answers, verdicts],
    )


def verdict_frame(desk: Desk, dataset: Dataset) -> pd.DataFrame:
    """One row for each point: verdict, cluster, probability, scores and, for tables, reasons."""
    x, trained = dataset.x[:_SHOWN], desk.population.trained
    found = trained.predict(x)
    standings = [desk.population.standing(float(score)) for score in trained.outlier_scores(x)]
    points = [f"{number}" for number in range(1, len(standings) + 1)]
    if dataset.texts is not None:
        points = [shortened(text) for text in dataset.texts[:_SHOWN]]
    grouped = desk.names.probabilities(found.probabilities)
    frame = pd.DataFrame(
        {
            "point": points,
            "verdict": [standing.verdict for standing in standings],
            "cluster": [desk.names.of(int(k)) for k in found.clusters],
            "probability": grouped.max(1).round(3),
            "log-density": np.round(found.log_density, 2),
            "more unusual points": [f"{standing.share:.1%}" for standing in standings],
        }
    )
    if trained.explains_outliers and not desk.has_features:
        frame["reasons"] = [
            "; ".join(f"{name} {text}" for name, text in some) for some in desk.reasons(x)
        ]
    return frame


def _points(desk: Desk, paths: list[str] | str | None, rows: str) -> Dataset:
    if paths:
        files = [paths] if isinstance(paths, str) else paths
        dataset = desk.population.dataset
        # White is 255 in bytes and in image files, however dim the images are.
        is_bytes = dataset.x.dtype == np.uint8 or holds_images(desk.run.source.data)
        return points_of_files(desk.run, files, (0.0, 255.0) if is_bytes else dataset.value_range)
    if desk.run.has_texts:
        return points_of_texts(desk.run, rows)
    return points_of_text(desk.run, "" if desk.has_pictures else rows)
