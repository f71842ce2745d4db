"""What happens between iterations: measure, record, tell, and say when to stop."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gedi.distributed import anywhere
from gedi.objective import Terms
from gedi.sampling import AnchoredJump, Cycle, Langevin, Move
from gedi.sampling.vera_source import VeraSource
from gedi.training.algorithm import Algorithm, TrainingState
from gedi.training.guard import Guard
from gedi.training.monitor import Monitor, Plateau
from gedi.training.renaming import Renaming

__all__ = ["Observer", "Record"]

Record = dict[str, float]
"""One row of the history: `iteration`, `seconds`, terms, gap, energies and rates as numbers."""


@dataclass
class Observer:
    """Called after every iteration; looks closely at every `every`-th.

    Args:
        algorithm: the ingredients of the training.
        monitor: measures the average model.
        guard: watches for divergence, and may change the state.
        plateau: the convergence rule.
        renaming: lets clusters change their numbers; None leaves them.
        every: iterations between looks.
        listeners: called with the state and each new record.
        each: called with the state after every iteration.
        interrupted: asked after every iteration; true pauses the training.

    Attributes:
        history: all records.
        converged: whether the convergence rule has struck.
    """

    algorithm: Algorithm
    monitor: Monitor
    guard: Guard
    plateau: Plateau
    renaming: Renaming | None
    every: int
    listeners: list[Callable[[TrainingState, Record], None]] = field(default_factory=list)
    each: list[Callable[[TrainingState], None]] = field(default_factory=list)
    interrupted: Callable[[], bool] = lambda: False
    history: list[Record] = field(default_factory=list)
    converged: bool = False

    def __call__(self, state: TrainingState, terms: Terms) -> bool:
        """Look if it is time to; whether the training should pause.

        Raises:
            DivergenceError: if the training diverged, past all cures.
        """
        self.guard.watch(state, terms)
        if state.iteration % self.every == 0 or self.algorithm.progress(state) >= 1:
            self.guard.check(state)
            renamed = {} if self.renaming is None else {"renamed": self.renaming(state)}
            record = self._look(state, renamed)
            self.history.append(record)
            for listener in self.listeners:
                listener(state, record)
        for listener_of_each in self.each:
            listener_of_each(state)
        return anywhere(self.interrupted())

    def _look(self, state: TrainingState, renamed: dict[str, Tensor]) -> Record:
        terms, rest = self.monitor.measure(state.average, state.buffer.chains, state.log_prior)
        if not state.members and not self.converged:
            self.converged = self.plateau.reached(state.iteration, terms)
            if self.converged:
                self._wind_down(state)
        known = {} if self.algorithm.evidence is None else {"evidence": terms.evidence}
        values = {
            "gen": terms.gen,
            "inv": terms.inv,
            "prior": terms.prior,
            **known,
            "bound": terms.bound(self.algorithm.weights),
            **rest,
            **_rates(state.sampler),
            **renamed,
        }
        vitals = self.guard.vitals
        assert vitals is not None  # checked before each look
        # Of several restarts, show the one that leads.
        leader = int((rest["gap"] - terms.evidence).argmin()) if state.members else None
        progress = self.algorithm.progress(state)
        return {
            "iteration": state.iteration,
            "seconds": round(state.seconds, 3),
            "progress": round(progress, 4),
            "learning_rate": self.algorithm.learning_rate_at(state),
            **{name: _number(value, leader) for name, value in values.items()},
            "gradient_norm": vitals.gradient_norm,
            "on_walls": vitals.on_walls,
            "staleness": vitals.staleness,
            "interventions": len(self.guard.interventions),
        }

    def _wind_down(self, state: TrainingState) -> None:
        """Bring the end so close that only the decay of the learning rate is left."""
        level = 1 - self.algorithm.schedule.decay
        if level > 0:
            state.horizon = min(state.horizon, math.ceil(state.iteration / level))
        else:
            state.horizon = state.iteration


def _rates(sampler: Move) -> dict[str, Tensor]:
    """How the moves fare: what share of each kind is accepted, and the step size.

    Of VERA also the energy of its negatives, and σ.
    """
    rates: dict[str, Tensor] = {}
    if isinstance(sampler, VeraSource):
        rates |= {"energy_vera": sampler.energy, "noise_vera": sampler.sampler.noise.detach()}
    moves = sampler.chain_moves()
    for move in moves if isinstance(moves, Cycle) else [moves]:
        if isinstance(move, Langevin):
            rates |= {"acceptance": move.acceptance, "step_size": move.step_size}
        elif isinstance(move, AnchoredJump):
            rates["jump_acceptance"] = move.acceptance
    return rates


def _number(value: Tensor | float, leader: int | None) -> float:
    value = torch.as_tensor(value)
    return float(value if leader is None or value.ndim == 0 else value[leader])
