"""The report of a run: one HTML page that opens anywhere, offline.

The first screen says what was found, whether it can be trusted and what to do next; the details
follow. The page holds everything it shows: pictures are embedded, there is no script, and a
content policy forbids it to load anything. All text that comes from data or settings is escaped.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from gedi import phrases, plot
from gedi.measures import Detection
from gedi.pages import write_page
from gedi.pictures import MAX_LOSSLESS_SIDE, Picture, chart, tiles
from gedi.report_outliers import outliers_part
from gedi.symptoms import FAIR_GAP, GOOD_GAP, Signs, quartiles_of, symptoms

__all__ = ["ReportContent", "write"]

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

MAX_TILE_SIDE = 64
GALLERY_BYTES = 1_100_000
MAX_GALLERIES = 20
MAX_SCATTER = 4_000
MAX_SCATTER_ON_LANDSCAPE = 400
MAX_TABLE_CLUSTERS = 12

HISTORY_CHARTS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    (
        "INV and PRIOR: agreement under the views, balance as the prior asks (nats)",
        ("inv", "prior"),
        False,
    ),
    (
        "Probability of what is known, such as outcomes under a rule (geometric mean)",
        ("evidence_probability",),
        False,
    ),
    ("GEN and the whole bound (nats)", ("gen", "bound"), False),
    ("Collapse gap as the training saw it (nats); dotted: 0.05 and 0.3", ("gap",), False),
    (
        "Mean energy of data and of samples (nats): they should stay together",
        ("energy_data", "energy_samples"),
        False,
    ),
    ("Share of the chains' moves that were accepted", ("acceptance",), False),
    ("Step size of the chains, learning rate", ("step_size", "learning_rate"), True),
)

METRIC_HINTS = {
    "nmi": "agreement with the labels; 1 is perfect, 0 is chance",
    "ari": "pairs grouped as the labels do; 1 is perfect, 0 is chance",
    "accuracy": "share of points in the cluster matched to their label",
    "symbol accuracy": "share of points whose symbol is their label, without a matching",
    "regret": "nats lost per point against the true density",
    "log-likelihood": "nats per point; higher is better",
}


@dataclass(frozen=True, eq=False)
class ReportContent:
    """What a report shows, as plain values.

    Args:
        title: heading of the page.
        dataset: name of the data.
        n_points: number of points, n.
        n_features: number of features of a point, d.
        n_clusters: number of clusters, c.
        method: "GEDI", "GEDI no gen" or "JEM".
        stopped: why the training ended.
        seconds: duration of the training.
        iterations: iterations trained.
        history: metrics over the column `iteration`; any of gen, inv, prior, bound, gap,
            energy_data, energy_samples, acceptance, step_size, learning_rate.
        collapse_gap: the gap on a fixed set with fixed views, in nats.
        metrics: name -> value, shown as they come; may be empty.
        cluster_sizes: points in each cluster, shape (c,).
        prior: share of each cluster, shape (c,).
        restarts: one mapping a restart; the key `chosen` marks the one that was kept.
        confusion: counts (classes, clusters), columns matched to the diagonal, and class names.
        energies: energies in nats of the sets `data`, `samples` and `noise`, each shape (n,).
        x: the data in the user's units, shape (n, d).
        clusters: cluster of each point, shape (n,).
        confidence: probability of that cluster, shape (n,).
        log_density: log-density of each point in nats, shape (n,).
        samples: generated points, shape (m, d); m may be zero.
        sample_clusters: cluster of each sample, shape (m,).
        image_shape: (channels, height, width) where points are images.
        value_range: (lowest, highest) value of a pixel; by default the data's own range.
        feature_names: one name a feature; may be empty for images.
        log_density_function: points (m, 2) -> nats (m,), for two-dimensional data.
        posterior_function: points (m, 2) -> probabilities (m, c), for two-dimensional data.
        low: lower corner of the box to draw, shape (2,); by default around data and samples.
        high: upper corner of the box to draw, shape (2,).
        settings: the settings of the run, nested.
        next_steps: command lines.
        confusion_clusters: cluster numbers of the columns of the confusion, in order.
        interventions: what the guard against divergence did, a sentence each.
        outliers: of images, scores of some and of foils made from them.
        named: whether a rule gave the clusters their meanings, as symbols.
        walk: of images, the way of k chains from noise to samples, shape (k, positions, d), the
            last position without the noise of the training.
        walk_rounds: after how many rounds of moves the positions but the last are.
    """

    title: str
    dataset: str
    n_points: int
    n_features: int
    n_clusters: int
    method: str
    stopped: str
    seconds: float
    iterations: int
    history: pd.DataFrame
    collapse_gap: float
    metrics: Mapping[str, float]
    cluster_sizes: Integers
    prior: Floats
    restarts: Sequence[Mapping[str, object]]
    interventions: Sequence[str]
    confusion: tuple[Integers, Sequence[str]] | None
    energies: Mapping[str, Floats]
    x: Floats
    clusters: Integers
    confidence: Floats
    log_density: Floats
    samples: Floats
    sample_clusters: Integers
    image_shape: tuple[int, int, int] | None
    value_range: tuple[float, float] | None
    feature_names: Sequence[str]
    log_density_function: Callable[[Floats], Floats] | None
    posterior_function: Callable[[Floats], Floats] | None
    low: Floats | None
    high: Floats | None
    settings: Mapping[str, object]
    next_steps: Sequence[str]
    confusion_clusters: Sequence[int] | None = None
    outliers: Detection | None = None
    walk: Floats | None = None
    walk_rounds: Sequence[int] = ()
    named: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the collapse gap says, in words; `position` is its place on a scale of 0 to 100."""

    level: Literal["good", "fair", "bad"]
    title: str
    text: str
    position: float


