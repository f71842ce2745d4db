"""Renaming: clusters get other numbers if that raises the bound.

GEN and INV do not depend on the numbers of the clusters; EVIDENCE and PRIOR do. Where a rule gives
clusters their meaning after they have formed, two of them may have exchanged their numbers, or one
may have taken a wrong place and shifted all that follow. Gradients would have to dissolve clusters
to correct this; a new order corrects it in one step that raises the same bound.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Generator, Tensor

from gedi.distributed import mean
from gedi.evidence import Evidence
from gedi.model import renumber_head, renumbered
from gedi.objective import Weights, prior_agreement
from gedi.training.algorithm import TrainingState

__all__ = ["Renaming", "likeliest_order", "moves_of", "renumber"]

_GAIN = 1e-3  # the least gain of a move, in nats
_MOST = 200  # moves tried at a time: all of them for few clusters


@dataclass(frozen=True)
class Renaming:
    """Looks for orders of the clusters that raise w_prior PRIOR + w_evidence EVIDENCE."""

    evidence: Evidence
    weights: Weights

    @torch.no_grad()
    def __call__(self, state: TrainingState) -> Tensor:
        """Renumber the clusters of a state if that raises the bound.

        Returns:
            The number of clusters whose number changed, (*members,).
        """
        # A separate generator: the training's random numbers do not depend on these evaluations.
        generator = Generator(state.log_prior.device).manual_seed(state.iteration)
        observed = self.evidence.draw(state.members, generator)
        logits = state.model(observed.x)

        def bound(named: Tensor) -> Tensor:
            evidence = mean(observed.log_likelihood(named))  # so that all processes agree
            prior = prior_agreement(named, state.log_prior)
            return self.weights.evidence * evidence + self.weights.prior * prior

        moves = moves_of(state.model.n_clusters, state.iteration).to(logits.device)
        order = likeliest_order(bound, logits, moves)
        moved: Tensor = (order != torch.arange(order.shape[-1], device=order.device)).sum(-1)
        if bool(moved.any()):
            renumber(state, order)
        return moved


def likeliest_order(bound: Callable[[Tensor], Tensor], logits: Tensor, moves: Tensor) -> Tensor:
    """The order of the clusters found by taking the best move as long as it raises the bound.

    Args:
        bound: a function from logits (*members, n, c) to the bound in nats, (*members,).
        logits: the logits under the present numbers, (*members, n, c).
        moves: the orders that are compared in each step, (m, c).

    Returns:
        The old number of each cluster, (*members, c).
    """
    n_clusters = logits.shape[-1]
    order = torch.arange(n_clusters, device=logits.device).expand(*logits.shape[:-2], -1)
    best = bound(logits)
    for _ in range(n_clusters):
        gains = torch.stack([bound(renumbered(logits, _then(order, e))) for e in moves]) - best
        gain, which = gains.max(0)
        worthwhile = gain > _GAIN
        if not bool(worthwhile.any()):
            break
        best = torch.where(worthwhile, best + gain, best)
        chosen = _then(order, moves[which])
        order = torch.where(worthwhile[..., None], chosen, order)
    return order


def moves_of(n_clusters: int, seed: int) -> Tensor:
    """Orders in which two clusters exchange places, or one moves to another place, (m, c).

    These are all of them for few clusters, otherwise a random sample.
    """
    pairs = list(permutations(range(n_clusters), 2)) if n_clusters**2 <= 2 * _MOST else None
    if pairs is None:
        generator = Generator().manual_seed(seed)
        drawn = torch.randint(n_clusters, (_MOST, 2), generator=generator).tolist()
        pairs = [(i, j) for i, j in drawn if i != j]
    orders = {_moved(n_clusters, i, j) for i, j in pairs}
    orders |= {_exchanged(n_clusters, i, j) for i, j in pairs}
    return torch.tensor(sorted(orders), dtype=torch.int64).reshape(-1, n_clusters)


def _exchanged(n: int, i: int, j: int) -> tuple[int, ...]:
    order = list(range(n))
    order[i], order[j] = j, i
    return tuple(order)


def _moved(n: int, i: int, j: int) -> tuple[int, ...]:
    """The order in which cluster i takes place j, and those between shift by one."""
    order = list(range(n))
    order.insert(j, order.pop(i))
    return tuple(order)


@torch.no_grad()
def renumber(state: TrainingState, order: Tensor) -> None:
    """Renumber clusters in the network, its average and Adam's moments; π stays.

    Args:
        state: the state; it is changed in place.
        order: the old number of each cluster, (*members, c).
    """
    for model in (state.model, state.average):
        renumber_head(model, order)
    for parameter in (state.model.head.weight, state.model.head.bias):
        for moment in state.optimizer.state.get(parameter, {}).values():
            if moment.shape == parameter.shape:
                moment.copy_(renumbered(moment, order))


def _then(order: Tensor, move: Tensor) -> Tensor:
    """The order after a move, (*members, c)."""
    return order.gather(-1, move.expand_as(order))
