"""The folder of a sweep over the number of clusters.

    asked.json           data and settings, so that only cells with equal ones are combined
    cells/c3-part0.json  the result of the training at 3 clusters on the first half, and so on
    sweep.json           one row for each number of clusters, and the suggestion
    sweep.png            agreement and information over the number of clusters
    sweep.html           the same as a page

Each cell is written when its training ends, so a sweep that is stopped can be continued.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gedi import phrases, plot
from gedi.errors import RunError
from gedi.files import beside
from gedi.report.html import write_page
from gedi.report.pictures import chart
from gedi.runs import feature_cache
from gedi.runs.lock import LOCK
from gedi.sweeps.advice import Advice, Row
from gedi.sweeps.halves import Cell
from gedi.untrusted import check_within, json_of, readable

__all__ = ["TITLES", "SweepFolder", "figures"]

TITLES = (
    "clusters",
    "used",
    "agreement",
    "least",
    "information (nats)",
    "of log c",
    "gap",
    "log p (nats)",
)
_CELLS = "cells"


@dataclass(frozen=True)
class SweepFolder:
    """A folder with the cells of one sweep."""

    path: Path

    @classmethod
    def of(cls, path: Path, asked: Mapping[str, Any]) -> Self:
        """Open the folder, or create it.

        Raises:
            RunError: if it contains something else, or cannot be created.
        """
        file = path / "asked.json"
        wanted = json.loads(json.dumps(asked))
        if not file.is_file() and _is_taken(path):
            raise RunError(f"{path}: is not empty and not a sweep: choose another --out")
        try:
            (path / _CELLS).mkdir(parents=True, exist_ok=True)
            check_within(path)
            known = json_of(file) if file.is_file() else wanted
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: cannot be used: {error}") from error
        if known != wanted:
            raise RunError(
                f"{path}: is a sweep of other data or settings: choose another --out, or "
                "remove the folder"
            )
        _write_json(file, wanted)
        return cls(path)

    def cells(self, n_points: int) -> dict[tuple[int, int], Cell]:
        """The stored cells, by number of clusters and part.

        Raises:
            RunError: if one cannot be read, or has another number of points.
        """
        found = {}
        for file in sorted((self.path / _CELLS).glob("c*.json")):
            with readable(file, "; remove it, and run the sweep again"):
                cell = _cell(json_of(file), n_points)
            found[cell.n_clusters, cell.part] = cell
        return found

    def keep(self, cell: Cell) -> None:
        """Store a finished cell."""
        content = {
            "n_clusters": cell.n_clusters,
            "part": cell.part,
            "collapse_gap": cell.collapse_gap,
            "log_density": _number_or_null(cell.log_density),
            "n_unseen": cell.n_unseen,
            "clusters": cell.clusters.tolist(),
        }
        name = f"c{cell.n_clusters}-part{cell.part}.json"
        _write_json(self.path / _CELLS / name, content)

    def write_result(
        self, rows: Sequence[Row], advice: Advice, title: str, next_steps: Sequence[str]
    ) -> None:
        """Write sweep.json, sweep.png and sweep.html."""
        table = [
            {name: _number_or_null(value) for name, value in row._asdict().items()} for row in rows
        ]
        result = {"suggested": advice.n_clusters, "advice": advice.text, "rows": table}
        _write_json(self.path / "sweep.json", result)
        columns = {name: [getattr(row, name) for row in rows] for name in Row._fields}

        def told(ax: Axes) -> Axes:
            return plot.sweep_told(ax, columns, suggested=advice.n_clusters)

        def stability(ax: Axes) -> Axes:
            return plot.sweep_stability(ax, columns, suggested=advice.n_clusters)

        figure = Figure(figsize=(9.0, 3.4), layout="constrained", facecolor="white")
        for draw, ax in zip((told, stability), figure.subplots(1, 2), strict=True):
            draw(ax)
        with beside(self.path / "sweep.png") as partial:
            figure.savefig(partial, format="png", dpi=150, metadata={"Software": None})
        pictures = [
            chart(
                told,
                alt="Information about unseen points in nats, and log c, by number of clusters",
                caption="Information about points that were not trained on; dashed: the maximum, "
                "log c",
                size=(4.6, 3.2),
            ),
            chart(
                stability,
                alt="Adjusted Rand index between trainings, by number of clusters",
                caption="Agreement of trainings on different halves",
                size=(4.6, 3.2),
            ),
        ]
        shown = [{"n_clusters": row.n_clusters, "cells": figures(row)} for row in rows]
        write_page(
            self.path / "sweep.html",
            "sweep.html.j2",
            {
                "title": title,
                "suggested": advice.n_clusters,
                "advice": advice.text,
                "pictures": pictures,
                "titles": TITLES,
                "rows": shown,
                "next_steps": next_steps,
            },
        )


def figures(row: Row) -> list[str]:
    """The cells of a row as text, in the order of `TITLES`."""
    return [
        str(row.n_clusters),
        f"{row.used:.3g}",
        phrases.number(row.stability),
        phrases.number(row.least_stability),
        f"{row.told:.3f} ± {row.told_spread:.3f}",
        phrases.number(math.log(row.n_clusters)),
        phrases.number(row.collapse_gap),
        phrases.number(row.log_density),
    ]


def _cell(content: Any, n_points: int) -> Cell:
    """Read a cell.

    Raises:
        ValueError: for anything that is not one.
    """
    names = ("n_clusters", "part", "n_unseen")
    if not isinstance(content, dict) or any(type(content.get(name)) is not int for name in names):
        raise ValueError(f"expected a JSON object with whole numbers as {', '.join(names)}")
    gap, log_density = content.get("collapse_gap"), content.get("log_density")
    if not isinstance(gap, float) or not isinstance(log_density, float | None):
        raise ValueError("expected numbers as collapse_gap and log_density")
    clusters, c = content.get("clusters"), content["n_clusters"]
    if (
        not isinstance(clusters, list)
        or len(clusters) != n_points
        or not all(type(k) is int and 0 <= k < c for k in clusters)
    ):
        raise ValueError(f"clusters: expected {n_points} whole numbers below {c}")
    return Cell(
        n_clusters=c,
        part=content["part"],
        collapse_gap=gap,
        log_density=math.nan if log_density is None else log_density,
        n_unseen=content["n_unseen"],
        clusters=np.array(clusters, np.int64),
    )


def _number_or_null(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None


def _is_taken(path: Path) -> bool:
    """Whether there is anything but a lock and features, which come before the first training."""
    known = {path / LOCK, feature_cache(path).folder}
    return path.is_file() or (path.is_dir() and any(each not in known for each in path.iterdir()))


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    with beside(file) as partial:
        partial.write_text(json.dumps(content, indent=None) + "\n", encoding="utf-8")
