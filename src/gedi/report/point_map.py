"""A map of all points that can be searched and zoomed, as data and a script for a page.

Everything that comes from data is compressed and written in base64, and shown by the script as text
and pixels alone. The content policy of a page allows this one script, by its hash.
"""

import base64
import gzip
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from gedi import phrases
from gedi.data.dataset import Dataset, Values
from gedi.evaluation.layout import in_the_plane, layout
from gedi.report.html import render
from gedi.training.trained import Prediction, TrainedModel

__all__ = ["MapPoints", "PointMap", "map_page", "map_points", "point_map"]

_SCRIPT = Path(__file__).parent / "templates" / "map.js"
_MOST_POINTS = 100_000
_MOST_LETTERS = 140  # of a text
_MOST_PICTURES = 10_000
_LARGE, _SIDES = 2_500, (48, 32)  # pictures up to which they are large; pixels of a large one
_ALL_VALUES, _SOME_VALUES = 6, 4  # columns of which all are shown, or those that stand out
_RINGED = 0.01  # share of the points that are ringed as unusual
_MOST_RINGS = 300
_SCALE = 65535


@dataclass(frozen=True, eq=False)
class MapPoints:
    """Points on a map, evenly spaced ones of many.

    Attributes:
        rows: their rows in the data, (m,).
        places: in the unit square, (m, 2).
        titles: what is shown of each, (m,).
        scores: how typical they are, (m,), the lowest for outliers; NaN where it is unknown.
        pictured: which of the points have pictures, (k,).
        pictures: of these, bytes (k, 3, H, W); None if points are no images.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.float32]
    titles: Sequence[str]
    scores: NDArray[np.floating]
    pictured: NDArray[np.int64]
    pictures: NDArray[np.uint8] | None


def map_points(
    trained: TrainedModel,
    dataset: Dataset,
    prediction: Prediction,
    scores: NDArray[np.floating],
) -> MapPoints:
    """Points on a map; of more than 100,000, evenly spaced ones.

    Args:
        trained: the model.
        dataset: the points, (n, d).
        prediction: of the model for all points.
        scores: how typical the points are, (n,), the lowest for outliers; NaN where it is unknown.
    """
    rows = _evenly(len(dataset.x), _MOST_POINTS)
    # An index would copy all rows.
    some: Any = slice(None) if len(rows) == len(dataset.x) else rows
    x = dataset.x[some]
    if x.shape[1] == 2:
        places = in_the_plane(x)
    else:
        places = layout(
            x,
            prediction.probabilities[some],
            prediction.clusters[some],
            lambda part: trained.scaling(part).numpy(),
        )
    pictured = _evenly(len(rows), _MOST_PICTURES)
    pictures = _pictures(dataset, rows[pictured])
    titles = _titles(trained, dataset, rows, x)
    return MapPoints(rows, places, titles, scores[some], pictured, pictures)


@dataclass(frozen=True)
class PointMap:
    """A map for a template.

    Attributes:
        data: the points, compressed, in base64.
        script: shows them.
        hash: of the script, for the content policy.
        n_points: the number of points on it.
    """

    data: Markup
    script: Markup
    hash: str
    n_points: int


def point_map(
    points: MapPoints,
    clusters: NDArray[np.integer],
    names: Sequence[str],
    colors: Sequence[str],
) -> PointMap:
    """A map of points, of which the least typical percent is ringed.

    Args:
        points: the points.
        clusters: the cluster of each row of the data, (n,).
        names: of the clusters, (c,).
        colors: of the clusters, as CSS values, (c,).
    """
    n = len(points.rows)
    whole = np.clip(np.rint(points.places * _SCALE), 0, _SCALE).astype(np.int64)
    own = np.asarray(clusters)[points.rows]
    known = int(np.sum(~np.isnan(points.scores)))
    n_rings = min(_MOST_RINGS, int(np.ceil(_RINGED * known)))
    groups = []
    for k, (name, color) in enumerate(zip(names, colors, strict=True)):
        members = whole[own == k]
        middle = np.median(members, axis=0).tolist() if len(members) else [None, None]
        groups.append({"name": name, "color": color, "x": middle[0], "y": middle[1]})
    content: dict[str, Any] = {
        "x": whole[:, 0].tolist(),
        "y": whole[:, 1].tolist(),
        "k": own.tolist(),
        "groups": groups,
        "texts": [phrases.shortened(title, _MOST_LETTERS) for title in points.titles],
        # Unknown scores are sorted to the end.
        "ring": np.argsort(points.scores, kind="stable")[:n_rings].tolist(),
        "sprite": None if points.pictures is None else _sprite(points.pictures, points.pictured),
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # Without a time of writing, equal content gives equal pages.
    packed = gzip.compress(text.encode(errors="backslashreplace"), 6, mtime=0)
    script = _SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Base64 holds no marks of HTML, and the script is the package's own.
    data = Markup(base64.b64encode(packed).decode())
    return PointMap(data, Markup(script), f"sha256-{digest}", n)


def map_page(title: str, points: PointMap) -> str:
    """A page that holds nothing but a map."""
    return render("map_page.html.j2", {"title": title, "map": points})


def _evenly(n: int, most: int) -> NDArray[np.int64]:
    """At most so many of n rows, evenly spaced."""
    return np.linspace(0, n - 1, min(n, most)).astype(np.int64)


def _titles(
    trained: TrainedModel, dataset: Dataset, rows: NDArray[np.int64], x: Values
) -> Sequence[str]:
    """What is shown of each point: its text, its file, or its row and values, (m,)."""
    if dataset.texts is not None:
        return dataset.texts[rows]
    names = [dataset.titles[int(row)] for row in rows]
    if dataset.image_shape is not None or dataset.are_features:
        return names
    d = x.shape[1]
    columns = dataset.feature_names or [f"feature {j}" for j in range(d)]
    if d <= _ALL_VALUES:
        chosen = np.broadcast_to(np.arange(d), (len(x), d))
    else:
        far = -np.abs(trained.scaling(x).numpy())
        chosen = np.sort(np.argsort(far, axis=1, kind="stable")[:, :_SOME_VALUES], axis=1)
    values = np.take_along_axis(np.asarray(x), chosen, axis=1)
    return [
        f"{name}: " + ", ".join(f"{columns[j]} {v:.4g}" for j, v in zip(own, row, strict=True))
        for name, own, row in zip(names, chosen.tolist(), values.tolist(), strict=True)
    ]


def _pictures(dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    """The images of some rows as bytes in colour, (k, 3, H, W); None if there are none."""
    if dataset.pictures is not None:
        return np.asarray(dataset.pictures[rows])
    if dataset.image_shape is None:
        return None
    images = np.asarray(dataset.x[rows], dtype=np.float32).reshape(-1, *dataset.image_shape)
    low, high = dataset.value_range or (float(images.min()), float(images.max()))
    shares = np.clip((images - low) / max(high - low, 1e-12), 0, 1)
    grey_or_rgb = (255 * shares).round().astype(np.uint8)
    return np.repeat(grey_or_rgb, 3, 1) if grey_or_rgb.shape[1] == 1 else grey_or_rgb[:, :3]


def _sprite(pictures: NDArray[np.uint8], pictured: NDArray[np.int64]) -> dict[str, Any]:
    """Small pictures of some points in one image, and which points they are of."""
    columns = int(np.ceil(np.sqrt(len(pictured))))
    side = _SIDES[len(pictured) > _LARGE]
    sheet = Image.new("RGB", (columns * side, -(-len(pictured) // columns) * side))
    for place, picture in enumerate(pictures):
        pixels = np.ascontiguousarray(np.asarray(picture).transpose(1, 2, 0))
        small = Image.fromarray(pixels).resize((side, side))
        sheet.paste(small, ((place % columns) * side, (place // columns) * side))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=70)
    source = base64.b64encode(buffer.getvalue()).decode()
    return {
        "source": f"data:image/webp;base64,{source}",
        "side": side,
        "columns": columns,
        "places": pictured.tolist(),
    }
