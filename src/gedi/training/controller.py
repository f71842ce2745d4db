"""What steers a training: it cures divergence, renumbers clusters, and moves the end closer."""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gedi.objective import Terms
from gedi.training.algorithm import Algorithm, TrainingState
from gedi.training.guard import Guard, Vitals
from gedi.training.monitor import Monitor, Plateau
from gedi.training.renaming import Renaming

__all__ = ["Controller", "Look"]


@dataclass(frozen=True)
class Look:
    """What was measured at an evaluation.

    Attributes:
        terms: of the bound, on fixed points.
        measured: gap and energies, by name.
        vitals: what the guard watches.
        renamed: clusters that changed their numbers; None where none may.
    """

    terms: Terms
    measured: dict[str, Tensor]
    vitals: Vitals
    renamed: Tensor | None


@dataclass
class Controller:
    """Changes the state of a training where that is needed; nothing else does between iterations.

    Args:
        algorithm: the ingredients of the training.
        monitor: measures the average model.
        guard: takes a training that diverges back to its last good state.
        plateau: the rule of convergence.
        renaming: lets clusters change their numbers; None leaves them.

    Attributes:
        converged: whether the rule of convergence has applied.
    """

    algorithm: Algorithm
    monitor: Monitor
    guard: Guard
    plateau: Plateau
    renaming: Renaming | None
    converged: bool = False

    def look(self, state: TrainingState) -> Look:
        """Check the state, renumber its clusters, measure it, and see whether it still improves.

        Raises:
            DivergenceError: if the training diverged, past all cures.
        """
        self.guard.check(state)
        vitals = self.guard.vitals
        assert vitals is not None  # iterations were watched
        renamed = None if self.renaming is None else self.renaming(state)
        terms, measured = self.monitor.measure(state.average, state.buffer.chains, state.log_prior)
        if not state.members and not self.converged:
            self.converged = self.plateau.reached(state.iteration, terms)
            if self.converged:
                self._bring_end_closer(state)
        return Look(terms, measured, vitals, renamed)

    def _bring_end_closer(self, state: TrainingState) -> None:
        """Leave only as many iterations as the decay of the learning rate takes."""
        level = 1 - self.algorithm.schedule.decay
        if level > 0:
            state.horizon = min(state.horizon, math.ceil(state.iteration / level))
        else:
            state.horizon = state.iteration

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on: plain values only."""
        plateau = self.plateau
        return {
            "plateau": [plateau.best, plateau.best_iteration, self.converged],
            "guard": self.guard.state_dict(),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from saved values."""
        self.plateau.best, self.plateau.best_iteration, self.converged = saved["plateau"]
        self.guard.load_state_dict(saved["guard"])
