"""Views: T(x'|x), small changes that should not change the cluster.

A view is called as `view(x, *, posterior, generator, index)` with points (..., n, d) and returns
points of the same shape, on the same device. The adversarial one needs the model's posterior, the
user's positives need the points' places in the data; the others ignore both.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

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

    def __call__(
        self,
        x: Tensor,
        *,
        posterior: Posterior,
        generator: Generator,
        index: Tensor | None = None,
    ) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        length = self.scale * self.local(x)[..., None]
        return x + length * _randn_like(x, generator) / math.sqrt(x.shape[-1])


@dataclass(frozen=True)
class FeatureDropout:
    """x' = x, but each feature is with probability p that of another point.

    Features that are dropped take values from the data instead of zero, so that x' stays where
    each feature alone is plausible (Bahri et al., ICLR 2022).

    Args:
        rate: p.
        reference: the points that values come from, (m, d).
    """

    rate: float
    reference: Tensor

    def __call__(
        self,
        x: Tensor,
        *,
        posterior: Posterior,
        generator: Generator,
        index: Tensor | None = None,
    ) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        dropped = torch.rand(x.shape, device=x.device, generator=generator) < self.rate
        row = torch.randint(len(self.reference), x.shape, device=x.device, generator=generator)
        return torch.where(
            dropped, self.reference[row, torch.arange(x.shape[-1], device=x.device)], x
        )


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

    def __call__(
        self,
        x: Tensor,
        *,
        posterior: Posterior,
        generator: Generator,
        index: Tensor | None = None,
    ) -> Tensor:
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

    def __call__(
        self,
        x: Tensor,
        *,
        posterior: Posterior,
        generator: Generator,
        index: Tensor | None = None,
    ) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        nearest = _similarity(x, self.reference).topk(self.k + 1, -1).indices
        # The nearest is x itself where x is a reference point; leaving it out always is simpler.
        rank = torch.randint(
            1, self.k + 1, (*x.shape[:-1], 1), device=x.device, generator=generator
        )
        return self.reference[nearest.gather(-1, rank).squeeze(-1)]


class Positives:
    """x' = one of the points that the user says belong with x; x itself where there is none.

    Args:
        data: all points, (n, d).
        pairs: places of points that belong together, (m, 2); each counts both ways.

    Raises:
        ValueError: when it is called for points that are not from the data.
    """

    def __init__(self, data: Tensor | Points, pairs: Tensor) -> None:
        self.data = data
        both = torch.cat([pairs, pairs.flip(-1)])
        both = both[both[:, 0].argsort(stable=True)]
        self.partners = both[:, 1]
        self.counts = torch.bincount(both[:, 0], minlength=len(data))
        self.starts = self.counts.cumsum(0) - self.counts

    def __call__(
        self,
        x: Tensor,
        *,
        posterior: Posterior,
        generator: Generator,
        index: Tensor | None = None,
    ) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        if index is None:
            raise ValueError("positives are known for the data of the training only")
        counts = self.counts[index]
        rank = torch.rand(index.shape, device=x.device, generator=generator) * counts
        place = self.starts[index] + rank.long().clamp_max(counts - 1).clamp_min(0)
        partner = self.partners[place.clamp_max(len(self.partners) - 1)]
        return torch.where((counts > 0)[..., None], self.data[partner], x)


class Own:
    """A function of the user's: from a batch in the user's units to one of the same shape.

    Args:
        function: tensors (n, *input_shape) to the same; it may draw from torch's global random
            state, which is lent to it for the time of the call.
        scaling: between the user's units and the network's.
        input_shape: of one point, (d,) or (C, H, W).

    Raises:
        ValueError: where the function returns another shape.
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

    def __call__(
        self,
        x: Tensor,
        *,
        posterior: Posterior,
        generator: Generator,
        index: Tensor | None = None,
    ) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        shift, scale = self.scaling.shift.to(x), self.scaling.scale.to(x)
        own = (x * scale + shift).reshape(-1, *self.input_shape)
        with lent_random_state(x, generator):
            seen = torch.as_tensor(self.function(own))
        if seen.shape != own.shape:
            raise ValueError(
                f"view {self.function!r}: expected a batch of shape {tuple(own.shape)} as it was "
                f"given, got {tuple(seen.shape)}"
            )
        return (seen.to(x).reshape(x.shape) - shift) / scale


def plugged_view(name: str) -> Callable[[Tensor], Tensor]:
    """A plug-in's view: a function for `Own`.

    Raises:
        PluginError: if there is no such plug-in, it cannot be loaded, or it is no function.
    """
    found = plugins.load("gedi.views", name, setting="setting views.own")
    if not callable(found):
        raise PluginError(
            f"setting views.own: expected a function from {plugins.find('gedi.views', name)}, "
            f"got {found!r}"
        )
    return found  # type: ignore[no-any-return]


class Split:
    """Equal shares of the batch seen through different views.

    Args:
        views: one view for each share; without any, points are their own views.
    """

    def __init__(self, views: Sequence[View]) -> None:
        self.views = tuple(views)

    def __call__(
        self,
        x: Tensor,
        *,
        posterior: Posterior,
        generator: Generator,
        index: Tensor | None = None,
    ) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        if not self.views:
            return x
        n = len(self.views)
        shares = x.tensor_split(n, dim=-2)
        places = [None] * n if index is None else index.tensor_split(n, dim=-1)
        return torch.cat(
            [
                view(share, posterior=posterior, generator=generator, index=place)
                for view, share, place in zip(self.views, shares, places, strict=True)
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
