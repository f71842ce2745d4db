"""The schedule of a training: its learning rate and the weights of its terms over time."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gedi.settings import CompleteSettings

__all__ = ["Schedule", "planned_schedule"]


@dataclass(frozen=True)
class Schedule:
    """Factors in [0, 1] as functions of the iteration and of the progress of the training.

    The clusters can depend on the order in which the terms start: two rings separate only if the
    energy has found them first (a warm-up by GEN alone), two moons only if it has not. Each member
    of a group of restarts may therefore have its own warm-up.

    Args:
        warmups: the number of iterations without the clustering terms, for each member.
        gen_start: the number of iterations without GEN.
        ramp: the number of iterations over which terms that start late reach their full weight.
        learning_rate_warmup: the number of iterations over which the learning rate rises to its
            full value.
        decay: the share of the training, at its end, over which the learning rate falls to zero.
        gen_slowdown: the factor of the learning rate while GEN takes part.
    """

    warmups: tuple[int, ...] = (0,)
    gen_start: int = 0
    ramp: int = 1
    learning_rate_warmup: int = 100
    decay: float = 0.5
    gen_slowdown: float = 1.0

    def clustering(self, iteration: int, device: torch.device | str = "cpu") -> Tensor:
        """The factor of INV and PRIOR for each member, (members,)."""
        warmups = torch.tensor(self.warmups, dtype=torch.float32, device=device)
        ramped = (iteration + 1 - warmups) / max(self.ramp, 1)
        return torch.where(warmups == 0, 1.0, ramped.clamp(0, 1))

    @property
    def settled(self) -> int:
        """The iteration from which INV and PRIOR have their full weight in all members."""
        return max((warmup + self.ramp for warmup in self.warmups if warmup), default=0)

    def gen(self, iteration: int) -> float:
        """The factor of GEN."""
        if self.gen_start == 0:
            return 1.0
        return min(max((iteration + 1 - self.gen_start) / max(self.ramp, 1), 0.0), 1.0)

    def learning_rate(self, iteration: int, progress: float) -> float:
        """The factor of the learning rate, which rises, stays level, and falls as half a cosine."""
        rise = min(1.0, (iteration + 1) / max(self.learning_rate_warmup, 1))
        falling = (progress - (1 - self.decay)) / self.decay if self.decay > 0 else 0.0
        level = self.gen_slowdown if iteration >= self.gen_start else 1.0
        return level * rise * 0.5 * (1 + math.cos(math.pi * min(max(falling, 0.0), 1.0)))


def planned_schedule(settings: CompleteSettings) -> Schedule:
    """The schedule that the settings of a training define."""
    restarts, weights = settings.restarts, settings.weights
    clustering = weights.inv != 0 or weights.prior != 0
    warmup = restarts.warmup if restarts.gen and clustering else 0
    by_chance = restarts.n - restarts.kmeans
    return Schedule(
        warmups=tuple(warmup * (k % 2) if k < by_chance else 0 for k in range(restarts.n)),
        gen_start=0 if restarts.gen else restarts.iterations,
        ramp=restarts.ramp,
        learning_rate_warmup=min(100, max(1, settings.max_iter // 10)),
        decay=settings.decay,
        gen_slowdown=settings.gen_slowdown,
    )
