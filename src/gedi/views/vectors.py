"""Views of vectors: random small changes that should not change the cluster.

A view is called as `view(x, *, posterior, generator, index)` with points (..., n, d) and returns
points of the same shape on the same device. `VirtualAdversarial` uses the posterior of the model,
and `Positives` uses the indices of the points in the data; the other views ignore both as `_`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from gedi import plugins
from gedi.data.points import Points
from gedi.errors import PluginError
from gedi.model.scaling import Scaling
from gedi.objective import invariance
from gedi.random_state import lent_random_state

__all__ = [
    "FeatureDropout",
    "GaussianNoise",
    "LocalScale",
    "Neighbour",
    "Own",
    "Positives",
    "Split",
    "View",
    "VirtualAdversarial",
    "plugged_view",
]

Posterior = Callable[[Tensor], Tensor]
Scale = Callable[[Tensor], Tensor]


class View(Protocol):
    """A stochastic view x' ~ T(x'|x)."""

    def __call__(
        self,
        x: Tensor,
        *,
        posterior: Posterior,
        generator: Generator,
        index: Tensor | None = None,
    ) -> Tensor:
        """The views of points, (..., n, d) -> (..., n, d)."""
        ...


class LocalScale:
    """The local scale r(x): the distance between neighbours around a point.

    r(x) is the distance from the reference point nearest to x to the k-th nearest neighbour of that
    reference point. With a fixed random subset of the data as reference points, its cost does not
    depend on the number of points.

    Args:
        reference: the reference points, (m, d).
        k: the number of the neighbour; at most m - 1 is used.

    Attributes:
        median: the median of r over the reference points.
    """

    def __init__(self, reference: Tensor, k: int = 10) -> None:
        k = min(k, len(reference) - 1)
        self.reference = reference
        self.radii = torch.cdist(reference, reference).kthvalue(k + 1, dim=-1).values
        self.median = float(self.radii.median())

    def __call__(self, x: Tensor) -> Tensor:
        """The local scale r(x) at each point, (..., n, d) -> (..., n)."""
        radii: Tensor = self.radii[_similarity(x, self.reference).argmax(-1)]
        return radii


@dataclass(frozen=True)
class GaussianNoise:
    """Gaussian noise of a length of about s r(x), x' = x + s r(x) ξ / sqrt(d) with ξ ~ N(0, I).

    Args:
        scale: the length of the noise in units of the local scale, s.
        local: the local scale r, such as `LocalScale`.
    """

    scale: float
    local: Scale

    def __call__(self, x: Tensor, *, generator: Generator, **_: object) -> Tensor:
        """The views of points, (..., n, d) -> (..., n, d)."""
        length = self.scale * self.local(x)[..., None]
        return x + length * _randn_like(x, generator) / math.sqrt(x.shape[-1])


@dataclass(frozen=True)
class FeatureDropout:
    """A view in which each feature takes the value of a random other point with probability p.

    Values are taken from the data instead of being set to zero, so that each feature of x' alone is
    plausible (Bahri et al., ICLR 2022, https://arxiv.org/abs/2106.15147).

    Args:
        rate: the probability p.
        reference: the points that values are taken from, (m, d).
    """

    rate: float
    reference: Tensor

    def __call__(self, x: Tensor, *, generator: Generator, **_: object) -> Tensor:
        """The views of points, (..., n, d) -> (..., n, d)."""
        dropped = torch.rand(x.shape, device=x.device, generator=generator) < self.rate
        row = torch.randint(len(self.reference), x.shape, device=x.device, generator=generator)
        return torch.where(
            dropped, self.reference[row, torch.arange(x.shape[-1], device=x.device)], x
        )


@dataclass(frozen=True)
class VirtualAdversarial:
    """The view that changes the prediction most, x' = x + s r(x) g / |g|.

    g is the gradient of CE(p(y|x), p(y|x + δ)) at a small random δ, which is one step of the power
    method for the direction of the largest curvature. It needs no knowledge of the data, and moves
    cluster boundaries to regions with few points. Source: Miyato et al., TPAMI 2019,
    https://arxiv.org/abs/1704.03976; for clustering Hu et al., ICML 2017,
    https://arxiv.org/abs/1702.08720.

    Args:
        scale: the length of the change in units of the local scale, s.
        local: the local scale r, such as `LocalScale`.
    """

    scale: float
    local: Scale

    def __call__(
        self, x: Tensor, *, posterior: Posterior, generator: Generator, **_: object
    ) -> Tensor:
        """The views of points, (..., n, d) -> (..., n, d)."""
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
    """A random one of the k nearest neighbours of x.

    It keeps cluster boundaries out of dense regions, in tables as well as in images.

    Args:
        reference: the points among which neighbours are searched, (m, d) with m > k; the data, or a
            subset of them.
        k: the number of neighbours.
    """

    reference: Tensor
    k: int

    def __call__(self, x: Tensor, *, generator: Generator, **_: object) -> Tensor:
        """The views of points, (..., n, d) -> (..., n, d)."""
        nearest = _similarity(x, self.reference).topk(self.k + 1, -1).indices
        # If x is a reference point, the nearest is x itself. It is simplest to omit it always.
        rank = torch.randint(
            1, self.k + 1, (*x.shape[:-1], 1), device=x.device, generator=generator
        )
        return self.reference[nearest.gather(-1, rank).squeeze(-1)]


class Positives:
    """A random one of the points that are paired with x; x itself if there is none.

    Args:
        data: all points, (n, d).
        pairs: indices of points that belong together, (m, 2); pairs are symmetric.

    Raises:
        ValueError: when it is called without the indices of the points.
    """

    def __init__(self, data: Tensor | Points, pairs: Tensor) -> None:
        self.data = data
        both = torch.cat([pairs, pairs.flip(-1)])
        both = both[both[:, 0].argsort(stable=True)]
        self.partners = both[:, 1]
        self.counts = torch.bincount(both[:, 0], minlength=len(data))
        self.starts = self.counts.cumsum(0) - self.counts

    def __call__(
        self, x: Tensor, *, generator: Generator, index: Tensor | None = None, **_: object
    ) -> Tensor:
        """The views of points, (..., n, d) -> (..., n, d)."""
        if index is None:
            raise ValueError(
                "expected the indices of the points, got None: positives are known only for the "
                "data of the training"
            )
        counts = self.counts[index]
        rank = torch.rand(index.shape, device=x.device, generator=generator) * counts
        place = self.starts[index] + rank.long().clamp_max(counts - 1).clamp_min(0)
        partner = self.partners[place.clamp_max(len(self.partners) - 1)]
        return torch.where((counts > 0)[..., None], self.data[partner], x)


class Own:
    """A view given by a function of the user, which works in the user's units.

    Args:
        function: maps a tensor (n, *input_shape) to one of the same shape. It may draw from torch's
            global random state, which is seeded from the generator during the call.
        scaling: the scaling between the user's units and those of the network.
        input_shape: the shape of one point, (d,) or (C, H, W).

    Raises:
        ValueError: when it is called, if the function returns another shape.
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        scaling: Scaling,
        input_shape: tuple[int, ...],
    ) -> None:
        self.function = function
        self.scaling = scaling
        self.input_shape = input_shape

    def __call__(self, x: Tensor, *, generator: Generator, **_: object) -> Tensor:
        """The views of points, (..., n, d) -> (..., n, d)."""
        shift, scale = self.scaling.shift.to(x), self.scaling.scale.to(x)
        own = (x * scale + shift).reshape(-1, *self.input_shape)
        with lent_random_state(x, generator):
            seen = torch.as_tensor(self.function(own))
        if seen.shape != own.shape:
            raise ValueError(
                f"view {self.function!r}: expected a batch of shape {tuple(own.shape)}, the "
                f"shape that it was given, got {tuple(seen.shape)}"
            )
        return (seen.to(x).reshape(x.shape) - shift) / scale


