"""How much memory a training takes at its peak, from its settings and the shape of the data.

The sum of what is held all along and of the largest of what comes and goes; `peak_memory` says how
each is counted, and docs/reliability.md what was measured. In float32, with b = 4 bytes a number.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from gedi.data.points import affordable
from gedi.model.kinds import is_convolutional
from gedi.settings import EncoderSettings, Settings
from gedi.training.ingredients import CODED, MEASURED, MONITORED, REFERENCES, TOLD

__all__ = ["LIBRARIES", "Memory", "Network", "network_size", "peak_memory"]

LIBRARIES = 480 * 2**20  # torch for CPUs and what else is imported; other builds take more

_LOADED = 175 * 2**20  # by libraries at their first use, Fabric's among them
_LOADED_FOR_VIEWS = 60 * 2**20  # by kornia
_NUMBER = 4
_EXACT = 8
_KERNELS = 1000  # points whose distances tell the noise
_WHOLE, _LEADING = 256, 128  # eigenvectors of the base
_GRID = 65_536  # points of a grid at a time
_ESTIMATED = 4096  # points for log Z of the restarts
_DRAWN, _INSIDE = 1024, 4096  # points that annealing starts from
_SMALL = 50_000  # numbers of a network with many chains
_CHAINS = (2048, 512)  # of annealing, for small networks and large ones


class Network(NamedTuple):
    """The size of a network.

    Attributes:
        parameters: numbers that are learned.
        kept: numbers that a gradient keeps for each point.
        passing: numbers for each point at the widest place, where no gradient is taken.
    """

    parameters: int
    kept: int
    passing: int


@dataclass(frozen=True)
class Memory:
    """Bytes by what takes them.

    Args:
        held: all along.
        phases: one after the other, above what is held; network and data are there in all but the
            first.
    """

    held: Mapping[str, int]
    phases: Mapping[str, int]

    @property
    def total(self) -> int:
        """At the peak."""
        return sum(self.held.values()) + max(self.phases.values())

    @property
    def parts(self) -> dict[str, int]:
        """What takes memory at the peak, the largest first."""
        name = max(self.phases, key=lambda phase: self.phases[phase])
        parts = {**self.held, name: self.phases[name]}
        return dict(sorted(parts.items(), key=lambda part: -part[1]))


def peak_memory(
    settings: Settings,
    n: int,
    d: int,
    *,
    image_shape: tuple[int, int, int] | None = None,
    itemsize: int = 4,
    in_file: bool = False,
    buffered: int = 0,
    n_parameters: int | None = None,
    known_share: float = 0.0,
    replayed: bool = False,
    libraries: int = LIBRARIES,
) -> Memory:
    """Bytes that a training takes at most.

    Not counted are the activations of an encoder of the user's, whose number is not known, and the
    sampler of VERA.

    Args:
        settings: resolved.
        n: points.
        d: features, or pixels times channels.
        image_shape: (C, H, W) if the points are images.
        itemsize: bytes of a number of the data, 1 for images of bytes.
        in_file: whether the data are mapped from a file.
        buffered: bytes that a stream of the data holds, of which n points are a sample.
        n_parameters: of an encoder of the user's or of a plug-in; None for one of ours.
        known_share: inputs of which something is known, as a share of the batch they come beside.
        replayed: whether iterations are CUDA graphs, of which those with chains and those without
            are two, and each keeps what it makes.
        libraries: what the process takes before there are data.
    """
    c = settings.n_clusters or 1
    network = (
        network_size(settings.encoder, c, d, image_shape)
        if n_parameters is None
        else Network(n_parameters, 0, 0)
    )
    members, batch = settings.restarts.n or 1, settings.batch_size or 1
    learns_density = settings.weights.gen != 0
    convolved = is_convolutional(settings.encoder.kind)
    kernels = not convolved and image_shape is None and d > 2
    with_base, k = bool(settings.encoder.base), d if d <= _WHOLE else _LEADING
    told, watched, references, measured = (
        _NUMBER * d * min(n, affordable(most, d))
        for most in (TOLD, MONITORED, REFERENCES, MEASURED)
    )
    anchors = _NUMBER * d * min(n, settings.sampler.n_anchors)
    loaded = _LOADED + (_LOADED_FOR_VIEWS if image_shape is not None else 0)
    held = {
        "libraries": libraries + loaded,
        "data": (0 if in_file else n * d * itemsize)
        + (0 if itemsize == 1 else n * d * _NUMBER)
        + buffered,
        "points to watch and refer to": watched + references + anchors,
    }
    # model, average, gradient and two moments of Adam; all but the gradient again for the guard's
    # last good state, and for the best of the restarts.
    copies = 9 * members + (4 if members > 1 else 0)
    bases = 11 * d * k if with_base else 0
    buffer = (2 * members + (members > 1)) * (settings.sampler.buffer_size or 0) * d
    resting = 2 if settings.sampler.buffer_dtype == "float16" else _NUMBER
    networks = _NUMBER * (copies * network.parameters + bases) + resting * buffer
    # The covariance, whole or what it does to some vectors, which an iteration has five times.
    covariance = _EXACT * d * (2 * d if d <= _WHOLE else 5 * _LEADING)
    preparing = (covariance + measured if with_base else 0) + (
        4 * _EXACT * min(n, _KERNELS) ** 2 if kernels else 0
    )
    held["networks and chains"] = networks
    iteration = max(
        _iteration(settings, network, members, d, known_share, gen=bool(settings.restarts.gen)),
        _iteration(settings, network, 1, d, known_share, gen=True),
    ) * (2 if replayed and (settings.sampler.every or 1) > 1 else 1)
    watching = _NUMBER * members * (settings.sampler.buffer_size or 0) * (d + network.passing)
    starting = 0
    if settings.restarts.kmeans and members > 1:
        codes = settings.restarts.kmeans
        starting = _NUMBER * (
            codes * (4 * network.parameters + batch * (network.kept + network.passing + d))
            + 2 * d * min(n, CODED)
        )
    choosing = 0
    if settings.restarts.gen and members > 1:
        choosing = _ESTIMATED * (
            _NUMBER * members * (network.passing + d) + 2 * _EXACT * settings.sampler.n_anchors
        )
    return Memory(
        held,
        {
            # Before there are networks.
            "covariance and kernels": max(0, preparing - networks),
            "k-means": starting,
            "iteration": iteration,
            "energies of the chains": watching,
            "choice among restarts": choosing,
            "end": told
            + _NUMBER * network.parameters
            + (_normalising(settings, network, d) if learns_density else 0),
        },
    )


def _iteration(
    settings: Settings, network: Network, members: int, d: int, known_share: float, *, gen: bool
) -> int:
    """The largest of what an iteration makes: views, moves of chains, gradients of the terms."""
    batch = members * (settings.batch_size or 1)
    gen = gen and settings.weights.gen != 0
    anchors = settings.sampler.n_anchors
    # x and its view are there while chains move; a chain has positions, gradients and proposals.
    chains = batch * (2 * d + 10 * d + network.kept + 2 * network.passing + 4 * anchors)
    # Distances to all references, and squares of these.
    views = batch * (2 * d + 2 * REFERENCES // 3) + d * REFERENCES
    inputs = 1 + (settings.weights.inv != 0) + known_share
    if gen:
        inputs += 2 if settings.data_noise else 1
    terms = int(batch * inputs) * (2 * d + network.kept + network.passing)
    return _NUMBER * max(terms, views, chains if gen else 0)


def _normalising(settings: Settings, network: Network, d: int) -> int:
    """Of a grid in one or two dimensions, else of annealing; convolutional networks have none."""
    if is_convolutional(settings.encoder.kind):
        return 0
    if d <= 2:
        return _NUMBER * _GRID * (network.passing + d)
    chains = _CHAINS[0] if network.parameters < _SMALL else _CHAINS[1]
    drawing = (2 * max(_INSIDE, chains) + 4 * _DRAWN) * d
    moving = chains * (12 * d + network.kept + network.passing + 6 * settings.sampler.n_anchors)
    return _NUMBER * max(drawing, moving)


def network_size(
    encoder: EncoderSettings, c: int, d: int, image_shape: tuple[int, int, int] | None
) -> Network:
    """The size of a network of ours with a linear head.

    Args:
        encoder: resolved.
        c: outputs.
        d: features.
        image_shape: (C, H, W), for convolutional networks.
    """
    if encoder.kind == "mlp" or image_shape is None:
        widths = [d, *(encoder.hidden or ())]
        layers = [_Layer((a + 1) * b, a, b) for a, b in pairwise(widths)]
        copies, n_features = 2, widths[-1]
    else:
        copies, n_features, layers = _LAYERS[str(encoder.kind)](image_shape)
    return Network(
        sum(layer.parameters for layer in layers) + (n_features + 1) * c,
        copies * sum(layer.n_outputs for layer in layers),
        max(layer.n_inputs + 2 * layer.n_outputs for layer in layers),
    )


class _Layer(NamedTuple):
    """Numbers that it learns, and that go in and come out for each point."""

    parameters: int
    n_inputs: int
    n_outputs: int


def _convolution(
    n_inputs: int, n_outputs: int, size: int, pixels: int, *, stride: int = 1, bias: bool = True
) -> _Layer:
    """A convolution to so many pixels."""
    parameters = n_inputs * n_outputs * size * size + bias * n_outputs
    return _Layer(parameters, n_inputs * pixels * stride * stride, n_outputs * pixels)


_Layers = tuple[int, int, list[_Layer]]
"""Numbers kept for each that a layer puts out, outputs of the encoder, and layers."""


def _small(shape: tuple[int, int, int]) -> _Layers:
    channels, height, width = shape
    half = math.ceil(height / 2) * math.ceil(width / 2)
    quarter = math.ceil(height / 4) * math.ceil(width / 4)
    return (
        2,
        256,
        [
            _convolution(channels, 32, 5, half, stride=2),
            _convolution(32, 64, 3, quarter, stride=2),
            _convolution(64, 64, 3, quarter),
            _Layer((64 * quarter + 1) * 256, 64 * quarter, 256),
        ],
    )


def _resnet8(shape: tuple[int, int, int], width: int = 128) -> _Layers:
    channels, height, breadth = shape
    whole, half, quarter = (height // k * (breadth // k) for k in (1, 2, 4))
    layers = [
        _convolution(channels, width, 3, whole),
        _convolution(width, width, 3, whole),
        _convolution(channels, width, 1, half),
        *[_convolution(width, width, 3, half)] * 2,
        *[_convolution(width, width, 3, quarter)] * 4,
    ]
    return 2, width, layers


def _resnet18(shape: tuple[int, int, int]) -> _Layers:
    channels, height, breadth = shape
    layers = [_convolution(channels, 64, 3, height * breadth, bias=False)]
    n_inputs, norms = 64, 64
    for stage, n_outputs in enumerate((64, 128, 256, 512)):
        pixels = math.ceil(height / 2**stage) * math.ceil(breadth / 2**stage)
        stride = 1 if stage == 0 else 2
        layers.append(_convolution(n_inputs, n_outputs, 3, pixels, stride=stride, bias=False))
        layers += [_convolution(n_outputs, n_outputs, 3, pixels, bias=False)] * 3
        norms += 4 * n_outputs
        if stage > 0:
            layers.append(_convolution(n_inputs, n_outputs, 1, pixels, stride=stride, bias=False))
            norms += n_outputs
        n_inputs = n_outputs
    # What normalises channels has a factor and a summand for each, and its output is kept too.
    return 3, 512, [*layers, _Layer(2 * norms, 0, 0)]


_LAYERS: Mapping[str, Callable[[tuple[int, int, int]], _Layers]] = {
    "conv": _small,
    "resnet8": _resnet8,
    "resnet18": _resnet18,
}
