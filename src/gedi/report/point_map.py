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

from gedi.report.html import render

__all__ = ["PointMap", "map_page", "point_map"]

_SCRIPT = Path(__file__).parent / "templates" / "map.js"
_MOST_POINTS = 100_000
_MOST_LETTERS = 140  # of a text
_MOST_PICTURES = 2_000
_SIDE = 48  # pixels of a picture
_RINGED = 0.01  # share of the points that are ringed as unusual
_MOST_RINGS = 300
_SCALE = 65535


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
    places: NDArray[np.floating],
    clusters: NDArray[np.integer],
    names: Sequence[str],
    colors: Sequence[str],
    *,
    log_density: NDArray[np.floating],
    titles: Sequence[str],
    pictures: NDArray[np.uint8] | None = None,
) -> PointMap:
    """A map of points; of more than 100,000, evenly spaced ones.

    Args:
        places: in the unit square, (n, 2).
        clusters: the cluster of each point, (n,).
        names: of the clusters, (c,).
        colors: of the clusters, as CSS values, (c,).
        log_density: of each point, (n,); the least likely percent is ringed.
        titles: the text of each point, (n,).
        pictures: of the points, bytes (n, 3, H, W).
    """
    n = len(places)
    rows = np.linspace(0, n - 1, min(n, _MOST_POINTS)).astype(np.int64)
    whole = np.clip(np.rint(places[rows] * _SCALE), 0, _SCALE).astype(np.int64)
    own = np.asarray(clusters)[rows]
    likely = np.nan_to_num(np.asarray(log_density)[rows], nan=-np.inf)
    n_rings = min(_MOST_RINGS, int(_RINGED * len(rows)))
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
        "texts": [_short(titles[int(row)]) for row in rows],
        "ring": np.argsort(likely, kind="stable")[:n_rings].tolist(),
        "sprite": None if pictures is None else _sprite(pictures, rows),
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # Without a time of writing, equal content gives equal pages.
    packed = gzip.compress(text.encode(errors="backslashreplace"), 6, mtime=0)
    script = _SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Base64 holds no marks of HTML, and the script is the package's own.
    data = Markup(base64.b64encode(packed).decode())
    return PointMap(data, Markup(script), f"sha256-{digest}", len(rows))


def map_page(title: str, points: PointMap) -> str:
    """A page that holds nothing but a map."""
    return render("map_page.html.j2", {"title": title, "map": points})


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _MOST_LETTERS else f"{words[: _MOST_LETTERS - 1]}…"


def _sprite(pictures: NDArray[np.uint8], rows: NDArray[np.int64]) -> dict[str, Any]:
    """Small pictures of some points in one image, and which points they are of."""
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _MOST_PICTURES)).astype(np.int64)
    columns = int(np.ceil(np.sqrt(len(chosen))))
    sheet = Image.new("RGB", (columns * _SIDE, -(-len(chosen) // columns) * _SIDE))
    for place, row in enumerate(rows[chosen]):
        pixels = np.asarray(pictures[row]).transpose(1, 2, 0)
        small = Image.fromarray(np.ascontiguousarray(pixels)).resize((_SIDE, _SIDE))
        sheet.paste(small, ((place % columns) * _SIDE, (place // columns) * _SIDE))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=70)
    source = base64.b64encode(buffer.getvalue()).decode()
    return {
        "source": f"data:image/webp;base64,{source}",
        "side": _SIDE,
        "columns": columns,
        "places": chosen.tolist(),
    }