def plugged_view(name: str) -> Callable[[Tensor], Tensor]:
    """The view of a plug-in, as a function for `Own`.

    Raises:
        PluginError: if the plug-in is not installed, cannot be loaded, or is not a function.
    """
    found = plugins.load("gedi.views", name, setting="setting views.own")
    if not callable(found):
        raise PluginError(
            f"setting views.own: expected a function from {plugins.find('gedi.views', name)}, "
            f"got {found!r}"
        )
    return found  # type: ignore[no-any-return]


class Split:
    """A view that applies different views to equal shares of the batch.

    Args:
        views: one view for each share; without any, points are returned unchanged.
    """

    def __init__(self, views: Sequence[View]) -> None:
        self.views = tuple(views)

    def __call__(self, x: Tensor, *, index: Tensor | None = None, **given: Any) -> Tensor:
        """The views of points, (..., n, d) -> (..., n, d)."""
        if not self.views:
            return x
        n = len(self.views)
        shares = x.tensor_split(n, dim=-2)
        places = [None] * n if index is None else index.tensor_split(n, dim=-1)
        return torch.cat(
            [
                view(share, index=place, **given)
                for view, share, place in zip(self.views, shares, places, strict=True)
            ],
            dim=-2,
        )


def _similarity(x: Tensor, reference: Tensor) -> Tensor:
    """A number that decreases with the distance to each reference point, (..., n, m)."""
    return x @ reference.T - 0.5 * reference.square().sum(-1)


def _safe_log(probabilities: Tensor) -> Tensor:
    """The logarithm with a lower bound, because a posterior may underflow to zero."""
    return probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()


def _randn_like(x: Tensor, generator: Generator) -> Tensor:
    return torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)
