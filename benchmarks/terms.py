"""What each term of the bound does: moons trained without one of them, beside all three.

    python benchmarks/terms.py [--seeds 3] [--pictures docs]

One training by chance each (no restarts, no k-means, no score matching), with the same seeds, views
and network: only one weight is zero. Rows are stored as they end, and only what is missing is
trained. With --pictures the first seed is trained anew, and drawn as the training goes on. Prints
the table of docs/how-it-works.md.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from common import missing, provenance, read, write
from gedi import Dataset, TrainedModel, load, plot, start
from gedi.data.toy import log_density
from gedi.evaluation.clustering import nmi
from gedi.settings import RestartSettings, Settings, WeightSettings
from gedi.training.hooks import StopWhen
from gedi.training.session import Session

Floats = NDArray[np.floating]
Draw = Callable[[Axes, TrainedModel, Dataset], object]

WEIGHTS = {
    "all three": WeightSettings(),
    "no PRIOR": WeightSettings(prior=0.0),
    "no INV": WeightSettings(inv=0.0),
    "no GEN": WeightSettings(gen=0.0),
}
MOMENTS = (0.02, 0.1, 0.3, 1.0)  # of the training, when pictures are taken
POINTS, ITERATIONS = 2000, 1000
HELD_OUT_SEED = 1_000_003
COLORS = 96  # of a picture's palette; more cannot be told apart
DRAWN = 2  # one in so many points


@dataclass(frozen=True)
class Story:
    """A training as it went: models by iteration, and what came of it."""

    models: dict[int, TrainedModel]
    gap: float


def train(dataset: Dataset, weights: WeightSettings, seed: int) -> Story:
    """Train by chance with these weights, and keep the model at each moment."""
    settings = Settings(
        n_clusters=2,
        max_iter=ITERATIONS,
        patience=ITERATIONS,
        seed=seed,
        weights=weights,
        restarts=RestartSettings(n=1, kmeans=0, score_matching=0, warmup=0),
    )
    session = start(dataset, settings)
    models = {}
    for moment in MOMENTS:
        until = round(moment * ITERATIONS)
        session.train([StopWhen(partial(_has_come_to, session, until))])
        models[session.state.iteration] = session.trained_model()
    return Story(models, session.result().collapse_gap)


def _has_come_to(session: Session, iteration: int) -> bool:
    return session.state.iteration >= iteration


def figures(story: Story, dataset: Dataset) -> dict[str, float | None]:
    """The last model in numbers, on held-out points; no regret where no density was learned."""
    model = list(story.models.values())[-1]
    told = model.predict(dataset.x)
    assert dataset.labels is not None
    regret = float((log_density("moons", dataset.x) - told.log_density).mean())
    return {
        "largest": float(np.bincount(told.clusters).max() / len(told.clusters)),
        "certainty": float(told.probabilities.max(axis=1).mean()),
        "gap": story.gap,
        "nmi": nmi(dataset.labels, told.clusters),
        "regret": None if model.normalizer is None else regret,
    }


def regions(ax: Axes, model: TrainedModel, dataset: Dataset) -> None:
    """The likeliest cluster of each place, paler where less sure, under the points."""
    low, high = corners(dataset)
    plot.decision_regions(
        ax, lambda grid: model.predict(grid).probabilities, low, high, resolution=120
    )
    plot.points(ax, dataset.x[::DRAWN], size=2.0, edge="none")


def landscape(ax: Axes, model: TrainedModel, dataset: Dataset) -> None:
    """-E(x), which is the log-density up to a constant."""
    low, high = corners(dataset)
    plot.energy_landscape(
        ax, lambda grid: -model.predict(grid).energy, low, high, depth=10.0, resolution=90
    )
    for bar in ax.child_axes:
        bar.set_ylabel("")


def corners(dataset: Dataset) -> tuple[Floats, Floats]:
    """A box with some room around the points."""
    return dataset.x.min(axis=0) - 0.3, dataset.x.max(axis=0) + 0.3


def picture(stories: dict[str, Story], draw: Draw, dataset: Dataset, file: Path) -> None:
    """One row a training, one column a moment."""
    n_columns, first = len(MOMENTS), next(iter(stories))
    figure = Figure(figsize=(8.4, 1.7 * len(stories) + 0.25), dpi=110, layout="constrained")
    axes = figure.subplots(len(stories), n_columns, squeeze=False)
    for row, (name, story) in zip(axes, stories.items(), strict=True):
        for ax, (iteration, model) in zip(row, story.models.items(), strict=True):
            draw(ax, model, dataset)
            ax.set_xticks([])
            ax.set_yticks([])
            if name == first:
                ax.set_title(f"iteration {iteration:,}", fontsize=9, color=plot.INK)
        row[0].set_ylabel(name, fontsize=10, color=plot.INK)
    save(figure, file)


def save(figure: Figure, file: Path) -> None:
    """Write with a small palette: a quarter of the bytes."""
    figure.savefig(file)
    with Image.open(file) as drawn:
        drawn.convert("RGB").quantize(COLORS).save(file, optimize=True)
    print(f"{file} written, {file.stat().st_size / 1024:.0f} KiB")


COLUMNS = {
    "largest": "share of the largest cluster",
    "certainty": "mean of max p(y\\|x)",
    "gap": "collapse gap (nats)",
    "nmi": "NMI",
    "regret": "regret of the density (nats)",
}


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Lines of markdown: least to largest over seeds."""
    yield "| | seeds | " + " | ".join(COLUMNS.values()) + " |"
    yield "|---" * (len(COLUMNS) + 2) + "|"
    for name in WEIGHTS:
        mine = [row for row in rows if row["terms"] == name]
        cells = [spread([row[column] for row in mine]) for column in COLUMNS]
        yield f"| {name} | {len(mine)} | " + " | ".join(cells) + " |"


def spread(values: list[float | None]) -> str:
    """Least to largest; a dash where there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    low, high = f"{min(known):.2f}", f"{max(known):.2f}"
    return low if low == high else f"{low} to {high}"


def draw_all(stories: dict[str, Story], dataset: Dataset, folder: Path) -> None:
    """A picture for each term: without it, and with all three."""
    for term, draw, file in (
        ("PRIOR", regions, "terms-prior.png"),
        ("INV", regions, "terms-inv.png"),
        ("GEN", landscape, "terms-gen.png"),
        ("GEN", regions, "terms-gen-clusters.png"),
    ):
        pair = {key: stories[key] for key in (f"no {term}", "all three")}
        picture(pair, draw, dataset, folder / file)


def main() -> None:
    """Fill the cells that are not there yet, draw if asked to, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the first seed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed in range(options.seeds):
        drawn = seed == 0 and options.pictures is not None
        dataset = load("moons", n_points=POINTS, seed=seed)
        held_out = load("moons", n_points=POINTS, seed=seed + HELD_OUT_SEED)
        stories = {}
        for name, weights in WEIGHTS.items():
            new = missing("terms", terms=name, seed=seed)
            if new or drawn:
                stories[name] = train(dataset, weights, seed)
            if new:
                row = {"terms": name, "seed": seed, "points": POINTS, "iterations": ITERATIONS}
                write("terms", row | figures(stories[name], held_out) | provenance())
        if drawn:
            draw_all(stories, dataset, options.pictures)
    print(*table(read("terms")), sep="\n")


if __name__ == "__main__":
    main()
