"""Whether there is memory for a training, asked before any work is done."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Generator

from gedi.data.dataset import Dataset
from gedi.data.points import is_mapped
from gedi.data.shards import StreamedDataset
from gedi.errors import SettingsError
from gedi.free_memory import Free, free_memory
from gedi.model.kinds import is_plugged, plugged_module
from gedi.settings import Settings
from gedi.training.custom import Custom
from gedi.training.memory import LIBRARIES, Memory, peak_memory
from gedi.training.plan import of_one_process, resolve

__all__ = ["estimate", "refuse_too_large"]

_LOWER: Mapping[str, str] = {
    "data": "take fewer points, or images of bytes, which stay in their file (stream_above)",
    "points to watch and refer to": "take fewer features",
    "networks and chains": "lower encoder.hidden, restarts.n or sampler.buffer_size",
    "covariance and kernels": "take fewer features, or leave the base out (encoder.base false)",
    "k-means": "lower restarts.kmeans, encoder.hidden or batch_size",
    "iteration": "lower batch_size, restarts.n or encoder.hidden",
    "energies of the chains": "lower sampler.buffer_size or restarts.n",
    "choice among restarts": "lower restarts.n or sampler.n_anchors",
    "end": "take fewer features, or lower encoder.hidden",
}


def estimate(
    settings: Settings,
    dataset: Dataset,
    custom: Custom = Custom(),
    *,
    replayed: bool = False,
    libraries: int,
) -> Memory:
    """What a training on these data takes; see `peak_memory`.

    Args:
        settings: resolved.
        dataset: the points.
        custom: what the user brings.
        replayed: whether iterations are CUDA graphs.
        libraries: bytes that the process takes without the data.
    """
    kind, encoder = settings.encoder.kind, custom.encoder
    if encoder is None and is_plugged(kind):
        shape = dataset.image_shape or dataset.x.shape[1:]
        encoder = plugged_module(str(kind), shape, Generator())
    return peak_memory(
        settings,
        *dataset.x.shape,
        image_shape=dataset.image_shape,
        itemsize=dataset.x.itemsize,
        in_file=is_mapped(dataset.x),
        buffered=dataset.shards.held_bytes if isinstance(dataset, StreamedDataset) else 0,
        n_parameters=None if encoder is None else sum(p.numel() for p in encoder.parameters()),
        known_share=custom.known_share,
        replayed=replayed,
        libraries=libraries,
    )


def refuse_too_large(
    settings: Settings,
    dataset: Dataset,
    custom: Custom = Custom(),
    *,
    devices: int = 1,
    nodes: int = 1,
    free: Callable[[torch.device], Free | None] = free_memory,
) -> None:
    """Refuse a training that cannot fit into memory.

    Where the system does not tell how much there is, nothing is refused.

    Args:
        settings: the user's.
        dataset: the points, which are in memory already.
        custom: what the user brings.
        devices: processes on each machine; on the CPU they share its memory.
        nodes: machines.
        free: tells what memory is left on a device.

    Raises:
        SettingsError: with what is needed, what there is, and what to lower; and for settings that
            contradict each other or the data.
        DataError: for fewer points than clusters.
    """
    # The noise would be read off the data, which takes memory itself.
    noise = 0.1 if settings.data_noise is None else settings.data_noise
    resolved = resolve(replace(settings, data_noise=noise), dataset, custom)
    resolved = of_one_process(resolved, devices * nodes)
    on_device = resolved.device == "cuda" or (
        resolved.device == "auto" and torch.cuda.is_available()
    )
    if on_device and not torch.cuda.is_available():
        return  # which is told elsewhere
    room = free(torch.device("cuda" if on_device else "cpu"))
    replayed = on_device and resolved.cuda_graph is not False
    needed = estimate(resolved, dataset, custom, replayed=replayed, libraries=0)
    there = 0 if is_mapped(dataset.x) else dataset.x.nbytes
    others = 0
    if on_device:
        there += needed.held["libraries"]
    elif devices > 1:
        others = (devices - 1) * estimate(resolved, dataset, custom, libraries=LIBRARIES).total
    if room is None or needed.total - there + others <= room.bytes:
        return
    parts = {name: size for name, size in needed.parts.items() if name in _LOWER}
    parts["data"] -= 0 if is_mapped(dataset.x) else dataset.x.nbytes
    listed = ", ".join(f"{name} {_gibibytes(size)}" for name, size in parts.items())
    largest = max(parts, key=lambda name: parts[name])
    more = f", and its other processes {_gibibytes(others)}" if others else ""
    raise SettingsError(
        f"{dataset.name}: a training on {len(dataset.x)} points of {dataset.x.shape[1]} features "
        f"needs about {_gibibytes(needed.total - there)} of memory ({listed}){more}, but "
        f"{room.of} has {_gibibytes(room.bytes)} left: {_LOWER[largest]}"
    )


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