@dataclass(frozen=True)
class ClusterRow:
    """One line of the table of clusters."""

    number: int
    color: str
    size: str
    share: str
    prior: str
    confidence: str
    log_density: str
    remark: str


@dataclass(frozen=True)
class Gallery:
    """Pictures of one cluster of images."""

    cluster: ClusterRow
    typical: Picture | None
    sampled: Picture | None


@dataclass(frozen=True)
class FeatureRow:
    """One feature: its scale in the user's units, and standardised means: text and colour."""

    name: str
    scale: str
    means: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class UnlikelyRow:
    """One of the least likely rows of a table, and the features that stand out in it."""

    number: int
    cluster: int
    color: str
    confidence: str
    log_density: str
    standing_out: Sequence[tuple[str, str]]


def write(path: Path, content: ReportContent) -> None:
    """Write the report as one self-contained HTML file.

    The page is rendered in whole, written beside its place and renamed: a reader of `path` finds
    the old page or the new one, never half a page.

    Args:
        path: where the page goes; its folder must exist.
        content: what it shows.
    """
    write_page(path, "report.html.j2", _context(content))


def _context(content: ReportContent) -> dict[str, object]:
    """All that the template shows, in the order of the page."""
    rows = _cluster_rows(content)
    is_image = content.image_shape is not None
    is_plane = not is_image and content.x.shape[1] == 2
    return {
        "title": content.title,
        "headline": _headline(content.cluster_sizes),
        "facts": _facts(content),
        "gap": phrases.number(content.collapse_gap),
        "verdict": _verdict(content.collapse_gap),
        # The gap has a verdict of its own.
        "warnings": [str(symptom) for symptom in symptoms(_signs(content))],
        "metrics": _metric_cards(content.metrics),
        "next_steps": content.next_steps,
        "cluster_rows": rows,
        "cluster_pictures": _cluster_pictures(content),
        "plane": _plane_pictures(content) if is_plane else [],
        "galleries": _galleries(content, rows) if is_image else [],
        "n_clusters": content.n_clusters,
        "noun": "Symbol" if content.named else "Cluster",
        "outliers": None if content.outliers is None else outliers_part(content.outliers),
        "walk": None if content.walk is None else _walk_picture(content, content.walk),
        "unlikely_images": _unlikely_images(content) if is_image else None,
        "feature_clusters": [] if is_image or is_plane else _largest_clusters(content, rows),
        "feature_rows": [] if is_image or is_plane else _feature_rows(content),
        "unlikely_rows": [] if is_image else _unlikely_rows(content),
        "training": _training_pictures(content),
        "stopped": content.stopped,
        "restart_columns": _restart_columns(content.restarts),
        "restarts": content.restarts,
        "settings": "\n".join(_outline(content.settings)),
        "number": phrases.number,
    }


