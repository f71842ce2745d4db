"""Algorithm 1 of the paper."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils._pytree import tree_leaves

from gedi.adam import Adam
from gedi.data.points import Points
from gedi.data.stream import Stream
from gedi.distributed import gathered, most, n_processes, own_seed, rank, share_of
from gedi.evidence import Evidence, Observed
from gedi.methods import BUILT_IN, Method
from gedi.model import EnergyClassifier, LinearClassifier, weight_average
from gedi.model.box import Box
from gedi.model.smoothing import Smoothing
from gedi.objective import Terms, Weights, log_marginal
from gedi.sampling import BaseDraws, Energy, Move, ReplayBuffer
from gedi.training.analytic import analytic_energy
from gedi.training.cuda_graphs import OneAhead, Replayed
from gedi.training.processes import Runtime, set_up
from gedi.training.schedule import Schedule
from gedi.views import View

__all__ = ["Algorithm", "TrainingState", "train"]


@dataclass
class TrainingState:
    """Everything that an iteration changes; a checkpoint holds exactly this.

    Each of several processes has its own chains and random numbers; everything else is the same.

    Attributes:
        model: the network θ; its parameters may have leading member dimensions.
        average: the running average of the weights, which is kept in the end.
        optimizer: Adam over θ.
        sampler: the source of negatives: the moves of the chains, with their adapted step size,
            or an amortised sampler with its optimizer.
        buffer: the chains.
        log_prior: log π, (*members, c); restarts may differ in it, and it may be learned.
        generator: the only source of randomness.
        horizon: the iteration at which the training ends; convergence lowers it.
        iteration: the number of iterations done.
        seconds: the time spent in them and between them.
        learning_rate_factor: factor of the learning rate; the guard lowers it.
        max_contrast: the contrast in nats above which GEN no longer raises it, in addition to the
            limit in the weights; the guard sets it.
    """

    model: EnergyClassifier
    average: EnergyClassifier
    optimizer: Adam
    sampler: Move
    buffer: ReplayBuffer
    log_prior: Tensor
    generator: Generator
    horizon: int
    iteration: int = 0
    seconds: float = 0.0
    learning_rate_factor: float = 1.0
    max_contrast: float | None = None

    @property
    def members(self) -> tuple[int, ...]:
        """The leading dimensions of all tensors: () or (k,)."""
        return tuple(self.buffer.positions.shape[:-2])

    def state_dict(self) -> dict[str, Any]:
        """The state of all processes in plain tensors and numbers, safe to read."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "sampler": self.sampler.state_dict(),
            "buffer": {"positions": gathered(self.buffer.positions, -2)},
            "log_prior": self.log_prior,
            "generator": gathered(self.generator.get_state()[None], 0),
            "horizon": self.horizon,
            "iteration": self.iteration,
            "seconds": self.seconds,
            "learning_rate_factor": self.learning_rate_factor,
            "max_contrast": self.max_contrast,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state.

        If it was saved by another number of processes, the random numbers start again from a seed
        that the generator of the first saved process draws.
        """
        for name in ("model", "average", "optimizer", "sampler"):
            getattr(self, name).load_state_dict(state[name])
        self.buffer.load_state_dict({"positions": share_of(state["buffer"]["positions"], -2)})
        self.log_prior = state["log_prior"].to(self.log_prior.device)
        generators = state["generator"].view(-1, state["generator"].shape[-1])
        as_many = len(generators) == n_processes()
        # This is a copy: PyTorch reads past the end of a state that starts within its storage.
        self.generator.set_state(generators[rank() if as_many else 0].clone())
        if not as_many:
            seed = torch.randint(2**32, (), device=self.generator.device, generator=self.generator)
            self.generator.manual_seed(own_seed(int(seed)))
        self.horizon = state["horizon"]
        self.iteration = state["iteration"]
        self.seconds = state["seconds"]
        self.learning_rate_factor = state["learning_rate_factor"]
        self.max_contrast = state["max_contrast"]


@dataclass(frozen=True)
class Algorithm:
    """The fixed ingredients of Algorithm 1.

    Args:
        view: the views T(x'|x).
        weights: the weights of the terms.
        box: the region on which p(x) is defined.
        schedule: the learning rate and the weights of the terms over time.
        batch_size: the number of points, and of chains, of each process in an iteration.
        learning_rate: Adam's learning rate before the schedule.
        prior_rate: the share of the distance to the mean posterior that π moves in each iteration
            once a single network is left; 0 keeps π.
        smoothing: the noise with which GEN sees the data.
        average_decay: the decay of the average of the weights.
        gen_every: GEN takes part in every `gen_every`-th iteration, with a weight as many times
            larger.
        max_time: the time limit in seconds; None means no limit.
        cuda_graph: whether to capture everything after the views (chains, gradients and Adam) as a
            CUDA graph.
        evidence: knowledge about some inputs, such as labels; None if there is none.
        method: computes the terms from a batch.
        rows: places of the points from which batches are drawn, (m,); None means all points.
        cumulative: the cumulative weights with which these are drawn, (m,), float64; None means
            equal ones.
    """

    view: View
    weights: Weights
    box: Box
    schedule: Schedule = field(default_factory=Schedule)
    batch_size: int = 400
    learning_rate: float = 2e-3
    prior_rate: float = 0.0
    smoothing: Smoothing = Smoothing()
    average_decay: float = 0.998
    gen_every: int = 1
    max_time: float | None = None
    cuda_graph: bool = False
    evidence: Evidence | None = None
    method: Method = BUILT_IN["gedi"]
    rows: Tensor | None = None
    cumulative: Tensor | None = None

    def weights_at(self, state: TrainingState) -> Weights:
        """The weights at an iteration; those of INV and PRIOR have shape (*members,)."""
        # When a single network is left, every warm-up is over.
        clustering: float | Tensor = 1.0
        if state.members and state.iteration < self.schedule.settled:
            clustering = self.schedule.clustering(state.iteration, state.log_prior.device)
        moves = state.iteration % self.gen_every == 0
        gen = self.gen_every * self.schedule.gen(state.iteration) if moves else 0.0
        weights = self.weights.scaled(gen=gen, clustering=clustering)
        known = (self.weights.max_contrast, state.max_contrast)
        limits = [float(each) for each in known if each is not None]
        return weights._replace(max_contrast=min(limits, default=None))

    def learning_rate_at(self, state: TrainingState) -> float:
        """Adam's learning rate at an iteration."""
        factor = self.schedule.learning_rate(state.iteration, self.progress(state))
        return self.learning_rate * factor * state.learning_rate_factor

    def progress(self, state: TrainingState) -> float:
        """The completed share of the training, by iterations or by time, whichever is larger."""
        by_time = 0.0 if self.max_time is None else state.seconds / self.max_time
        return max(state.iteration / state.horizon, by_time)


def train(
    fabric: Runtime,
    state: TrainingState,
    data: Tensor | Points | Stream,
    algorithm: Algorithm,
    *,
    until: int | None = None,
    observe: Callable[[TrainingState, Terms], bool] = lambda state, terms: False,
) -> None:
    """Maximise the bound: Algorithm 1 of Sansone & Manhaeve (TMLR 2025).

    Args:
        fabric: Fabric, or what is in its place where one process trains on the CPU.
        state: the state to start from; it is advanced in place.
        data: all points, (n, d), on the fabric's device, or a stream of them.
        algorithm: the fixed ingredients.
        until: the iteration at which to pause before the end of the training; None for no pause.
        observe: called after each iteration; the training pauses if it returns True.
    """
    example = state.buffer.positions[..., :1, :]
    model, optimizer = set_up(fabric, state.model, state.optimizer, example)
    energy = analytic_energy(state.model)
    generator = state.generator
    ascend: Callable[..., Terms] = partial(
        _ascend,
        fabric=fabric,
        model=model,
        optimizer=optimizer,
        energy=energy,
        state=state,
        algorithm=algorithm,
    )
    if algorithm.cuda_graph:
        ascend = Replayed(ascend, generator, partial(_places, state))
    ahead = OneAhead(generator.device)
    paused = False
    start = time.perf_counter()

    while not paused and algorithm.progress(state) < 1 and state.iteration != until:
        weights = algorithm.weights_at(state)
        learning_rate = algorithm.learning_rate_at(state)
        # Without INV no views are needed, and without GEN no chains.
        needs_views = algorithm.weights.inv != 0
        needs_chains = bool(weights.gen != 0) and not isinstance(state.model, LinearClassifier)

        # 1. Draw a batch, its views, and inputs with evidence.
        index, x = _batch(data, algorithm, state)
        view = (
            algorithm.view(x, posterior=state.model.posterior, generator=generator, index=index)
            if needs_views
            else None
        )
        if algorithm.method.two_views:
            x = algorithm.view(x, posterior=state.model.posterior, generator=generator, index=index)
        observed = (
            None
            if algorithm.evidence is None
            else algorithm.evidence.draw(state.members, generator)
        )

        # 2 and 3. Draw negatives, compute the gradients, and take one step.
        terms = ascend(
            x, view, weights, learning_rate, needs_chains=needs_chains, observed=observed
        )
        if algorithm.prior_rate > 0 and not state.members:
            state.log_prior.copy_(_follow(state, x, algorithm.prior_rate))
        weight_average(
            state.average,
            state.model,
            min(algorithm.average_decay, (state.iteration + 1) / (state.iteration + 10)),
        )

        state.iteration += 1
        ahead.wait()
        now = time.perf_counter()  # evaluations and checkpoints after the last iteration count, too
        state.seconds, start = most(state.seconds + now - start), now
        paused = observe(state, terms)


def _ascend(
    x: Tensor,
    view: Tensor | None,
    weights: Weights,
    learning_rate: float | Tensor,
    *,
    needs_chains: bool,
    observed: Observed | None,
    fabric: Runtime,
    model: Callable[[Tensor], Tensor],
    optimizer: Any,
    energy: Energy,
    state: TrainingState,
    algorithm: Algorithm,
) -> Terms:
    """Carry out steps 2 and 3 of an iteration."""
    # 2. Advance the chains and put them back, or use the amortised sampler; GEN sees the data
    # with a little noise.
    generator = state.generator
    negatives = (
        state.sampler.sample(energy, state.buffer, algorithm.batch_size, generator=generator)
        if needs_chains
        else None
    )
    smoothed = (
        algorithm.smoothing(x, generator)
        if needs_chains and algorithm.smoothing.scale > 0
        else None
    )

    # 3. Compute the gradients of the terms, and take one step of Adam on their sum.
    drawn: dict[str, bool] = {}
    if isinstance(state.sampler, BaseDraws):
        drawn = {"draws_of_base": True}
    elif isinstance(state.model, LinearClassifier):
        drawn = {"normalized": True}
    terms = algorithm.method.terms(
        model, x, view, negatives, state.log_prior, smoothed=smoothed, observed=observed, **drawn
    )
    # All graphs write the gradients to the same memory.
    optimizer.zero_grad(set_to_none=not algorithm.cuda_graph)
    fabric.backward(terms.loss(weights))
    group = state.optimizer.param_groups[0]
    group["lr"] = learning_rate
    group["capturable"] = algorithm.cuda_graph and torch.cuda.is_current_stream_capturing()
    optimizer.step()
    return terms.detach()


def _places(state: TrainingState) -> tuple[int, ...]:
    """The memory addresses of the tensors that the guard or a checkpoint may replace."""
    moments = tree_leaves(list(state.optimizer.state.values()))
    return tuple(each.data_ptr() for each in (state.log_prior, state.buffer.positions, *moments))


def _batch(
    data: Tensor | Points | Stream, algorithm: Algorithm, state: TrainingState
) -> tuple[Tensor | None, Tensor]:
    """The places (*members, n) and the points (*members, n, d) of a batch drawn with replacement.

    Points of a stream are drawn in its own order and have no places.
    """
    members = state.members
    if isinstance(state.model, LinearClassifier):
        members = (1,) * len(members)  # all share a batch, whose features are computed once
    shape = (*members, algorithm.batch_size)
    if isinstance(data, Stream):
        return None, data.draw(shape)
    rows = algorithm.rows
    n = len(data) if rows is None else len(rows)
    if algorithm.cumulative is None:
        index = torch.randint(n, shape, device=data.device, generator=state.generator)
    else:
        # Weights in the draws weigh all terms alike, without bias even in the log of PRIOR's mean.
        sums = algorithm.cumulative
        drawn = torch.rand(shape, dtype=sums.dtype, device=sums.device, generator=state.generator)
        index = torch.searchsorted(sums, drawn * sums[-1], right=True).clamp_max(n - 1)
    index = index if rows is None else rows[index]
    return index, data[index]


@torch.no_grad()
def _follow(state: TrainingState, x: Tensor, rate: float) -> Tensor:
    """The next log π: the log of (1 - rate) π + rate mean_j p(y|x_j), (..., c)."""
    found = log_marginal(state.model(x, with_base=False))  # the base cancels in posteriors
    return torch.logaddexp(state.log_prior + math.log1p(-rate), found + math.log(rate))
