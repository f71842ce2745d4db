"""The model: logits of a classifier, read as a posterior over clusters and as an energy.

p(y|x) = softmax_y f(x),   E(x) = -logsumexp_y f_y(x),   E(x|y) = -f_y(x)   (Grathwohl et al.,
ICLR 2020; Sansone & Manhaeve, TMLR 2025). Energies are in nats.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from gedi.model.encoders import MemberLinear

__all__ = [
    "EnergyClassifier",
    "energy_of_logits",
    "member",
    "number_by_size",
    "renumber_head",
    "renumbered",
    "weight_average",
]


_PART = 500  # points at a time, so that memory does not grow with them


def energy_of_logits(logits: Tensor) -> Tensor:
    """E = -logsumexp_y f_y, (..., c) -> (...)."""
    return -torch.logsumexp(logits, -1)


class EnergyClassifier(nn.Module):
    """An encoder with a linear head of c logits, and a base that all logits share.

    f_y(x) = w_y · encoder(x) + v_y + b(x)

    Args:
        encoder: a module (..., d) -> (..., e) with the attribute `n_features` = e.
        n_clusters: c.
        base: b, a module (..., d) -> (...); None is zero.
        head: another head than the linear one, with `weight` and `bias` as that has them.
        encoder_dtype: what the encoder computes in, by autocast, such as torch.bfloat16; None is
            the dtype of its weights. Head, base and energies stay in that of the points: energies
            are differences of large numbers.
        members: leading dimensions of the head; those of the encoder.
        generator: source of the head's initial weights.
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
        """Logits f(x), (..., d) -> (..., c); without the base, what the network adds to it."""
        logits: Tensor = self.head(self._encode(x))
        if self.base is None or not with_base:
            return logits
        with_it: Tensor = logits + self.base(x)[..., None]
        return with_it

    def posterior(self, x: Tensor) -> Tensor:
        """p(y|x), (..., d) -> (..., c)."""
        # Without the base, which all logits share and which costs as much as a layer.
        logits: Tensor = self.head(self._encode(x))
        return logits.softmax(-1)

    def energy(self, x: Tensor) -> Tensor:
        """E(x), (..., d) -> (...)."""
        return energy_of_logits(self(x))

    def _encode(self, x: Tensor) -> Tensor:
        """The embedding, (..., d) -> (..., e), in the dtype of x."""
        if self.encoder_dtype is None:
            features: Tensor = self.encoder(x)
            return features
        with torch.autocast(x.device.type, self.encoder_dtype):
            features = self.encoder(x)
        return features.to(x.dtype)

    def cluster_energy(self, cluster: int) -> Callable[[Tensor], Tensor]:
        """The function x -> E(x|y) of one cluster y."""
        return lambda x: -self(x)[..., cluster]


@torch.no_grad()
def member(model: EnergyClassifier, into: EnergyClassifier, index: int) -> EnergyClassifier:
    """Copy one member of a batched model into a single model of the same shape, and return it."""
    for target, source in zip(into.parameters(), model.parameters(), strict=True):
        target.copy_(source[index])
    return into


@torch.no_grad()
def number_by_size(model: EnergyClassifier, x: Tensor) -> Tensor:
    """Number the clusters of a single model from the largest to the smallest among points (n, d).

    So numbers do not hang on chance alone, and clusters that stayed empty come last.

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
    """Give the clusters of a model other numbers, in place, and return it.

    Args:
        model: changed in place.
        order: the old number of each cluster, (*members, c).
    """
    for parameter in (model.head.weight, model.head.bias):
        parameter.copy_(renumbered(parameter, order))
    return model


def renumbered(values: Tensor, order: Tensor) -> Tensor:
    """Columns (*members, n, c) by their old numbers (*members, c)."""
    return values.gather(-1, order[..., None, :].expand_as(values))


@torch.no_grad()
def weight_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """θ_average <- decay θ_average + (1 - decay) θ, in place."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