# What it found, whether to trust it


def _headline(sizes: Integers) -> str:
    """The result in one sentence."""
    total, n_clusters = int(np.sum(sizes)), len(sizes)
    used = sizes[sizes > 0]
    if len(used) == 0:
        return f"{n_clusters} clusters, and no points."
    if len(used) == 1:
        return f"All {total:,} points are in one cluster of {n_clusters}."
    largest, smallest = phrases.percent(used.max() / total), phrases.percent(used.min() / total)
    if len(used) == n_clusters and largest == smallest:
        return f"{n_clusters} clusters in {total:,} points, of {largest} each."
    if len(used) < n_clusters:
        return (
            f"{len(used)} of {n_clusters} clusters are used in {total:,} points; "
            f"the largest holds {largest}, the smallest of them {smallest}."
        )
    return (
        f"{n_clusters} clusters in {total:,} points; "
        f"the largest holds {largest}, the smallest {smallest}."
    )


def _facts(content: ReportContent) -> list[tuple[str, str]]:
    return [
        ("data", content.dataset),
        ("size", f"{content.n_points:,} points, {content.n_features:,} features"),
        ("method", content.method),
        ("training", f"{content.iterations:,} iterations in {_duration(content.seconds)}"),
    ]


def _verdict(gap: float) -> Verdict:
    """What the gap says about the clusters, and what to try where it says no."""
    position = float(np.interp(gap, (0.0, GOOD_GAP, FAIR_GAP, 1.0), (1.0, 33.3, 66.7, 99.0)))
    if gap <= GOOD_GAP:
        text = "Clusters are confident, stable under the views and balanced as the prior says."
        return Verdict("good", "The clusters hold together", text, position)
    if gap <= FAIR_GAP:
        text = (
            "Mostly confident, stable and balanced: look at the small or uncertain clusters "
            "before you use them."
        )
        return Verdict("fair", "Mostly sound", text, position)
    remedies = (
        "Try, in this order: more restarts with different warm-ups; a longer training; views that "
        "change only what should not matter; a larger weight of PRIOR; another number of clusters."
    )
    if np.isnan(gap):
        text = f"The gap is not a number: the training diverged or had no views. {remedies}"
        return Verdict("bad", "Nothing to trust yet", text, 99.0)
    text = (
        "The assignments are unsure, change under the views, or are out of balance with the "
        f"prior. {remedies}"
    )
    return Verdict("bad", "Do not trust these clusters", text, position)


def _signs(content: ReportContent) -> Signs:
    return Signs(
        method=content.method,
        history={
            str(name): content.history[name].to_numpy(dtype=float)
            for name in content.history
            if pd.api.types.is_numeric_dtype(content.history[name])
        },
        interventions=content.interventions,
        sizes=content.cluster_sizes,
        prior=content.prior,
        energies=quartiles_of(content.energies),
        n_not_finite=int(np.sum(~np.isfinite(content.log_density))),
    )


def _metric_cards(metrics: Mapping[str, float]) -> list[tuple[str, str, str]]:
    """Name, value and what it means."""
    return [
        (name, phrases.number(value), METRIC_HINTS.get(name.lower().replace("_", "-"), ""))
        for name, value in metrics.items()
    ]


# Clusters


