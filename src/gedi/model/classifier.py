"""The model: the logits of a classifier, read as a posterior over clusters and as an energy.

    p(y|x) = softmax_y f(x),   E(x) = -logsumexp_y f_y(x),   E(x|y) = -f_y(x)

Energies are in nats. Source: Grathwohl et al., ICLR 2020, https://arxiv.org/abs/1912.03263, and
Sansone & Manhaeve, TMLR 2025, https://arxiv.org/abs/2401.00873.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import log_softmax

from gedi.model.encoders import MemberLinear

__all__ = [
    "EnergyClassifier",
    "ResidualClassifier",
    "SamplesDirectly",
    "energy_of_logits",
    "member",
    "number_by_size",
    "renumber_head",
    "renumbered",
    "weight_average",
]


_FAR = 8.0  # robust standard deviations, from where on points look alike to a residual
_PART = 500  # points at a time, so that memory does not grow with their number
_RESAMPLED = 2048  # samples that are chosen from the same draws of the base
_WORTH = 4  # equally weighted draws for each sample
_DRAWS, _MOST_DRAWS = 16_384, 262_144  # at a time, and in all
_MOST_NUMBERS = 2**24  # in all draws


def energy_of_logits(logits: Tensor) -> Tensor:
    """The energy of logits in nats, E = -logsumexp_y f_y, (..., c) -> (...)."""
    return -torch.logsumexp(logits, -1)


@runtime_checkable
class SamplesDirectly(Protocol):
    """A model of which samples can be drawn without chains."""

    def sample(self, n: int, generator: Generator, clusters: Sequence[int] = ()) -> Tensor:
        """Draws of p(x), or of p(x | y is one of some clusters), (n, d)."""
        ...


class EnergyClassifier(nn.Module):
    """An encoder with a linear head of c logits, and a base that is added to all logits.

        f_y(x) = w_y · encoder(x) + v_y + b(x)

    Args:
        encoder: a module (..., d) -> (..., e) with the attribute `n_features` = e.
        n_clusters: the number of clusters, c.
        base: the base density b, a module (..., d) -> (...); None is zero.
        head: a head to use instead of the linear one, with the same `weight` and `bias`.
        encoder_dtype: the dtype in which the encoder computes, by autocast, such as torch.bfloat16;
            None is the dtype of its weights. Head, base and energies keep the dtype of the points,
            because energies are differences of large numbers.
        members: leading dimensions of the head, the same as those of the encoder.
        generator: draws the initial weights of the head.
    """

    def __init__(
        self,
        encoder: nn.Module,
        n_clusters: int,
        *,
        base: nn.Module | None = None,
        head: MemberLinear | None = None,
        encoder_dtype: torch.dtype | None = None,
        members: tuple[int, ...] = (),
        generator: Generator,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.encoder_dtype = encoder_dtype
        self.head = head or MemberLinear(
            int(encoder.n_features),  # type: ignore[arg-type]
            n_clusters,
            members=members,
            generator=generator,
        )
        self.base = base
        self.n_clusters = n_clusters

    def forward(self, x: Tensor, *, with_base: bool = True) -> Tensor:
        """The logits f(x), (..., d) -> (..., c); without the base, what the network adds to it."""
        logits = self.read_out(self.embed(x))
        if self.base is None or not with_base:
            return logits
        together: Tensor = logits + self.base(x)[..., None]
        return together

    def read_out(self, features: Tensor) -> Tensor:
        """The logits of features without the base, (..., e) -> (..., c)."""
        logits: Tensor = self.head(features)
        return logits

    def posterior(self, x: Tensor) -> Tensor:
        """The posterior p(y|x), (..., d) -> (..., c)."""
        # The base cancels in the softmax, and costs as much as a layer.
        return self.read_out(self.embed(x)).softmax(-1)

    def energy(self, x: Tensor) -> Tensor:
        """The energy E(x) in nats, (..., d) -> (...)."""
        return energy_of_logits(self(x))

    def embed(self, x: Tensor) -> Tensor:
        """The embedding, (..., d) -> (..., e), in the dtype of x."""
        given = self.encoder_input(x)
        if self.encoder_dtype is None:
            features: Tensor = self.encoder(given)
            return features
        with torch.autocast(x.device.type, self.encoder_dtype):
            features = self.encoder(given)
        return features.to(x.dtype)

    def encoder_input(self, x: Tensor) -> Tensor:
        """The points as the encoder sees them, (..., d) -> (..., d)."""
        return x

    def cluster_energy(self, cluster: int) -> Callable[[Tensor], Tensor]:
        """The energy of one cluster, the function x -> E(x|y) in nats, (..., d) -> (...)."""
        return lambda x: -self(x)[..., cluster]


class ResidualClassifier(EnergyClassifier):
    """A classifier whose density is that of its base, times the exponential of a residual.

        f_y(x) = log softmax_y g(x) + s r(x) + b(x),   E(x) = -b(x) - s r(x)

    The head has one output more than there are clusters, r. Any logits can be written so; what the
    form gains is a start at the base, where r = 0, whatever the clusters are.

    Args:
        encoder: a module (..., d) -> (..., e) with the attribute `n_features` = e.
        n_clusters: the number of clusters, c.
        base: the normalised log-density b, a module (..., d) -> (...).
        encoder_dtype: see `EnergyClassifier`.
        members: leading dimensions of the head, the same as those of the encoder.
        generator: draws the initial weights of the head.

    Attributes:
        gain: s, between 0 and 1; 1 while the network is trained.
    """

    gain: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        n_clusters: int,
        *,
        base: nn.Module | None = None,
        encoder_dtype: torch.dtype | None = None,
        members: tuple[int, ...] = (),
        generator: Generator,
    ) -> None:
        super().__init__(
            encoder,
            n_clusters + 1,
            base=base,
            encoder_dtype=encoder_dtype,
            members=members,
            generator=generator,
        )
        self.n_clusters = n_clusters
        self.register_buffer("gain", torch.ones(()))
        self.start_at_base()

    @torch.no_grad()
    def start_at_base(self) -> None:
        """Let the residual be zero everywhere."""
        self.head.weight[..., -1] = 0
        self.head.bias[..., -1] = 0

    def encoder_input(self, x: Tensor) -> Tensor:
        """The points with far ones drawn in, (..., d) -> (..., d).

        Far points look alike to the network; the base knows how unusual they are.
        """
        return _FAR * torch.tanh(x / _FAR)

    def read_out(self, features: Tensor) -> Tensor:
        """The logits of features without the base, (..., e) -> (..., c)."""
        outputs: Tensor = self.head(features)
        return log_softmax(outputs[..., :-1], -1) + self.gain * outputs[..., -1:]

    @torch.no_grad()
    def sample(self, n: int, generator: Generator, clusters: Sequence[int] = ()) -> Tensor:
        """Draws of p(x), or of p(x | y is one of some clusters), (n, d), without chains.

        They are chosen from draws of the base in proportion to exp(s r(x)), for clusters times
        their p(y|x): sampling importance resampling (Rubin 1987), by one systematic pass
        (Carpenter, Clifford & Fearnhead 1999), so that only a draw with more weight than a sample
        is there twice.
        """
        parts = [
            self._resample(min(_RESAMPLED, n - start), generator, clusters)
            for start in range(0, n, _RESAMPLED)
        ]
        return torch.cat(parts) if parts else self.draws_of_base(0, generator)

    def _resample(self, n: int, generator: Generator, clusters: Sequence[int]) -> Tensor:
        draws: list[Tensor] = []
        log_weights: list[Tensor] = []
        worth, most = 0.0, _MOST_DRAWS
        while worth < _WORTH * n and len(draws) < most // _DRAWS:
            draws.append(self.draws_of_base(_DRAWS, generator))
            logits = self(draws[-1], with_base=False)
            log_weights.append((logits[:, list(clusters)] if clusters else logits).logsumexp(-1))
            weights = torch.cat(log_weights).double().softmax(0)
            # The number of equally weighted draws that these are worth (Kish 1965).
            worth = float(1 / weights.square().sum())
            most = min(_MOST_DRAWS, _MOST_NUMBERS // draws[-1].shape[-1])
        start = torch.rand((), generator=generator, dtype=torch.float64)
        marks = (torch.arange(n) + start) / n
        chosen = torch.searchsorted(weights.cumsum(0), marks.to(weights))
        return torch.cat(draws)[chosen.clamp_max(len(weights) - 1)]

    def draws_of_base(self, n: int, generator: Generator) -> Tensor:
        """Draws of the base, (n, d)."""
        draws: Tensor = self.base.sample((n,), generator)  # type: ignore[union-attr, operator]
        return draws


@torch.no_grad()
def member(model: EnergyClassifier, into: EnergyClassifier, index: int) -> EnergyClassifier:
    """Copy one member of a batched model into a single model of the same shape."""
    for target, source in zip(into.parameters(), model.parameters(), strict=True):
        target.copy_(source[index])
    return into


@torch.no_grad()
def number_by_size(model: EnergyClassifier, x: Tensor) -> Tensor:
    """Renumber the clusters of a single model from the largest to the smallest, in place.

    The numbers then depend on the clusters rather than on the random start, and empty clusters come
    last.

    Args:
        model: changed in place.
        x: the points that are counted, (n, d).

    Returns:
        The old number of each cluster, (c,).
    """
    clusters = torch.cat([model(part).argmax(-1) for part in torch.split(x, _PART)])
    sizes = torch.bincount(clusters, minlength=model.n_clusters)
    order = sizes.argsort(descending=True, stable=True)
    renumber_head(model, order)
    return order


@torch.no_grad()
def renumber_head(model: EnergyClassifier, order: Tensor) -> EnergyClassifier:
    """Renumber the clusters of a model."""
    for parameter in (model.head.weight, model.head.bias):
        parameter.copy_(renumbered(parameter, order))
    return model


def renumbered(values: Tensor, order: Tensor) -> Tensor:
    """Reorder the columns of values.

    Args:
        values: one column for each cluster, (*members, n, c).
        order: the old number of each cluster, (*members, c). Columns beyond the clusters, such as
            that of a residual, keep their places.
    """
    rest = torch.arange(order.shape[-1], values.shape[-1], device=order.device)
    order = torch.cat([order, rest.expand(*order.shape[:-1], -1)], -1)
    return values.gather(-1, order[..., None, :].expand_as(values))


@torch.no_grad()
def weight_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Update a moving average of weights in place, θ_average <- decay θ_average + (1 - decay) θ."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
