"""The peak memory of a training, computed from its plan, and a check that it is available.

The peak is the memory that is held throughout, plus the largest of the phases. `peak_memory` shows
how each is counted, and docs/reliability.md compares it with measurements. Numbers are float32, 4
bytes each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from gedi.data.points import affordable
from gedi.errors import SettingsError
from gedi.free_memory import Free, free_memory
from gedi.model.kinds import is_convolutional
from gedi.model.mixture import DRAWN, rows_looked_at
from gedi.model.outlier_energy import reference_rows
from gedi.model.scaling import DECIDING
from gedi.partitions.best import SAMPLE
from gedi.partitions.neighbours import PART
from gedi.training.consensus import n_compared
from gedi.training.ingredients import (
    MEASURED,
    MONITORED,
    NEIGHBOURED,
    REPORTED,
    n_held_out_images,
    stock_size,
)
from gedi.training.plan import Plan
from gedi.training.processes import needs_fabric
from gedi.training.starts import CODED
from gedi.views.build import REFERENCES

__all__ = ["LIBRARIES", "Memory", "fits", "peak_memory"]

LIBRARIES = 480 * 2**20  # torch for CPUs and the other imports; other builds take more

_LOADED = 30 * 2**20  # loaded by libraries at their first use
_LOADED_BY_FABRIC = 65 * 2**20
_LOADED_FOR_VIEWS = 60 * 2**20  # loaded by kornia
_NUMBER = 4
_EXACT = 8
_KERNELS = 1000  # points whose distances determine the noise
_WHOLE, _LEADING = 256, 128  # eigenvectors of the base
_GRID = 65_536  # points of a grid at a time
_ESTIMATED = 4096  # points for log Z of the restarts
_OF_OVERLAPS = 6  # copies of the overlaps of clusters while these are grouped
_DRAWN, _INSIDE = 1024, 4096  # points from which annealing starts
_SMALL = 50_000  # numbers in a network below which annealing uses many chains
_CHAINS = (2048, 512)  # chains of annealing, for small networks and for large ones
# Copies, as measured, of what the trainings without chains compute with: of rows in the fit of the
# mixture, of draws that pass through its margins, and of all draws.
_OF_ROWS, _OF_DRAWN, _OF_DRAWS = 20, 62, 2
_OF_DISTANCES = 20  # bytes for each pair of rows of the pool
_OF_SCALED = 6  # of the rows in float64 from which the scale is read
_OF_PLACES = 90  # bytes a row: the orders in which rows are drawn as references for outliers
_LOWER: Mapping[str, str] = {
    "data": "take fewer points, or images of bytes, which stay in their file (stream_above)",
    "points to watch and refer to": "take fewer features",
    "networks and chains": "lower encoder.hidden, restarts.n or sampler.buffer_size",
    "draws of the base": "take fewer features",
    "scaling": "take fewer features",
    "neighbours": "leave neighbours out (views.neighbours 0), or take fewer features",
    "mixture": "take fewer features",
    "places of outliers": "take fewer points",
    "pool of partitions": "take fewer features, or leave the pool out (restarts.pool false)",
    "covariance and kernels": "take fewer features, or leave the base out (encoder.base false)",
    "k-means": "lower restarts.kmeans, encoder.hidden or batch_size",
    "iteration": "lower batch_size, restarts.n or encoder.hidden",
    "stock of draws": "take fewer features",
    "energies of the chains": "lower sampler.buffer_size or restarts.n",
    "choice among restarts": "lower restarts.n or sampler.n_anchors",
    "end": "take fewer features, or lower encoder.hidden",
}


@dataclass(frozen=True)
class Memory:
    """The memory of a training in bytes, by purpose.

    Args:
        held: the memory that is held throughout.
        phases: the additional memory of each phase, one after the other; the network does not
            exist yet in the first.
    """

    held: Mapping[str, int]
    phases: Mapping[str, int]

    @property
    def total(self) -> int:
        """Bytes at the peak."""
        return sum(self.held.values()) + max(self.phases.values())

    @property
    def parts(self) -> dict[str, int]:
        """Bytes at the peak by purpose, the largest first."""
        name = max(self.phases, key=lambda phase: self.phases[phase])
        parts = {**self.held, name: self.phases[name]}
        return dict(sorted(parts.items(), key=lambda part: -part[1]))


def fits(plan: Plan, *, free: Callable[[torch.device], Free | None] | None = None) -> None:
    """Check that a training fits into memory.

    If the system does not report its memory, every training is accepted. On the CPU the processes
    of one machine share its memory.

    Args:
        plan: the plan of the training, whose data are already in memory.
        free: finds the free memory of a device; `free_memory` if None.

    Raises:
        SettingsError: if it does not fit, with the needed and the free memory and what to lower.
    """
    data = plan.data
    room = (free or free_memory)(torch.device("cuda" if plan.on_cuda else "cpu"))
    needed = peak_memory(plan, libraries=0)
    loaded = 0 if data.in_file else data.n_points * data.n_features * data.itemsize
    there, others = loaded, 0
    if plan.on_cuda:
        there += needed.held["libraries"]
    elif plan.devices > 1:
        others = (plan.devices - 1) * peak_memory(plan).total
    if room is None or needed.total - there + others <= room.bytes:
        return
    parts = {name: size for name, size in needed.parts.items() if name in _LOWER}
    parts["data"] -= loaded
    listed = ", ".join(f"{name} {_gibibytes(size)}" for name, size in parts.items())
    largest = max(parts, key=lambda name: parts[name])
    more = f", and its other processes {_gibibytes(others)}" if others else ""
    raise SettingsError(
        f"{data.name}: a training on {data.n_points} points of {data.n_features} features "
        f"needs about {_gibibytes(needed.total - there)} of memory ({listed}){more}, but "
        f"{room.of} has {_gibibytes(room.bytes)} left: {_LOWER[largest]}"
    )


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"


def peak_memory(plan: Plan, *, libraries: int = LIBRARIES) -> Memory:
    """The most memory that one process of a training takes.

    VERA's sampler is not counted.

    Args:
        plan: the plan of the training. With CUDA graphs, iterations with chains and those without
            are separate graphs, and each keeps its own memory.
        libraries: bytes that the process takes before it loads data.
    """
    settings, data, network = plan.settings, plan.data, plan.network
    n, d, is_image = data.n_points, data.n_features, data.image_shape is not None
    members, batch = settings.restarts.n, settings.batch_size // plan.n_processes
    n_chains = settings.sampler.buffer_size // plan.n_processes
    learns_density = settings.weights.gen != 0
    convolved = is_convolutional(settings.encoder.kind)
    kernels = not convolved and not is_image and d > 2
    with_base, k = settings.encoder.base, d if d <= _WHOLE else _LEADING
    reported, watched, references, measured = (
        _NUMBER * d * min(n, affordable(most, d))
        for most in (REPORTED, MONITORED, REFERENCES, MEASURED)
    )
    anchors = _NUMBER * d * min(n, settings.sampler.n_anchors)
    loaded = _LOADED + (_LOADED_FOR_VIEWS if is_image else 0)
    if needs_fabric(settings.device, plan.n_processes):
        loaded += _LOADED_BY_FABRIC
    unseen = _NUMBER * d * n_held_out_images(n, d) if is_image and not data.is_stream else 0
    held = {
        "libraries": libraries + loaded,
        "data": (0 if data.in_file else n * d * data.itemsize)
        + (0 if data.itemsize == 1 else n * d * _NUMBER)
        + data.buffered,
        "points to watch and refer to": watched + references + anchors + unseen,
    }
    # The model, its average, the gradient and two moments of Adam; all but the gradient again for
    # the guard's last good state, and for the best of the restarts.
    copies = 9 * members + (4 if members > 1 else 0)
    bases = 11 * d * k if with_base else 0
    buffer = (2 * members + (members > 1)) * n_chains * d
    networks = _NUMBER * (copies * network.parameters + bases + buffer)
    # The covariance, either the whole matrix or its products with some vectors, held five times.
    covariance = _EXACT * d * (2 * d if d <= _WHOLE else 5 * _LEADING)
    preparing = (covariance + measured if with_base else 0) + (
        4 * _EXACT * min(n, _KERNELS) ** 2 if kernels else 0
    )
    held["networks and chains"] = networks
    by_contrast = settings.sampler.kind == "base"
    phases = {}
    if by_contrast:
        held["draws of the base"] = _NUMBER * d * (stock_size(d) + 6 * reference_rows(n, d))
        phases = _before_contrast(plan, networks)
    iteration = max(
        _iteration(plan, members, batch, gen=settings.restarts.gen),
        _iteration(plan, 1, batch, gen=True),
    ) * (2 if plan.cuda_graph and settings.sampler.every > 1 else 1)
    watching = _NUMBER * members * n_chains * (d + network.passing)
    starting = 0
    if settings.restarts.kmeans and members > 1:
        codes = settings.restarts.kmeans
        starting = _NUMBER * (
            codes * (4 * network.parameters + batch * (network.kept + network.passing + d))
            + 2 * d * min(n, CODED)
        )
    choosing = 0
    exact = settings.sampler.kind == "exact"
    if exact:
        found = affordable(NEIGHBOURED, d)
        searched = _NUMBER * min(n, found) * (2 * PART + 3 * d)
        phases["neighbours"] = max(0, searched - networks)
        if plan.seeks_consensus:
            c = settings.n_clusters
            choosing = _OF_OVERLAPS * _EXACT * (n_compared(members, c) * c) ** 2
    elif settings.restarts.gen and members > 1:
        choosing = _ESTIMATED * (
            _NUMBER * members * (network.passing + d) + 2 * _EXACT * settings.sampler.n_anchors
        )
    if by_contrast:
        preparing = 0
    if not is_image:
        phases["scaling"] = max(0, _OF_SCALED * _EXACT * d * min(n, DECIDING) - networks)
    return Memory(
        held,
        {
            **phases,
            # This phase ends before there are networks.
            "covariance and kernels": max(0, preparing - networks),
            "k-means": starting,
            "iteration": iteration,
            "energies of the chains": watching,
            "choice among restarts": choosing,
            "end": reported
            + _NUMBER * network.parameters
            + (_normalizer(plan) if learns_density else 0),
        },
    )


def _before_contrast(plan: Plan, networks: int) -> dict[str, int]:
    """Bytes of the phases before networks learn from draws of the base, beyond what is held then.

    There are no networks yet, and no stock of draws.
    """
    n, d, stock = plan.data.n_points, plan.data.n_features, stock_size(plan.data.n_features)
    before = networks + _NUMBER * d * stock
    drawing = _OF_DRAWN * _NUMBER * min(DRAWN, stock * d) + _OF_DRAWS * _NUMBER * stock * d
    needed = {
        "mixture": _OF_ROWS * _EXACT * d * min(n, rows_looked_at(d)) - before,
        "places of outliers": _OF_PLACES * n - before,
        "stock of draws": drawing - _NUMBER * d * stock,
    }
    if plan.settings.restarts.pool:
        seen = plan.settings.encoder.components or d
        pool = _OF_DISTANCES * min(n, SAMPLE) ** 2 + 4 * _EXACT * seen * min(n, CODED)
        needed["pool of partitions"] = pool - before
    return {name: max(0, size) for name, size in needed.items()}


def _iteration(plan: Plan, members: int, batch: int, *, gen: bool) -> int:
    """Bytes of the largest part of an iteration: views, moves of chains, or gradients."""
    settings, network, d = plan.settings, plan.network, plan.data.n_features
    points = members * batch
    gen = gen and settings.weights.gen != 0
    anchors = settings.sampler.n_anchors
    # x and its view are held while chains move; a chain has positions, gradients and proposals.
    chains = points * (2 * d + 10 * d + network.kept + 2 * network.passing + 4 * anchors)
    # These are the distances to all references, and their squares.
    views = points * (2 * d + 2 * REFERENCES // 3) + d * REFERENCES
    inputs = 1 + (settings.weights.inv != 0) + plan.known_share
    if settings.sampler.kind == "exact":
        # All networks see the same batch, and there are no negatives.
        return _NUMBER * int(batch * inputs) * (2 * d + network.passing + members * network.kept)
    if settings.sampler.kind == "base":
        inputs += settings.sampler.n_draws if gen else 0
    elif gen:
        inputs += 2 if settings.data_noise else 1
    terms = int(points * inputs) * (2 * d + network.kept + network.passing)
    return _NUMBER * max(terms, views, chains if gen else 0)


def _normalizer(plan: Plan) -> int:
    """Bytes for log Z: by draws, by a grid up to two dimensions, or else by annealing.

    It is 0 with convolutions.
    """
    settings, network, d = plan.settings, plan.network, plan.data.n_features
    if is_convolutional(settings.encoder.kind):
        return 0
    if settings.sampler.kind == "base":
        drawn = stock_size(d)
        return _NUMBER * (_OF_DRAWN * min(DRAWN, drawn * d) + _OF_DRAWS * drawn * d)
    if d <= 2:
        return _NUMBER * _GRID * (network.passing + d)
    chains = _CHAINS[0] if network.parameters < _SMALL else _CHAINS[1]
    drawing = (2 * max(_INSIDE, chains) + 4 * _DRAWN) * d
    moving = chains * (12 * d + network.kept + network.passing + 6 * settings.sampler.n_anchors)
    return _NUMBER * max(drawing, moving)
