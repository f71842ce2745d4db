"""The guard against divergence: it prevents it, cures it, and in the end gives up.

Joint energy models usually fail in one way: GEN lowers the energy of the data and raises that of
the chains faster than the chains can follow, until the energies are no longer finite. The contrast
between the two grows long before. The guard therefore watches means over the last iterations:

- It prevents divergence: it bounds a growing contrast, so that GEN no longer raises it (see
  `restrained`).
- It cures divergence: it returns to the last good state, with fresh chains, half the learning rate,
  half the step size, and new random numbers.
- It gives up after a number of cures and reports what to change.

The moves themselves keep the chains from diverging: by the Metropolis test, by a step size that
follows the acceptance rate, and by reflection at the walls of the box.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from gedi.distributed import gathered, mean, share_of
from gedi.errors import DivergenceError
from gedi.model import LinearClassifier
from gedi.objective import Terms
from gedi.sampling import Langevin
from gedi.training.algorithm import Algorithm, TrainingState

__all__ = ["Guard", "Intervention", "Vitals"]

_EVERY = 50  # iterations from one check to the next
_MOST = 8  # the most cures; each halves the learning rate
_HELD = 0.25  # share of the largest contrast above which the contrast is bounded
_ENERGY = 1e6  # nats; above this, float32 energies have a resolution of 0.06 nats or worse
_WALLS = 0.5  # share of the chains' coordinates on a wall
_STALE = 256  # chains whose energy measures how stale the buffer is

Action = Literal["held", "fresh chains", "rolled back"]
_PARTS = ("model", "average", "optimizer", "sampler", "buffer")


@dataclass(frozen=True)
class Vitals:
    """The values that the guard watches; for several networks, those of the worst one.

    Attributes:
        contrast: the mean energy of samples minus that of data, in nats.
        energy: the largest absolute mean energy, in nats: of the data, and of the chains under the
            current weights and under their average.
        gradient_norm: the norm of the gradient of the loss over all parameters.
        on_walls: the share of the chains' coordinates on a wall of the box.
        staleness: the mean energy of chains in the buffer minus that of those just moved, in nats;
            0 if every iteration moves all chains.
    """

    contrast: float
    energy: float
    gradient_norm: float
    on_walls: float
    staleness: float


@dataclass(frozen=True)
class Intervention:
    """An action of the guard.

    Attributes:
        iteration: the iteration after which the guard acted.
        action: what it did.
        reason: why, in words.
        learning_rate_factor: the factor of the learning rate from then on.
    """

    iteration: int
    action: Action
    reason: str
    learning_rate_factor: float

    def __str__(self) -> str:
        done = {
            "held": "GEN's pull was bounded",
            "fresh chains": "all chains were started anew",
            "rolled back": "the training went back to its last good state, with fresh chains and "
            f"{self.learning_rate_factor:.3g} of the learning rate",
        }[self.action]
        return f"at iteration {self.iteration}, as {self.reason}, {done}"


class Guard:
    """Watches one training.

    Attributes:
        limit: the limit of the contrast, in nats: far above the differences between energies of
            points, which grow with the square root of their dimension.
        interventions: all actions of the guard so far.
        vitals: the values at the last check; None before the first.
    """

    def __init__(self, algorithm: Algorithm, every: int = _EVERY) -> None:
        self.algorithm = algorithm
        self.every = every
        self.limit = max(50.0, 5 * math.sqrt(algorithm.box.low.numel()))
        self.interventions: list[Intervention] = []
        self.vitals: Vitals | None = None
        self._seen: list[Tensor] = []
        self._good: dict[str, Any] = {}

    def begin(self, state: TrainingState) -> None:
        """Accept a state as good: the first one, or that of the chosen restart."""
        self._seen = []
        self._good = _parts_of(state)

    def watch(self, state: TrainingState, terms: Terms) -> None:
        """Record the terms of an iteration, and check every `every` iterations; may change `state`.

        Raises:
            DivergenceError: if the training still diverges after all cures.
        """
        # The terms stay on the device, so that nothing waits for them.
        rest = terms.inv + terms.prior + terms.evidence
        # A log-likelihood that is exact may be as large as the data allow.
        exact = isinstance(state.model, LinearClassifier)
        contrast = torch.zeros_like(terms.gen) if exact else terms.gen
        self._seen.append(torch.stack([contrast, terms.energy + 0 * terms.gen, rest]).detach())
        if state.iteration % self.every == 0:
            self.check(state)

    @torch.no_grad()
    def check(self, state: TrainingState) -> None:
        """Examine the iterations since the last check, and intervene if necessary.

        Raises:
            DivergenceError: if the training still diverges after all cures.
        """
        if not self._seen:
            return
        self.vitals = self._vitals(state)
        self._seen = []
        astray = self._astray(self.vitals)
        if astray is not None:
            self._roll_back(state, astray)
            return
        contrast, staleness = self.vitals.contrast, self.vitals.staleness
        hold = _HELD * self.limit
        if abs(contrast) > hold and not self._is_held(state, hold):
            state.max_contrast = hold
            self._note(state, "held", f"the contrast was {contrast:.3g} nats")
        if staleness > self.limit:
            _renew_chains(state)
            self._note(
                state, "fresh chains", f"those in the buffer had {staleness:.3g} nats too many"
            )
        if abs(contrast) <= hold:
            self._good = {}  # the old copy is freed first, to save memory
            self._good = _parts_of(state)

    def state_dict(self) -> dict[str, Any]:
        """The tensors, numbers and strings that are needed to continue."""
        return {
            "seen": list(self._seen),
            "good": _with_chains(self._good, gathered),
            "interventions": [asdict(intervention) for intervention in self.interventions],
            "vitals": None if self.vitals is None else asdict(self.vitals),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restore a saved guard."""
        self._seen = [seen.to(self.algorithm.box.low.device) for seen in saved["seen"]]
        self._good = _with_chains(saved["good"], share_of)
        self.interventions = [Intervention(**each) for each in saved["interventions"]]
        self.vitals = None if saved["vitals"] is None else Vitals(**saved["vitals"])

    def _vitals(self, state: TrainingState) -> Vitals:
        seen = torch.stack(self._seen)  # (iterations, 3, *members)
        # Where GEN takes part in every k-th iteration only, its mean is k times too small.
        contrast = self.algorithm.gen_every * seen[:, 0].mean(0)
        energy = self.algorithm.gen_every * seen[:, 1].mean(0)
        gradients = [p.grad for p in state.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients) + 0 * seen.sum()  # NaN if any is
        box, chains = self.algorithm.box, state.buffer.positions
        on_walls = ((chains <= box.low) | (chains >= box.high)).float().mean()
        some = chains[..., :_STALE, :]
        of_chains = state.model.energy(some).mean(-1)
        staleness = torch.zeros_like(contrast)
        if self.algorithm.weights.gen != 0 and state.buffer.capacity > self.algorithm.batch_size:
            staleness = of_chains - contrast - energy
        worst = contrast.flatten()[contrast.abs().argmax()]
        energies = torch.stack([energy, of_chains, state.average.energy(some).mean(-1)])
        values = [worst, energies.abs().amax(), norm, on_walls, staleness.amax()]
        # All processes see the same values, so that all act alike.
        return Vitals(*mean(torch.stack([value.float() for value in values])).tolist())

    def _astray(self, vitals: Vitals) -> str | None:
        """Why a training has diverged; None if it has not."""
        if not all(math.isfinite(value) for value in asdict(vitals).values()):
            return "values were not finite"
        if abs(vitals.contrast) > self.limit:
            return f"the contrast was {vitals.contrast:.3g} nats, above {self.limit:.3g}"
        if vitals.energy > _ENERGY:
            return f"energies were {vitals.energy:.3g} nats, above {_ENERGY:.3g}"
        if vitals.on_walls > _WALLS:
            return f"{vitals.on_walls:.0%} of the chains' coordinates were on walls of the box"
        return None

    def _is_held(self, state: TrainingState, hold: float) -> bool:
        limit = self.algorithm.weights_at(state).max_contrast
        return limit is not None and bool(limit <= hold)

    def _roll_back(self, state: TrainingState, reason: str) -> None:
        cures = sum(each.action == "rolled back" for each in self.interventions)
        if cures >= _MOST:
            raise DivergenceError(
                f"the training diverged {cures + 1} times, the last time at iteration "
                f"{state.iteration}: {reason}; expected a smaller learning_rate (now "
                f"{self.algorithm.learning_rate:.3g}), more sampler.n_steps, the sampler's "
                "defaults (metropolis, noise null), a smaller weights.gen, or more data_noise"
            )
        for name in _PARTS:
            # These are copies, because optimizers keep the tensors that they are given.
            getattr(state, name).load_state_dict(copy.deepcopy(self._good[name]))
        state.log_prior = self._good["log_prior"].clone()
        state.learning_rate_factor /= 2
        state.max_contrast = _HELD * self.limit
        _renew_chains(state)
        for move in state.sampler.modules():
            if isinstance(move, Langevin):
                move.log_step_size -= math.log(2)
        self._note(state, "rolled back", reason)

    def _note(self, state: TrainingState, action: Action, reason: str) -> None:
        factor = state.learning_rate_factor
        self.interventions.append(Intervention(state.iteration, action, reason, factor))


def _parts_of(state: TrainingState) -> dict[str, Any]:
    parts = {name: getattr(state, name).state_dict() for name in _PARTS}
    return copy.deepcopy(parts | {"log_prior": state.log_prior})


def _with_chains(good: dict[str, Any], change: Callable[[Tensor, int], Tensor]) -> dict[str, Any]:
    """The parts with the chains of all processes, or with those of this one."""
    if not good:
        return good
    return {**good, "buffer": {"positions": change(good["buffer"]["positions"], -2)}}


def _renew_chains(state: TrainingState) -> None:
    buffer = state.buffer
    buffer.positions.copy_(buffer.start(tuple(buffer.positions.shape[:-1]), state.generator))
