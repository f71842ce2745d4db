"""Energies (..., d) -> (...) whose log Z over a box is known, with anchors near their mass.

Each function returns the energy, anchors (m, d), the box, and log Z; None is the log of its volume.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gedi.model.box import Box

LOG_ROOT = math.log(2 * math.pi) / 2

Case = tuple[Callable[[Tensor], Tensor], Tensor, Box, float | None]


def cube(dims: int, low: float = -10.0, high: float = 10.0) -> Box:
    """The same range in every dimension."""
    return Box(torch.full((dims,), low), torch.full((dims,), high))


def normal(m: int, dims: int, seed: int = 1) -> Tensor:
    """Standard normal points, (m, d)."""
    return torch.randn(m, dims, generator=torch.Generator().manual_seed(seed))


def gaussian(dims: int) -> Case:
    """Correlated, with condition number 100."""
    rotation = torch.linalg.qr(normal(dims, dims, 2)).Q
    values = torch.logspace(0, -2, dims)
    precision = (rotation / values) @ rotation.T
    anchors = normal(200, dims) @ (rotation * values.sqrt()) @ rotation.T
    log_z = dims * LOG_ROOT + 0.5 * float(values.log().sum())
    return lambda x: 0.5 * ((x @ precision) * x).sum(-1), anchors, cube(dims), log_z


def shifted(dims: int) -> Case:
    """The Gaussian with anchors that are shifted and too widely spread."""
    energy, anchors, box, log_z = gaussian(dims)
    return energy, 1.3 * anchors + 0.3, box, log_z


def three_modes(dims: int) -> Case:
    """Shares 0.6, 0.3 and 0.1, of different shapes, with as many anchors at each."""
    middles = torch.zeros(3, dims)
    middles[0, 0], middles[1, 0], middles[2, -1] = -5.0, 5.0, 5.0
    scales = torch.stack(
        [torch.full((dims,), 0.5), torch.full((dims,), 0.8), torch.linspace(0.3, 1, dims)]
    )
    log_shares = torch.tensor([0.6, 0.3, 0.1]).log()

    def energy(x: Tensor) -> Tensor:
        squares = ((x[..., None, :] - middles) / scales).square().sum(-1)
        logs = log_shares - squares / 2 - scales.log().sum(-1) - dims * LOG_ROOT
        return 3 - logs.logsumexp(-1)

    mode = torch.arange(210) % 3
    return energy, middles[mode] + scales[mode] * normal(210, dims), cube(dims), -3.0


def banana(dims: int) -> Case:
    """x_2 follows x_1²: a shear of a Gaussian, which keeps volumes."""

    def energy(x: Tensor) -> Tensor:
        across = (x[..., 1] - 0.5 * x[..., 0].square()) / 0.3
        return 0.5 * (across.square() + x[..., 0].square() + x[..., 2:].square().sum(-1))

    anchors = normal(200, dims)
    anchors[:, 1] = 0.3 * anchors[:, 1] + 0.5 * anchors[:, 0].square()
    return energy, anchors, cube(dims, -15.0, 25.0), dims * LOG_ROOT + math.log(0.3)


def heavy_tails(dims: int) -> Case:
    """Independent Cauchy coordinates, cut off by the box."""
    angles = math.atan(50) * (
        2 * torch.rand(200, dims, generator=torch.Generator().manual_seed(1)) - 1
    )
    log_z = dims * math.log(2 * math.atan(50))
    return lambda x: x.square().log1p().sum(-1), angles.tan(), cube(dims, -50.0, 50.0), log_z


def flat(dims: int) -> Case:
    """Z is the volume; the anchors fill an eighth of each side."""
    return lambda x: 0 * x.sum(-1), 0.25 + normal(200, dims) / 8, cube(dims, -1.0, 1.0), None