def _cluster_rows(content: ReportContent) -> list[ClusterRow]:
    colors = _hex_colors(content.n_clusters)
    total = max(int(np.sum(content.cluster_sizes)), 1)
    rows = []
    for k, size in enumerate(content.cluster_sizes):
        members = content.clusters == k
        confidence = _mean(content.confidence[members])
        share = float(size) / total
        rows.append(
            ClusterRow(
                number=k,
                color=colors[k],
                size=f"{size:,}",
                share=phrases.percent(share),
                prior=phrases.percent(content.prior[k]),
                confidence="" if np.isnan(confidence) else f"{confidence:.3f}",
                log_density=phrases.number(_mean(content.log_density[members])),
                remark=_remark(share, float(content.prior[k]), confidence),
            )
        )
    return rows


def _remark(share: float, prior: float, confidence: float) -> str:
    """Why to look at a cluster twice; empty where there is no reason."""
    if share == 0.0:
        return "unused"
    remarks = ["small"] if share < 0.5 * prior else []
    if confidence < 0.8:
        remarks.append("uncertain")
    return ", ".join(remarks)


def _cluster_pictures(content: ReportContent) -> list[Picture]:
    sizes, prior = content.cluster_sizes, content.prior
    n_classes = 0 if content.confusion is None else len(content.confusion[1])
    side = 5.0 if n_classes > 12 else 4.2
    pictures = [
        chart(
            lambda ax: plot.cluster_sizes(ax, sizes, prior),
            alt="Bars: points in each cluster, with the prior as a line",
            caption="Points in each cluster; the line is what the prior asks for",
            size=(4.6, side if n_classes else 2.7),
            recolored=False,
        )
    ]
    if content.confusion is not None:
        matrix, class_names = content.confusion
        numbers = content.confusion_clusters
        names = None if numbers is None else [str(number) for number in numbers]
        pictures.append(
            chart(
                lambda ax: plot.confusion(ax, matrix, class_names, names),
                alt="Matrix: points of each class in each cluster",
                caption="Points of each class that are given each symbol; right on the diagonal"
                if content.named
                else "Points of each class in each cluster; matches are on the diagonal",
                size=(4.6, side),
                recolored=False,
            )
        )
    return pictures


# The data: a plane


def _plane_pictures(content: ReportContent) -> list[Picture]:
    """Regions with the data, landscape with the data, landscape with the samples."""
    low, high = _box(content)
    width, height = high - low
    size = (3.8, float(np.clip(3.0 * height / width, 2.2, 4.0)) + 0.5)
    density, posterior = content.log_density_function, content.posterior_function

    def regions(ax: Axes) -> None:
        if posterior is not None:
            plot.decision_regions(ax, posterior, low, high)
        shown = _thinned(len(content.x), MAX_SCATTER)
        clusters = content.clusters[shown]
        plot.points(ax, content.x[shown], clusters, n_clusters=content.n_clusters)
        _frame_plane(ax, content.feature_names, low, high)

    def landscape(ax: Axes, dots: Floats) -> None:
        if density is not None:
            plot.energy_landscape(ax, density, low, high)
        # Few enough to leave the landscape visible; rimmed, to be seen on dark and on bright.
        shown = _thinned(len(dots), MAX_SCATTER_ON_LANDSCAPE)
        plot.points(ax, dots[shown], color="white", edge=plot.INK, size=5.0)
        _frame_plane(ax, content.feature_names, low, high)

    def scene(draw: Callable[[Axes], object], alt: str, caption: str) -> Picture:
        return chart(draw, alt=alt, caption=caption, size=size, recolored=False)

    pictures = [scene(regions, "Map of the clusters with the data", "Clusters; pale: unsure")]
    if density is not None:
        alt = "Map of the density with the data"
        pictures.append(scene(lambda ax: landscape(ax, content.x), alt, "Density, with data"))
    if len(content.samples):
        alt = "Map of the density with the samples"
        caption = "Samples: they should lie as the data do"
        pictures.append(scene(lambda ax: landscape(ax, content.samples), alt, caption))
    return pictures


