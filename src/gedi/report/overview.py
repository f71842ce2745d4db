"""The overview of the clusters on the first screen: their shares and typical members."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gedi.report.array_tools import by_density
from gedi.report.cluster_table import ClusterRow, largest_clusters
from gedi.report.content import ReportContent
from gedi.report.feature_table import signatures
from gedi.report.image_galleries import as_images, tiles_in_a_strip
from gedi.report.members import picture_tiles, typical_rows
from gedi.report.pictures import Picture, tiles

__all__ = ["Glance", "glances"]

_TILES = 5
_IN_NAME, _WORDS = 3, 9  # typical words in the name of a cluster, and in all


@dataclass(frozen=True)
class Glance:
    """One cluster: its typical images, or how its rows differ from others, in words."""

    cluster: ClusterRow
    members: Picture | None
    words: Sequence[str]


def glances(content: ReportContent, rows: Sequence[ClusterRow]) -> list[Glance]:
    """The largest clusters; none for two-dimensional data, whose map shows them all."""
    chosen = largest_clusters(content, rows)
    if content.image_shape is not None:
        return [Glance(row, _typical(content, row, len(chosen)), ()) for row in chosen]
    if content.pictures is not None:
        order = typical_rows(content)
        return [
            Glance(
                row,
                picture_tiles(content, order[content.clusters[order] == row.number][:_TILES]),
                (),
            )
            for row in chosen
        ]
    if content.titles:
        return [Glance(row, None, content.words[row.number][_IN_NAME:_WORDS]) for row in chosen]
    if content.x.shape[1] == 2:
        return []
    words = signatures(content)
    return [Glance(row, None, words[row.number]) for row in chosen]


def _typical(content: ReportContent, row: ClusterRow, n_rows: int) -> Picture | None:
    """The likeliest images of a cluster."""
    n_tiles = min(_TILES, tiles_in_a_strip(content.image_shape or (1, 1, 1), 2 * n_rows))
    likely_first = by_density(content.log_density)[::-1]
    members = likely_first[content.clusters[likely_first] == row.number]
    chosen = members[np.isfinite(content.log_density[members])][:n_tiles]
    alt = f"{len(chosen)} most typical images of {row.name}"
    return tiles(as_images(content, content.x[chosen]), _TILES, alt, "")
