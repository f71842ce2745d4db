"""Renaming: clusters exchange their numbers where that raises the bound.

GEN and INV are the same whatever the clusters are called; EVIDENCE and PRIOR are not. Where a rule
names clusters after they have formed, two of them may have got each other's name. Gradients would
have to dissolve both to put that right; an exchange goes there in one step, up the same bound.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Generator, Tensor, nn

from gedi.evidence import Evidence
from gedi.model import EnergyClassifier
from gedi.objective import Weights, prior_agreement
from gedi.training import TrainingState

__all__ = ["Renaming", "likeliest_order", "renumber"]

_GAIN = 1e-3  # nats that an exchange has to bring
_MOST_PAIRS = 200  # tried at a time: all of up to 20 clusters


@dataclass(frozen=True)
class Renaming:
    """Looks for exchanges of two clusters that raise w_prior PRIOR + w_evidence EVIDENCE.

    Args:
        evidence: what is known of some inputs, in batches as large as are to be looked at.
        weights: of the bound.
    """

    evidence: Evidence
    weights: Weights

    @torch.no_grad()
    def __call__(self, state: TrainingState) -> Tensor:
        """Renumber the clusters of a state, if it is worth it.

        Returns:
            How many clusters have another number now, (*members,).
        """
        # Of its own, so that the training's random numbers do not hang on how often this looks.
        generator = Generator(state.log_prior.device).manual_seed(state.iteration)
        observed = self.evidence.draw(state.members, generator)
        logits = state.model(observed.x)

        def bound(named: Tensor) -> Tensor:
            evidence = observed.log_likelihood(named)
            prior = prior_agreement(named, state.log_prior)
            return self.weights.evidence * evidence + self.weights.prior * prior

        pairs = _pairs(state.model.n_clusters, state.iteration)
        order = likeliest_order(bound, logits, pairs)
        moved: Tensor = (order != torch.arange(order.shape[-1], device=order.device)).sum(-1)
        if bool(moved.any()):
            renumber(state, order)
        return moved


def likeliest_order(
    bound: Callable[[Tensor], Tensor], logits: Tensor, pairs: Sequence[tuple[int, int]]
) -> Tensor:
    """The order of the clusters to which exchanges of two lead, each the best of all, uphill.

    Args:
        bound: from logits (*members, n, c) to nats, (*members,).
        logits: as the clusters are numbered now, (*members, n, c).
        pairs: the exchanges that are tried.

    Returns:
        The old number of each cluster, (*members, c).
    """
    n_clusters = logits.shape[-1]
    here = torch.arange(n_clusters, device=logits.device)
    order = here.expand(*logits.shape[:-2], n_clusters)
    best = bound(logits)
    exchanged = here.repeat(len(pairs), 1)
    for row, (i, j) in zip(exchanged, pairs, strict=True):
        row[i], row[j] = j, i
    for _ in range(n_clusters):
        gains = torch.stack([bound(_renumbered(logits, _then(order, e))) for e in exchanged]) - best
        gain, which = gains.max(0)
        worthwhile = gain > _GAIN
        if not bool(worthwhile.any()):
            break
        best = torch.where(worthwhile, best + gain, best)
        chosen = _then(order, exchanged[which])
        order = torch.where(worthwhile[..., None], chosen, order)
    return order


@torch.no_grad()
def renumber(state: TrainingState, order: Tensor) -> None:
    """Give clusters new numbers in the network, its average and Adam's moments; π stays.

    Args:
        state: changed in place.
        order: the old number of each cluster, (*members, c).
    """
    for model in (state.model, state.average):
        for parameter in _of_clusters(model):
            parameter.copy_(_renumbered(parameter, order))
    for parameter in _of_clusters(state.model):
        for moment in state.optimizer.state.get(parameter, {}).values():
            if moment.shape == parameter.shape:
                moment.copy_(_renumbered(moment, order))


def _of_clusters(model: EnergyClassifier) -> tuple[nn.Parameter, nn.Parameter]:
    return model.head.weight, model.head.bias


def _renumbered(values: Tensor, order: Tensor) -> Tensor:
    """Columns (*members, n, c) by their old numbers (*members, c)."""
    return values.gather(-1, order[..., None, :].expand_as(values))


def _then(order: Tensor, exchange: Tensor) -> Tensor:
    """The order after an exchange, (*members, c)."""
    return order.gather(-1, exchange.expand_as(order))


def _pairs(n_clusters: int, seed: int) -> list[tuple[int, int]]:
    """All pairs of clusters, or as many as are affordable."""
    pairs = list(combinations(range(n_clusters), 2))
    if len(pairs) <= _MOST_PAIRS:
        return pairs
    chosen = torch.randperm(len(pairs), generator=Generator().manual_seed(seed))[:_MOST_PAIRS]
    return [pairs[place] for place in chosen.tolist()]
