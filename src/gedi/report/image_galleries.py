"""Sections for images: typical ones, samples, unlikely ones, and chains from noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gedi import phrases
from gedi.report.array_tools import by_density
from gedi.report.cluster_table import ClusterRow, largest_clusters
from gedi.report.content import Floats, ReportContent
from gedi.report.pictures import MAX_LOSSLESS_SIDE, Picture, tiles

__all__ = ["as_images", "galleries", "tiles_in_a_strip", "unlikely_images", "walk_picture"]

MAX_TILE_SIDE = 64
GALLERY_BYTES = 1_100_000


@dataclass(frozen=True)
class Gallery:
    """Pictures of one cluster of images."""

    cluster: ClusterRow
    typical: Picture | None
    sampled: Picture | None


def galleries(content: ReportContent, rows: Sequence[ClusterRow]) -> list[Gallery]:
    """Typical inputs and samples of the largest clusters."""
    chosen = largest_clusters(content, rows)
    n_tiles = tiles_in_a_strip(content.image_shape or (1, 1, 1), 3 * len(chosen))
    likely_first = by_density(content.log_density)[::-1]
    galleries = []
    for row in chosen:
        typical = likely_first[content.clusters[likely_first] == row.number][:n_tiles]
        sampled = np.flatnonzero(content.sample_clusters == row.number)[:n_tiles]
        name = f"{'symbol' if content.named else 'cluster'} {row.name}"
        galleries.append(
            Gallery(
                row,
                tiles(
                    as_images(content, content.x[typical]),
                    6,
                    f"Most typical inputs of {name}",
                    "most typical",
                ),
                tiles(
                    as_images(content, content.samples[sampled]), 6, f"Samples of {name}", "samples"
                ),
            )
        )
    return galleries


def unlikely_images(content: ReportContent) -> Picture | None:
    """The least typical inputs with their outlier scores, or the least likely ones without."""
    n_tiles = min(24, 2 * tiles_in_a_strip(content.image_shape or (1, 1, 1), 1))
    if content.unusual is None:
        rows = by_density(content.log_density)[:n_tiles]
        scores, title, caption = content.log_density[rows], "Least likely inputs", "log-density"
    else:
        rows, scores = content.unusual.rows[:n_tiles], content.unusual.scores[:n_tiles]
        title, caption = "Least typical inputs", "outlier score"
    captions = [f"{score:.1f}" for score in scores]
    images = as_images(content, content.x[rows])
    return tiles(images, 8, title, f"{caption} in nats under each", captions)


def walk_picture(content: ReportContent, walk: Floats) -> Picture | None:
    """The positions of chains, one chain in each row."""
    n_chains, n_places, d = walk.shape
    # As many tiles as all galleries have, at most.
    room = 2 * tiles_in_a_strip(content.image_shape or (1, 1, 1), 1) // n_places
    shown = walk[: max(2, min(n_chains, 4 * room))]
    rounds = [f"{number:,}" for number in content.walk_rounds]
    return tiles(
        as_images(content, shown.reshape(-1, d)),
        n_places,
        f"Chains from noise to samples, after {phrases.sentence_list(rounds)} rounds",
        f"Each row is one chain, after {phrases.sentence_list(rounds)} rounds of moves; the last "
        "image is without the noise that the training adds",
    )


def as_images(content: ReportContent, x: Floats) -> Floats:
    """Points as images in [0, 1], (n, C, H, W), with at most `MAX_TILE_SIDE` pixels a side."""
    shape = content.image_shape or (1, 1, x.shape[1])
    low, high = content.value_range or (float(content.x.min()), float(content.x.max()))
    step = -(-max(shape[1:]) // MAX_TILE_SIDE)
    images = x.reshape(-1, *shape)[:, :, : shape[1] // step * step, : shape[2] // step * step]
    n, channels, height, width = images.shape
    blocks = images.reshape(n, channels, height // step, step, width // step, step)
    reduced: Floats = (blocks.mean(axis=(3, 5)) - low) / max(high - low, 1e-12)
    return np.clip(reduced, 0.0, 1.0)


def tiles_in_a_strip(shape: Sequence[int], n_strips: int) -> int:
    """The number of tiles in each strip that keeps the page small for any size of image."""
    channels, height, width = shape
    tile_bytes = min(channels, 3) * min(height, MAX_TILE_SIDE) * min(width, MAX_TILE_SIDE)
    if max(height, width) > MAX_LOSSLESS_SIDE:
        tile_bytes //= 4
    return int(np.clip(GALLERY_BYTES // (tile_bytes * n_strips), 2, 12))
