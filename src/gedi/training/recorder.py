"""The history of a training: one row of numbers for each evaluation."""

import torch
from torch import Tensor

from gedi.model import LinearClassifier
from gedi.sampling import AnchoredJump, Cycle, Langevin
from gedi.sampling.base_draws import BaseDraws
from gedi.sampling.vera_source import VeraSource
from gedi.training.algorithm import Algorithm, TrainingState
from gedi.training.controller import Look
from gedi.training.hooks import Record

__all__ = ["record_of"]


def record_of(
    algorithm: Algorithm, state: TrainingState, look: Look, n_interventions: int
) -> Record:
    """A row of the history; with several networks, that of the best one so far."""
    terms, measured, vitals = look.terms, look.measured, look.vitals
    values = {
        "gen": terms.gen,
        "inv": terms.inv,
        "prior": terms.prior,
        **({} if algorithm.evidence is None else {"evidence": terms.evidence}),
        "bound": terms.bound(algorithm.weights),
        **measured,
        **_rates(state),
        **({} if look.renamed is None else {"renamed": look.renamed}),
    }
    leader = int((measured["gap"] - terms.evidence).argmin()) if state.members else None
    return {
        "iteration": state.iteration,
        "seconds": round(state.seconds, 3),
        "progress": round(algorithm.progress(state), 4),
        "learning_rate": algorithm.learning_rate_at(state),
        **{name: _number(value, leader) for name, value in values.items()},
        "gradient_norm": vitals.gradient_norm,
        "on_walls": vitals.on_walls,
        "staleness": vitals.staleness,
        "interventions": n_interventions,
    }


def _rates(state: TrainingState) -> dict[str, Tensor]:
    """The acceptance rate of each kind of move, and the step size; nothing if no chains move.

    With VERA, also the energy of its negatives, and σ.
    """
    sampler = state.sampler
    rates: dict[str, Tensor] = {}
    if isinstance(sampler, BaseDraws) or isinstance(state.model, LinearClassifier):
        return rates
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
