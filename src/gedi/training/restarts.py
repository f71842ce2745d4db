"""Restarts: several trainings in one computation, of which the best, or the consensus, goes on."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gedi.model import member
from gedi.training.algorithm import TrainingState

__all__ = ["Candidate", "choice_in_words", "choose", "most_shared", "single"]

_SAME_GAP = 0.01  # nats; smaller differences on a few thousand points are not significant
_CLEARLY = 0.02  # of modularity, by which a start from the pool has to be ahead


@dataclass(frozen=True)
class Candidate:
    """The measurements of a restart by which the best is chosen.

    Args:
        warmup: the number of iterations with GEN alone.
        gap: the collapse gap, in nats.
        log_likelihood: the estimated log-likelihood of the data, in nats, which breaks ties; 0 if
            GEN took no part.
        evidence: the log-likelihood of the evidence on some inputs, in nats; 0 without evidence.
        modularity: that of the clusters in the graph of neighbours; None without such a graph.
    """

    warmup: int
    gap: float
    log_likelihood: float
    evidence: float = 0.0
    modularity: float | None = None

    @property
    def loss(self) -> float:
        """The gap minus the log-likelihood of the evidence, in nats; inf if it is not finite."""
        loss = self.gap - self.evidence
        return loss if math.isfinite(loss) else math.inf

    @property
    def shared(self) -> float:
        """The modularity plus the log-likelihood of the evidence; -inf if they are not finite."""
        if self.modularity is None or not math.isfinite(self.loss):
            return -math.inf
        return self.modularity + self.evidence


def choose(candidates: list[Candidate], *, by_likelihood: bool) -> int:
    """The place of the best restart: that of the least loss, ties broken by the likelihood.

    Without evidence the loss is the gap, which needs no labels. It is large for clusters that views
    cross and for clusters out of balance, whereas the density may be as good with wrong clusters.

    Args:
        candidates: all restarts.
        by_likelihood: whether the likelihood breaks ties, within 0.01 nats; only if GEN took part.
    """
    if not by_likelihood:
        return min(range(len(candidates)), key=lambda k: candidates[k].loss)
    least = min(candidate.loss for candidate in candidates)
    best = [k for k, c in enumerate(candidates) if c.loss <= least + _SAME_GAP]
    return max(best, key=lambda k: candidates[k].log_likelihood)


def most_shared(candidates: list[Candidate], *, last_from_pool: bool) -> int:
    """The place of the restart whose clusters neighbours share most.

    Gaps do not compare here, because each restart has its own prior. The last, if it started from
    the pool, may have clusters of very unequal size, to which modularity is less sensitive: it has
    to be ahead of all others by 0.02.

    Args:
        candidates: all restarts, with their modularity.
        last_from_pool: whether the last started from the pool, the others from random weights.
    """
    shared = np.array([candidate.shared for candidate in candidates])
    if not last_from_pool:
        return int(shared.argmax())
    others = shared[:-1]
    ahead = shared[-1] > others.max() + _CLEARLY
    return len(others) if ahead else int(others.argmax())


def choice_in_words(candidates: list[Candidate], chosen: int | None) -> str:
    """A sentence that says which restart was kept, and why.

    Args:
        candidates: all restarts.
        chosen: the place of the one that was kept; None for the consensus of all.
    """
    n = len(candidates)
    if chosen is None:
        return f"The clusters come from the consensus of {n} restarts."
    reason = "its collapse gap was the smallest"
    if candidates[0].modularity is not None:
        reason = f"neighbours share its clusters most (modularity, up to {_CLEARLY})"
    return f"Of {n} restarts, number {chosen + 1} was kept: {reason}."


@torch.no_grad()
def single(group: TrainingState, alone: TrainingState, index: int) -> TrainingState:
    """Copy one member of a group into a state without members, and return that state.

    Args:
        group: the state of all members.
        alone: a fresh state of the same shapes without the leading dimension; it is overwritten.
        index: the member to copy.
    """
    member(group.model, alone.model, index)
    member(group.average, alone.average, index)
    alone.optimizer.load_state_dict(_pick_moments(group.optimizer.state_dict(), index))
    alone.sampler.load_member(group.sampler, index)
    alone.buffer.positions.copy_(group.buffer.positions[index])
    alone.log_prior = group.log_prior[index].clone()
    alone.generator.set_state(group.generator.get_state())
    for name in ("horizon", "iteration", "seconds", "learning_rate_factor", "max_contrast"):
        setattr(alone, name, getattr(group, name))
    return alone


def _pick_moments(optimizer: dict[str, Any], index: int) -> dict[str, Any]:
    """Adam's moments of one member; the count of steps is the same for all."""

    def pick(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        # These are copies: optimizers keep the tensors they are given, and the group may continue.
        return (value[index] if value.ndim > 0 else value).clone()

    state = {
        key: {name: pick(value) for name, value in moments.items()}
        for key, moments in optimizer["state"].items()
    }
    return {**optimizer, "state": state}