def _box(content: ReportContent) -> tuple[Floats, Floats]:
    """Corners of the box to draw, each shape (2,)."""
    everything = np.concatenate([content.x, content.samples.reshape(-1, 2)])
    everything = everything[np.isfinite(everything).all(axis=1)]
    margin = 0.08 * np.ptp(everything, axis=0) + 1e-9
    low = everything.min(axis=0) - margin if content.low is None else content.low
    high = everything.max(axis=0) + margin if content.high is None else content.high
    return low, high


def _frame_plane(ax: Axes, feature_names: Sequence[str], low: Floats, high: Floats) -> None:
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    if len(feature_names) == 2:
        horizontal, vertical = (plot.short_name(name) for name in feature_names)
        ax.set_xlabel(horizontal, color=plot.MUTED, parse_math=False)
        ax.set_ylabel(vertical, color=plot.MUTED, parse_math=False)
    width, height = high - low
    # Features in different units share no scale: then the axes fill the picture.
    ax.set_aspect("equal" if 1 / 3 < width / height < 3 else "auto")


# The data: images


def _galleries(content: ReportContent, rows: Sequence[ClusterRow]) -> list[Gallery]:
    """Typical inputs and samples of the largest clusters."""
    chosen = _largest_clusters(content, rows)
    n_tiles = _tiles_in_a_strip(content.image_shape or (1, 1, 1), 2 * len(chosen))
    likely_first = _by_density(content.log_density)[::-1]
    galleries = []
    for row in chosen:
        typical = likely_first[content.clusters[likely_first] == row.number][:n_tiles]
        sampled = np.flatnonzero(content.sample_clusters == row.number)[:n_tiles]
        name = f"{'symbol' if content.named else 'cluster'} {row.number}"
        galleries.append(
            Gallery(
                row,
                tiles(
                    _images(content, content.x[typical]),
                    6,
                    f"Most typical inputs of {name}",
                    "most typical",
                ),
                tiles(
                    _images(content, content.samples[sampled]), 6, f"Samples of {name}", "samples"
                ),
            )
        )
    return galleries


def _unlikely_images(content: ReportContent) -> Picture | None:
    """The inputs that the model finds least likely, with their log-density."""
    n_tiles = min(24, 2 * _tiles_in_a_strip(content.image_shape or (1, 1, 1), 1))
    rows = _by_density(content.log_density)[:n_tiles]
    captions = [f"{content.log_density[row]:.1f}" for row in rows]
    images = _images(content, content.x[rows])
    return tiles(images, 8, "Least likely inputs", "log-density in nats under each", captions)


def _walk_picture(content: ReportContent, walk: Floats) -> Picture | None:
    """The way of chains, one a row."""
    n_chains, n_places, d = walk.shape
    # So many rows that the strip of tiles is no larger than those of all galleries.
    room = 2 * _tiles_in_a_strip(content.image_shape or (1, 1, 1), 1) // n_places
    shown = walk[: max(2, min(n_chains, 4 * room))]
    rounds = [f"{number:,}" for number in content.walk_rounds]
    return tiles(
        _images(content, shown.reshape(-1, d)),
        n_places,
        f"Chains from noise to samples, one a row, after {phrases.sentence_list(rounds)} rounds",
        f"one chain a row; from left to right after {phrases.sentence_list(rounds)} rounds of "
        "moves, and at the end without the noise that the training adds",
    )


