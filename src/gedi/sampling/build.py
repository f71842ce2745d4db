"""Building the sampler of a training from its settings: moves of the chains, and VERA."""

import copy
import math

from torch import Generator, Tensor, nn

from gedi.model.base import GaussianBase
from gedi.model.box import Box
from gedi.sampling.chains import Cycle
from gedi.sampling.jumps import AnchoredJump
from gedi.sampling.langevin import Langevin
from gedi.sampling.vera import ImageGenerator, VectorGenerator, VeraSampler
from gedi.sampling.vera_source import VeraSource
from gedi.settings.complete import SamplerChoice

__all__ = ["build_moves", "build_vera"]

_VERA_WIDTHS = [100, 100]  # of the network that generates vectors, if the encoder has no widths
_VERA_CHANNELS = 32  # of the network that generates images
_VERA_NOISE = (0.01, 0.1, 0.3)  # smallest, initial and largest σ; more if the data have more noise


def build_moves(
    chosen: SamplerChoice,
    box: Box,
    anchors: Tensor,
    bandwidth: float,
    base: GaussianBase | None,
    *,
    members: tuple[int, ...] = (),
) -> Cycle:
    """Build the moves of the chains: Langevin steps, then jumps.

    Args:
        chosen: settings of the sampler.
        box: the domain of the chains.
        anchors: data points that jumps refer to, (m, d).
        bandwidth: the width of the kernels around the anchors.
        base: the Gaussian whose covariance preconditions the steps; None is no preconditioning.
        members: leading dimensions of the step size.
    """
    langevin = Langevin(
        chosen.step_size,
        chosen.n_steps,
        noise=chosen.noise,
        metropolis=chosen.metropolis,
        target_acceptance=chosen.target_acceptance if chosen.metropolis else None,
        max_gradient=chosen.max_gradient,
        preconditioner=(
            copy.deepcopy(base.root) if chosen.precondition and base is not None else None
        ),
        box=box,
        boundary=chosen.boundary,
        members=members,
    )
    jumps = [AnchoredJump(anchors, bandwidth, box, members=members) for _ in range(chosen.jumps)]
    return Cycle([langevin, *jumps]).to(anchors.device)


def build_vera(
    chosen: SamplerChoice,
    moves: Cycle,
    box: Box,
    input_shape: tuple[int, ...],
    base: GaussianBase | None,
    *,
    hidden: list[int],
    smoothing: float,
    generator: Generator,
) -> VeraSource:
    """Build an amortised sampler; it draws vectors in coordinates that are whitened by the base.

    Its noise is at least that of the smoothed data at the start, because samples need not be
    sharper than the data.

    Args:
        chosen: settings of the sampler.
        moves: moves of the chains that start from its samples.
        box: the domain of the chains.
        input_shape: the shape of one point, (d,) or (C, H, W).
        base: the base density of the energy.
        hidden: widths of the encoder, which its network for vectors shares.
        smoothing: the standard deviation of the noise that smooths the data.
        generator: draws the weights.
    """
    is_image = len(input_shape) == 3
    latents = chosen.vera.latents
    network: nn.Module
    if is_image:
        channels, height, width = input_shape
        network = ImageGenerator(
            latents, (channels, height, width), _VERA_CHANNELS, generator=generator
        )
    else:
        network = VectorGenerator(
            latents, math.prod(input_shape), hidden or _VERA_WIDTHS, generator=generator
        )
    low, first, high = _VERA_NOISE
    sampler = VeraSampler(
        network, noise=max(first, smoothing), noise_range=(low, max(high, 2 * smoothing))
    )
    whitened = None if is_image or not chosen.precondition else base
    device = box.low.device
    return VeraSource(
        sampler.to(device),
        moves,
        box,
        learning_rate=chosen.vera.learning_rate,
        entropy_weight=chosen.vera.entropy_weight,
        n_importance=chosen.vera.n_importance,
        centre=None if whitened is None else whitened.mean.clone(),
        preconditioner=None if whitened is None else copy.deepcopy(whitened.root),
    ).to(device)
