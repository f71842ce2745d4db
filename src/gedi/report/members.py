"""Sections for texts and photographs: typical and borderline members, near duplicates, outliers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gedi import phrases
from gedi.evaluation.duplicates import most_similar, near_duplicates
from gedi.report.array_tools import by_density
from gedi.report.cluster_table import ClusterRow, largest_clusters
from gedi.report.content import Integers, ReportContent
from gedi.report.image_galleries import tiles_in_a_strip
from gedi.report.pictures import Picture, tiles

__all__ = [
    "Member",
    "cluster_members",
    "duplicates_part",
    "picture_tiles",
    "typical_rows",
    "unusual_members",
]

_TYPICAL, _BORDERLINE = 6, 4
_LONGEST = 220  # letters of a text
_PAIRS = 8
_UNUSUAL = 10


@dataclass(frozen=True)
class Member:
    """One text with a remark, such as its second cluster; or the name of a photograph's file."""

    text: str
    remark: str


@dataclass(frozen=True)
class ClusterMembers:
    """Members of one cluster."""

    cluster: ClusterRow
    words: str
    typical: Sequence[Member]
    borderline: Sequence[Member]
    typical_picture: Picture | None
    borderline_picture: Picture | None
    sampled_picture: Picture | None


@dataclass(frozen=True)
class Duplicates:
    """Near duplicates: their number in words, and pairs of texts or of photographs."""

    summary: str
    pairs: Sequence[tuple[Member, Member, str]]
    picture: Picture | None


def typical_rows(content: ReportContent) -> Integers:
    """All rows by log p(x, y) of their own cluster, the most typical first."""
    joint = content.log_density + np.log(np.maximum(content.confidence, 1e-30))
    return by_density(joint)[::-1]


def cluster_members(content: ReportContent, rows: Sequence[ClusterRow]) -> list[ClusterMembers]:
    """Typical and borderline members of the largest clusters."""
    chosen = largest_clusters(content, rows)
    order = typical_rows(content)
    doubtful = np.argsort(content.confidence, kind="stable")
    n_tiles = tiles_in_a_strip((3, 64, 64), 3 * len(chosen))
    found = []
    for row in chosen:
        typical = order[content.clusters[order] == row.number]
        borderline = doubtful[content.clusters[doubtful] == row.number]
        words = content.words[row.number] if content.words else []
        name = f"cluster {row.name}"
        found.append(
            ClusterMembers(
                row,
                ", ".join(words),
                [_member(content, i) for i in typical[:_TYPICAL]],
                [_member(content, i, borderline=True) for i in borderline[:_BORDERLINE]],
                picture_tiles(
                    content,
                    typical[:n_tiles],
                    f"Most typical photographs of {name}",
                    "most typical",
                ),
                picture_tiles(
                    content,
                    borderline[:n_tiles],
                    f"Least certain photographs of {name}",
                    "least certain",
                ),
                picture_tiles(
                    content,
                    _nearest_to_samples(content, row.number)[:n_tiles],
                    f"Photographs nearest to samples of {name}",
                    "nearest to samples of the model",
                ),
            )
        )
    return found


def duplicates_part(content: ReportContent) -> Duplicates | None:
    """Near duplicates among the rows; None if there are none."""
    pairs, n = near_duplicates(content.x, n_pairs=_PAIRS)
    if not pairs:
        return None
    share = phrases.percent(n / min(len(content.x), 10_000))
    summary = f"{n:,} of the compared rows ({share}) are nearly the same as an earlier one."
    if content.pictures is None:
        told = [
            (_member(content, a), _member(content, b), f"{cosine:.3f}") for a, b, cosine in pairs
        ]
        return Duplicates(summary, told, None)
    both = np.array([[pair.first, pair.second] for pair in pairs]).ravel()
    captions = [f"{cosine:.3f}" for _, _, cosine in pairs for _ in range(2)]
    picture = picture_tiles(
        content, both, "Pairs of photographs that are nearly the same", "", captions
    )
    return Duplicates(summary, [], picture)


def unusual_members(content: ReportContent) -> tuple[list[Member], Picture | None]:
    """The least typical rows, as texts or as pictures."""
    rows, scores = by_density(content.log_density)[:_UNUSUAL], content.log_density
    if content.unusual is not None:
        rows, scores = content.unusual.rows, np.zeros(len(content.x))
        scores[rows] = content.unusual.scores
    told = [_member(content, i) for i in rows]
    captions = [f"{scores[i]:.0f}" for i in rows]
    picture = picture_tiles(
        content, rows, "Least typical photographs", "outlier score in nats under each", captions
    )
    return told, picture


def _member(content: ReportContent, row: int, *, borderline: bool = False) -> Member:
    short = phrases.shortened(content.titles[int(row)], _LONGEST)
    remark = ""
    if borderline and content.runner_up is not None:
        share = phrases.percent(float(content.confidence[row]))
        other = int(content.runner_up[row])
        name = content.cluster_names[other] if content.cluster_names else str(other)
        remark = f"{share} here, then {name}"
    return Member(short or "(empty)", remark)


def picture_tiles(
    content: ReportContent,
    rows: Integers,
    alt: str = "Most typical photographs",
    caption: str = "",
    captions: Sequence[str] | None = None,
) -> Picture | None:
    """A grid of the photographs of some rows; None for texts, and without rows."""
    if content.pictures is None or not len(rows):
        return None
    images = np.stack([np.asarray(content.pictures[int(i)]) for i in rows]).astype(np.float32) / 255
    return tiles(images, 6, alt, caption, captions)


def _nearest_to_samples(content: ReportContent, cluster: int) -> Integers:
    """The rows of a cluster that are nearest to samples from it, each once."""
    members = np.flatnonzero(content.clusters == cluster)
    samples = content.samples[content.sample_clusters == cluster]
    if content.pictures is None or not len(members) or not len(samples):
        return members[:0]
    nearest = most_similar(content.x[members], samples)
    chosen: Integers = members[np.array(list(dict.fromkeys(nearest.tolist())))]
    return chosen