def _images(content: ReportContent, x: Floats) -> Floats:
    """Points as images in [0, 1], shape (n, C, H, W), sides of at most `MAX_TILE_SIDE` pixels."""
    shape = content.image_shape or (1, 1, x.shape[1])
    low, high = content.value_range or (float(content.x.min()), float(content.x.max()))
    step = -(-max(shape[1:]) // MAX_TILE_SIDE)
    images = x.reshape(-1, *shape)[:, :, : shape[1] // step * step, : shape[2] // step * step]
    n, channels, height, width = images.shape
    blocks = images.reshape(n, channels, height // step, step, width // step, step)
    reduced: Floats = (blocks.mean(axis=(3, 5)) - low) / max(high - low, 1e-12)
    return np.clip(reduced, 0.0, 1.0)


def _tiles_in_a_strip(shape: Sequence[int], n_strips: int) -> int:
    """How many tiles fit into each strip, so that the page stays small whatever the images."""
    channels, height, width = shape
    tile_bytes = min(channels, 3) * min(height, MAX_TILE_SIDE) * min(width, MAX_TILE_SIDE)
    if max(height, width) > MAX_LOSSLESS_SIDE:
        tile_bytes //= 4
    return int(np.clip(GALLERY_BYTES // (tile_bytes * n_strips), 2, 12))


# The data: a table


def _feature_rows(content: ReportContent) -> list[FeatureRow]:
    """The features that differ most between clusters, with their standardised means."""
    center, scale = content.x.mean(axis=0), content.x.std(axis=0)
    means = _standardised_means(content, center, scale)
    weights = content.cluster_sizes / max(int(np.sum(content.cluster_sizes)), 1)
    spread = np.sqrt(weights @ np.nan_to_num(means) ** 2)
    shown = _largest_numbers(content.cluster_sizes, MAX_TABLE_CLUSTERS)
    names = _feature_names(content)
    return [
        FeatureRow(
            name=names[j],
            scale=f"{phrases.number(center[j])} ± {phrases.number(scale[j])}",
            means=[_heat(means[k, j]) for k in shown],
        )
        for j in np.argsort(-spread, kind="stable")[:12]
    ]


def _standardised_means(content: ReportContent, center: Floats, scale: Floats) -> Floats:
    """Mean of each feature in each cluster, in standard deviations from the mean of all: (c, d)."""
    means = np.full((content.n_clusters, content.x.shape[1]), np.nan)
    for k in np.unique(content.clusters):
        means[k] = (content.x[content.clusters == k].mean(axis=0) - center) / _nonzero(scale)
    return means


def _heat(mean: float) -> tuple[str, str]:
    """A standardised mean as text, and its colour: blue above the mean, orange below."""
    if np.isnan(mean):
        return "", "transparent"
    red, green, blue = (0, 114, 178) if mean > 0 else (230, 140, 0)
    # Adding zero turns the "-0.0" of rounding into "+0.0".
    return (
        f"{round(float(mean), 1) + 0.0:+.1f}",
        f"rgba({red}, {green}, {blue}, {0.5 * min(abs(mean) / 2.0, 1.0):.2f})",
    )


def _unlikely_rows(content: ReportContent) -> list[UnlikelyRow]:
    """The ten rows of lowest density, and the features in which they are furthest out."""
    center, scale = content.x.mean(axis=0), _nonzero(content.x.std(axis=0))
    colors, names = _hex_colors(content.n_clusters), _feature_names(content)
    rows = []
    for i in _by_density(content.log_density)[:10]:
        deviation = (content.x[i] - center) / scale
        furthest = np.argsort(-np.abs(deviation), kind="stable")[:3]
        rows.append(
            UnlikelyRow(
                number=int(i),
                cluster=int(content.clusters[i]),
                color=colors[content.clusters[i]],
                confidence=f"{content.confidence[i]:.3f}",
                log_density=phrases.number(content.log_density[i]),
                standing_out=[
                    (names[j], f"{phrases.number(content.x[i, j])} ({deviation[j]:+.1f} sd)")
                    for j in furthest
                ],
            )
        )
    return rows


def _feature_names(content: ReportContent) -> list[str]:
    names = list(content.feature_names)
    return names or [f"feature {j}" for j in range(content.x.shape[1])]


# Training


def _training_pictures(content: ReportContent) -> list[Picture]:
    """Charts of all metrics that the history has, then the energies at the end."""
    pictures = []
    for caption, wanted, log_scale in HISTORY_CHARTS:
        columns = [name for name in wanted if _has_values(content.history, name)]
        if columns:
            pictures.append(_history_picture(content.history, caption, columns, log_scale))
    if any(_finite(energy).size for energy in content.energies.values()):
        names = phrases.sentence_list(list(content.energies))
        pictures.append(
            chart(
                lambda ax: plot.energy_histogram(ax, content.energies),
                alt=f"Histograms of the energies of {names}",
                caption=f"Energies of {names} at the end",
            )
        )
    return pictures


def _history_picture(
    history: pd.DataFrame, caption: str, columns: Sequence[str], log_scale: bool
) -> Picture:
    def draw(ax: Axes) -> None:
        plot.history(ax, history, columns, log_scale=log_scale)
        if columns == ["gap"]:
            for threshold in (GOOD_GAP, FAIR_GAP):
                ax.axhline(threshold, color=plot.MUTED, linewidth=0.9, linestyle=":")

    return chart(draw, alt=f"{' and '.join(columns)} over iterations", caption=caption)


def _has_values(history: pd.DataFrame, column: str) -> bool:
    return column in history and _finite(history[column].to_numpy(dtype=float)).size > 0


def _restart_columns(restarts: Sequence[Mapping[str, object]]) -> list[str]:
    """All keys of the restarts, in order of appearance, without the mark of the chosen one."""
    keys = dict.fromkeys(key for restart in restarts for key in restart)
    return [key for key in keys if key != "chosen"]


def _outline(value: object, indent: str = "") -> Iterator[str]:
    """Nested settings as indented lines, in the manner of YAML."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if _is_nested(item):
                yield f"{indent}{key}:"
                yield from _outline(item, indent + "  ")
            else:
                yield f"{indent}{key}: {_scalar(item)}"
    elif isinstance(value, (list, tuple)):
        for item in value:
            if _is_nested(item):
                yield f"{indent}-"
                yield from _outline(item, indent + "  ")
            else:
                yield f"{indent}- {_scalar(item)}"


def _is_nested(value: object) -> bool:
    """Whether a setting needs lines of its own; short lists of scalars do not."""
    if isinstance(value, (list, tuple)):
        return any(isinstance(item, (Mapping, list, tuple)) for item in value)
    return isinstance(value, Mapping) and len(value) > 0


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_scalar(item) for item in value)}]"
    if isinstance(value, Mapping):
        return "{}"
    return str(value)


# Small things


def _largest_clusters(content: ReportContent, rows: Sequence[ClusterRow]) -> list[ClusterRow]:
    limit = MAX_TABLE_CLUSTERS if content.image_shape is None else MAX_GALLERIES
    return [rows[k] for k in _largest_numbers(content.cluster_sizes, limit)]


def _largest_numbers(sizes: Integers, limit: int) -> list[int]:
    """Numbers of the largest clusters that hold any point, in ascending order."""
    order = np.argsort(-sizes, kind="stable")[:limit]
    return sorted(int(k) for k in order if sizes[k] > 0)


def _by_density(log_density: Floats) -> Integers:
    """Rows, the least likely first; those without a finite log-density lead."""
    return np.argsort(np.nan_to_num(log_density, nan=-np.inf), kind="stable")


def _thinned(n: int, limit: int) -> Integers:
    """At most `limit` rows out of n, the same ones each time."""
    if n <= limit:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, limit, replace=False))


def _hex_colors(n_clusters: int) -> list[str]:
    return [to_hex(color) for color in plot.cluster_colors(n_clusters)]


def _finite(values: Floats | None) -> Floats:
    return np.array([]) if values is None else np.asarray(values)[np.isfinite(values)]


def _mean(values: Floats) -> float:
    finite = _finite(values)
    return float(finite.mean()) if finite.size else float("nan")


def _nonzero(scale: Floats) -> Floats:
    return np.where(scale > 0, scale, 1.0)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
