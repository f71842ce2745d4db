"""The controller of a training: it handles divergence, renumbers clusters and ends it early."""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gedi.normalizer.residual import held_out_gain
from gedi.objective import Terms
from gedi.sampling import BaseDraws
from gedi.training.algorithm import Algorithm, TrainingState
from gedi.training.guard import Guard, Vitals
from gedi.training.monitor import Monitor, Plateau
from gedi.training.renaming import Renaming

__all__ = ["Controller", "Look"]

_COMPARED = 4096  # draws of the base with which held-out points are compared


@dataclass(frozen=True)
class Look:
    """The measurements of an evaluation.

    Attributes:
        terms: the terms of the bound on fixed points.
        measured: the gap and the energies in nats, by name.
        vitals: the values that the guard watches.
        renamed: the number of clusters that were renumbered; None if renumbering is off.
    """

    terms: Terms
    measured: dict[str, Tensor]
    vitals: Vitals
    renamed: Tensor | None


@dataclass
class Controller:
    """Changes the state of a training between iterations where needed; nothing else changes it.

    Args:
        algorithm: the ingredients of the training.
        monitor: measures the average model.
        guard: returns a diverging training to its last good state.
        plateau: the convergence rule.
        renaming: renumbers clusters; None leaves their numbers as they are.
        held_out: points on which the residual of a base is measured, (m, d), scaled; empty or None
            with chains.

    Attributes:
        converged: whether the convergence rule has applied.
    """

    algorithm: Algorithm
    monitor: Monitor
    guard: Guard
    plateau: Plateau
    renaming: Renaming | None
    held_out: Tensor | None = None
    converged: bool = False

    def look(self, state: TrainingState) -> Look:
        """Check the state, renumber its clusters, measure it, and see whether it still improves.

        Raises:
            DivergenceError: if the training still diverges after all cures.
        """
        self.guard.check(state)
        vitals = self.guard.vitals
        assert vitals is not None  # iterations were watched
        renamed = None if self.renaming is None else self.renaming(state)
        terms, measured = self.monitor.measure(
            state.average, state.buffer.positions, state.log_prior
        )
        if not state.members and not self.converged:
            self.converged = self.plateau.reached(state.iteration, terms, self._gain(state))
            if self.converged:
                self._bring_end_closer(state)
        return Look(terms, measured, vitals, renamed)

    def _gain(self, state: TrainingState) -> float | None:
        """The gain in the log-density of held-out points on the base, in nats; None with chains."""
        sampler, held_out = state.sampler, self.held_out
        if held_out is None or not len(held_out) or not isinstance(sampler, BaseDraws):
            return None
        return held_out_gain(state.average, held_out, sampler.stock[:_COMPARED])

    def _bring_end_closer(self, state: TrainingState) -> None:
        """Shorten the training to the iterations that the decay of the learning rate takes."""
        level = 1 - self.algorithm.schedule.decay
        if level > 0:
            state.horizon = min(state.horizon, math.ceil(state.iteration / level))
        else:
            state.horizon = state.iteration

    def state_dict(self) -> dict[str, Any]:
        """The plain values that are needed to continue."""
        plateau = self.plateau
        return {
            "plateau": [plateau.best, plateau.best_iteration, self.converged],
            "guard": self.guard.state_dict(),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from saved values."""
        self.plateau.best, self.plateau.best_iteration, self.converged = saved["plateau"]
        self.guard.load_state_dict(saved["guard"])
