"""Several trainings in one computation, the best of which goes on alone."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gedi.model import member
from gedi.training.algorithm import TrainingState

__all__ = ["Candidate", "choose", "single"]

_SAME_GAP = 0.01  # nats; what differences of the gap on a few thousand points do not tell apart


@dataclass(frozen=True)
class Candidate:
    """What is known of one restart when the best is chosen.

    Args:
        warmup: its iterations of GEN alone.
        gap: its collapse gap, in nats.
        log_likelihood: of data, estimated, in nats; breaks ties. 0 where GEN took no part.
        evidence: log-likelihood of what is known of some inputs, in nats; 0 if nothing is.
    """

    warmup: int
    gap: float
    log_likelihood: float
    evidence: float = 0.0

    @property
    def loss(self) -> float:
        """The gap, and what is missing to certainty about what is known; inf if no number."""
        loss = self.gap - self.evidence
        return loss if math.isfinite(loss) else math.inf


def choose(candidates: list[Candidate], *, by_likelihood: bool) -> int:
    """The place of the best: the least loss, or the likeliest of those whose loss is as good.

    Where nothing is known, the loss is the gap. It comes first and needs no labels: clusters that
    views cross, or that are out of balance, show in it, while the density may be as good with
    wrong clusters.

    Args:
        candidates: all restarts.
        by_likelihood: let the likelihood break ties; only where GEN took part.
    """
    if not by_likelihood:
        return min(range(len(candidates)), key=lambda k: candidates[k].loss)
    least = min(candidate.loss for candidate in candidates)
    best = [k for k, c in enumerate(candidates) if c.loss <= least + _SAME_GAP]
    return max(best, key=lambda k: candidates[k].log_likelihood)


@torch.no_grad()
def single(group: TrainingState, alone: TrainingState, index: int) -> TrainingState:
    """Carry one member of a group over into a state without members, and return it.

    Args:
        group: the state of all.
        alone: a fresh state of the same shapes without the leading dimension; overwritten.
        index: the member to carry over.
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
    """Adam's moments of one member; its count of steps is shared."""

    def pick(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        # Optimizers take over tensors as they are, and the group may go on.
        return (value[index] if value.ndim > 0 else value).clone()

    state = {
        key: {name: pick(value) for name, value in moments.items()}
        for key, moments in optimizer["state"].items()
    }
    return {**optimizer, "state": state}
