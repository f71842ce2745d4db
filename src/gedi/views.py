"""Views: T(x'|x), small changes that should not change the cluster.

A view is called as `view(x, *, posterior, generator)` with points (..., n, d) and returns points
of the same shape, on the same device. The adversarial one needs the model's posterior; the others
ignore it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from gedi.objective import invariance

__all__ = [
    "Affine",
    "GaussianNoise",
    "LocalScale",
    "Neighbour",
    "Split",
    "View",
    "VirtualAdversarial",
]

Posterior = Callable[[Tensor], Tensor]
Scale = Callable[[Tensor], Tensor]


class View(Protocol):
    """A stochastic view x' ~ T(x'|x)."""

    def __call__(self, x: Tensor, *, posterior: Posterior, generator: Generator) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        ...


class LocalScale:
    """The distance that counts as small at a point: that between neighbours around it.

    r(x) is the distance from the reference point nearest to x to its k-th nearest fellow. A fixed
    random subset of the data as reference keeps it cheap, and independent of the amount of data.

    Args:
        reference: reference points, (m, d).
        k: which neighbour; lowered to m - 1 where there are fewer.

    Attributes:
        median: the median of r over the reference points.
    """

    def __init__(self, reference: Tensor, k: int = 10) -> None:
        k = min(k, len(reference) - 1)
        self.reference = reference
        self.radii = torch.cdist(reference, reference).kthvalue(k + 1, dim=-1).values
        self.median = float(self.radii.median())

    def __call__(self, x: Tensor) -> Tensor:
        """(..., n, d) -> (..., n)."""
        radii: Tensor = self.radii[_similarity(x, self.reference).argmax(-1)]
        return radii


@dataclass(frozen=True)
class GaussianNoise:
    """x' = x + s r(x) ξ / sqrt(d): noise whose length is about s r(x).

    Args:
        scale: s.
        local: r.
    """

    scale: float
    local: Scale

    def __call__(self, x: Tensor, *, posterior: Posterior, generator: Generator) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        length = self.scale * self.local(x)[..., None]
        return x + length * _randn_like(x, generator) / math.sqrt(x.shape[-1])


@dataclass(frozen=True)
class VirtualAdversarial:
    """The view in which the prediction changes most: x' = x + s r(x) g / |g|.

    g is the gradient of CE(p(y|x), p(y|x + δ)) at a small random δ: one step of the power method
    for its largest curvature (Miyato et al., TPAMI 2019; for clustering: Hu et al., ICML 2017).
    It needs no knowledge of the data, and pushes cluster boundaries to where points are few.

    Args:
        scale: s.
        local: r.
    """

    scale: float
    local: Scale

    def __call__(self, x: Tensor, *, posterior: Posterior, generator: Generator) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        length = self.scale * self.local(x)[..., None]
        with torch.enable_grad():
            start = 0.1 * length * normalize(_randn_like(x, generator), dim=-1)
            start.requires_grad_(True)
            change = -invariance(
                _safe_log(posterior(x + start)), _safe_log(posterior(x).detach())
            ).sum()
            (direction,) = torch.autograd.grad(change, start)
        return (x + length * normalize(direction, dim=-1)).detach()


@dataclass(frozen=True)
class Neighbour:
    """x' = one of the k points nearest to x, itself excluded.

    What keeps a cluster from being cut where the data are dense, in tables as well as in images.

    Args:
        reference: the points to choose from, (m, d), m > k; data, or a subset of them.
        k: how many neighbours.
    """

    reference: Tensor
    k: int

    def __call__(self, x: Tensor, *, posterior: Posterior, generator: Generator) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        nearest = _similarity(x, self.reference).topk(self.k + 1, -1).indices
        # The nearest is x itself where x is a reference point; leaving it out always is simpler.
        rank = torch.randint(
            1, self.k + 1, (*x.shape[:-1], 1), device=x.device, generator=generator
        )
        return self.reference[nearest.gather(-1, rank).squeeze(-1)]


class Affine:
    """Rotated, shifted, scaled and sheared images, drawn anew for every image (kornia).

    Args:
        image_shape: (C, H, W) of the images that the points are, flattened.
        degrees: largest rotation.
        translate: largest shift, as a share of the image.
        scale: largest change of size, as a share.
        shear: largest shear, in degrees.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        degrees: float,
        translate: float,
        scale: float,
        shear: float = 0.0,
    ) -> None:
        from kornia.augmentation import RandomAffine  # noqa: PLC0415 - slow to import

        self.image_shape = image_shape
        self.transform = RandomAffine(
            degrees,
            translate=(translate, translate),
            scale=(1 - scale, 1 + scale),
            shear=shear or None,
            padding_mode="border",
            p=1.0,
        )

    def __call__(self, x: Tensor, *, posterior: Posterior, generator: Generator) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        images = x.reshape(-1, *self.image_shape)
        # kornia draws from the global state; lend it one that our generator decides.
        seed = torch.randint(2**62, (), device=generator.device, generator=generator)
        with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
            torch.manual_seed(int(seed))
            moved: Tensor = self.transform(images)
        return moved.reshape(x.shape)


class Split:
    """Equal shares of the batch seen through different views.

    Args:
        views: one view for each share; without any, points are their own views.
    """

    def __init__(self, views: Sequence[View]) -> None:
        self.views = tuple(views)

    def __call__(self, x: Tensor, *, posterior: Posterior, generator: Generator) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        if not self.views:
            return x
        shares = x.tensor_split(len(self.views), dim=-2)
        return torch.cat(
            [
                view(share, posterior=posterior, generator=generator)
                for view, share in zip(self.views, shares, strict=True)
            ],
            dim=-2,
        )


def _similarity(x: Tensor, reference: Tensor) -> Tensor:
    """A number that falls with the distance to each reference point, (..., n, d) -> (..., n, m)."""
    return x @ reference.T - 0.5 * reference.square().sum(-1)


def _safe_log(probabilities: Tensor) -> Tensor:
    """Logarithm with a floor, as a posterior may underflow to zero."""
    return probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()


def _randn_like(x: Tensor, generator: Generator) -> Tensor:
    return torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)
