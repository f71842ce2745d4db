"""A training from start to end: plan it, check its memory, build it, train.

    session = start(dataset, settings)  # plan, check memory, build
    session.train()
    session.result().trained

`fit` does all of this for an array.
"""

import copy
import hashlib
import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Generator, Tensor

from gedi.data.dataset import Dataset, without_rounding
from gedi.data.stream import Stream
from gedi.data.values import check_points, value_range_of
from gedi.deadline import Deadline
from gedi.distributed import (
    agree,
    anywhere,
    from_first,
    gathered,
    leave,
    n_processes,
    rank,
)
from gedi.errors import SettingsError
from gedi.model import (
    EnergyClassifier,
    LinearClassifier,
    ResidualClassifier,
    SamplesDirectly,
    number_by_size,
)
from gedi.model.base import GaussianBase
from gedi.model.box import Box
from gedi.model.image_outliers import ImageOutlierEnergy
from gedi.model.kinds import is_convolutional
from gedi.model.outlier_energy import OutlierEnergy
from gedi.model.smoothing import Smoothing
from gedi.normalizer.annealing import annealed_log_normalizer
from gedi.normalizer.estimate import LogNormalizer
from gedi.normalizer.grid import gridded_log_normalizer
from gedi.normalizer.importance import importance_log_normalizer
from gedi.normalizer.residual import (
    likeliest_gain,
    residual_log_normalizer,
    residuals_of_draws,
)
from gedi.objective import Terms
from gedi.partitions import NumberOfClusters
from gedi.partitions.neighbours import modularity
from gedi.places import is_first_here
from gedi.settings import CompleteSettings, Settings
from gedi.training.algorithm import TrainingState, train
from gedi.training.consensus import Consensus, settle
from gedi.training.controller import Controller
from gedi.training.custom import Custom
from gedi.training.end import EndCosts, end_costs
from gedi.training.guard import Guard, Intervention
from gedi.training.hooks import Hook, Record
from gedi.training.ingredients import Ingredients, build_ingredients, fresh_state
from gedi.training.memory import fits
from gedi.training.monitor import Monitor, Plateau
from gedi.training.numbering import Numbering, aligned, describe
from gedi.training.plan import Plan, plan
from gedi.training.processes import Crew, launched
from gedi.training.recorder import record_of
from gedi.training.restarts import Candidate, choose, most_shared, single
from gedi.training.score_matching import match_scores
from gedi.training.starts import Partition, kmeans_head, learn_partition
from gedi.training.threads import bounded_threads, own_state
from gedi.training.trained import TrainedModel

__all__ = ["Ending", "Fit", "Session", "build", "fit", "start"]

Ending = Literal["max_iter", "max_time", "converged", "interrupted"]

_log = logging.getLogger("gedi.training")

_LEAST_SHARE = 0.05  # the least share of max_time for iterations, however long the set-up takes
_RESTARTS = 0.3  # the least share of the time for iterations in which restarts are compared
_LEARNING = 0.3  # share of the remaining max_time in which a partition is learned
_END_SHARE = 0.1  # the most of max_time for log Z and the report, without predictions
_REPORT_SHARE, _REPORT = 0.3, 10.0  # the most of max_time, and seconds, for a report
_DRAWS, _FEWEST_DRAWS = 20_000, 2000  # of the base, for log Z
_DRAWN = 2**25  # values of these draws, with more features than usual
_FEWEST = 200  # points of the report, if there is no time for more
_LOOK_SHARE, _FEWEST_WATCHED = 0.03, 50  # the most of max_time for a look, at so many points
_FEWEST_IMAGES = 100  # with which others are compared, if there is no time for more
_PART, _IMAGES = 500, 50  # points at a time, and images in double precision
_SMALL = 50_000  # numbers in a network below which annealing uses many chains
_ANNEALED = 150_000_000  # the most numbers in a network times temperatures of annealing


@dataclass(frozen=True)
class Fit:
    """A training that has ended.

    Attributes:
        trained: the trained model.
        settings: the settings, with defaults for those that were left open.
        history: one record for each evaluation.
        candidates: the restarts when the best was chosen; empty if there was only one.
        chosen: the place of the best among them; None if the training went on from the consensus of
            all, see `gedi.training.consensus`.
        ended: the reason why the training ended.
        interventions: the actions of the guard against divergence; empty if it did not act.
        collapse_gap: the collapse gap in nats, on up to 10,000 of the points under fixed views.
        iterations: the number of iterations done.
        seconds: the time spent in them.
        numbering: the correspondence to the clusters of an earlier model; None if there is none.
        number: how the number of clusters was found; None if it was known.
        agreement: the adjusted Rand index that is expected between the clusters and as many of
            another seed, see `gedi.partitions` and `gedi.training.consensus`; None if they are
            neither held to a partition that was found nor a consensus.
    """

    trained: TrainedModel
    settings: CompleteSettings
    history: list[Record]
    candidates: list[Candidate]
    chosen: int | None
    ended: Ending
    interventions: list[Intervention]
    collapse_gap: float
    iterations: int
    seconds: float
    numbering: Numbering | None = None
    number: NumberOfClusters | None = None
    agreement: float | None = None


def fit(
    x: ArrayLike | Dataset,
    n_clusters: int | Literal["auto"] = "auto",
    *,
    image_shape: tuple[int, int, int] | None = None,
    settings: Settings | None = None,
    custom: Custom = Custom(),
    hooks: Sequence[Hook] = (),
) -> Fit:
    """Train on an array, or on a data set from `gedi.load` or `gedi.load_stream`.

        result = gedi.fit(x, n_clusters=3)
        result.trained.clusters(x)

    Args:
        x: points, (n, d), in any units, or a data set.
        n_clusters: the number of clusters; "auto" finds it from vectors.
        image_shape: (C, H, W) if the rows of the array are flattened images.
        settings: all other settings, which are plain values.
        custom: other objects and arrays, such as your own encoder.
        hooks: observers of the training; see `gedi.training.hooks`.

    Raises:
        DataError: if the data cannot be used for a training.
        SettingsError: if settings contradict each other or the data.
    """
    if n_clusters != "auto" and not isinstance(n_clusters, (int, np.integer)):
        raise SettingsError(
            f"n_clusters: expected a number or 'auto', got {type(n_clusters).__name__}; give "
            "settings as settings=..."
        )
    chosen = replace(
        settings or Settings(), n_clusters="auto" if n_clusters == "auto" else int(n_clusters)
    )
    if isinstance(x, Dataset):
        return start(x, chosen, custom=custom).run(hooks)
    array = np.asarray(x)
    points = check_points(array, array.shape[-1] if array.ndim else 0)
    value_range = None if image_shape is None else value_range_of(array)
    dataset = Dataset("array", points, image_shape=image_shape, value_range=value_range)
    return start(dataset, chosen, custom=custom).run(hooks)


@own_state()
def start(
    dataset: Dataset,
    settings: Settings,
    *,
    custom: Custom = Custom(),
    devices: int = 1,
    nodes: int = 1,
) -> "Session":
    """Plan a training, check that it fits into memory, and build it.

    Args:
        dataset: the points; their labels are not used.
        settings: the settings that the user chose; the others are decided from the data.
        custom: the user's objects and arrays that settings cannot hold.
        devices: the number of processes on each machine, each with its own device.
        nodes: the number of machines; see `gedi.training.processes.launched`.

    Raises:
        DataError: if the data cannot be used for a training.
        SettingsError: if settings contradict each other, the data or the machine.
        RunError: if the processes do not find each other, or their data differ.
    """
    begun = time.perf_counter()
    dataset = without_rounding(dataset)
    planned = plan(dataset, settings, custom, devices=devices, nodes=nodes, begun=begun)
    if is_first_here(planned.n_processes):
        fits(planned)
    return build(planned, dataset, custom, begun=begun)


@own_state()
def build(
    planned: Plan,
    dataset: Dataset,
    custom: Custom = Custom(),
    *,
    begun: float | None = None,
    reports: bool = False,
) -> "Session":
    """Launch the processes of a plan and build their session.

    Args:
        planned: the plan.
        dataset: the points.
        custom: the user's objects and arrays that settings cannot hold.
        begun: the `time.perf_counter()` from which `max_time` counts; None means now.
        reports: whether a share of `max_time` is for a report on the result.

    Raises:
        DataError: if the data cannot be used for a training.
        SettingsError: if there are too few devices.
        RunError: if the processes do not find each other, or their data differ.
    """
    dataset = without_rounding(dataset)
    begun = time.perf_counter() if begun is None else begun
    crew = launched(planned.settings.device, planned.devices, planned.nodes)
    with crew.failures_told():
        agree(_fingerprint(dataset), "data set")
        planned = replace(
            planned, settings=from_first(planned.settings), found=from_first(planned.found)
        )
    deadline = Deadline.after(planned.settings.max_time, begun)
    with bounded_threads(planned.multiplications):
        parts = build_ingredients(planned, dataset, custom, crew.fabric.device, deadline)
        return Session(planned, parts, custom, crew, deadline=deadline, reports=reports)


class Session:
    """A training that can be paused, saved, and resumed.

    With several processes, each runs the same script and takes its share of points and chains.
    Settings keep their meaning, and all processes return the same results. Call `train`,
    `state_dict`, `disband` and `result` in all of them.

    Args:
        planned: the plan.
        parts: the ingredients, built from the plan.
        custom: the user's objects and arrays that settings cannot hold.
        crew: the processes of the training.
        deadline: the end of `max_time`.
        reports: whether a share of it is for a report on the result.

    Attributes:
        state: everything that an iteration changes.
        controller: handles divergence, convergence and renumbering between iterations.
        history: one record for each evaluation.
        candidates: the restarts when the best was chosen; empty before, or if there is only one.
        chosen: the place of the best among them.
        consensus: what all of them agree on, from which the training goes on; None if it goes on
            from the best.
    """

    def __init__(
        self,
        planned: Plan,
        parts: Ingredients,
        custom: Custom,
        crew: Crew,
        *,
        deadline: Deadline = Deadline(),
        reports: bool = False,
    ) -> None:
        self.reports = reports
        self.deadline, self._costs, self._earlier = deadline, EndCosts(0.0, 0.0, 0.0), 0.0
        self.plan, self.parts, self.custom, self.crew = planned, parts, custom, crew
        settings, algorithm = planned.settings, parts.algorithm
        self.controller = Controller(
            algorithm,
            parts.monitor,
            Guard(algorithm),
            Plateau(algorithm.weights, settings.tol, settings.patience),
            parts.renaming,
            parts.held_out,
        )
        n = settings.restarts.n
        self.state = fresh_state(planned, parts, custom, (n,) if n > 1 else ())
        self.controller.guard.begin(self.state)
        self.history: list[Record] = []
        self.candidates: list[Candidate] = []
        self.chosen = 0
        self.consensus: Consensus | None = None
        self._begun = False

    def _limit_time(self) -> None:
        """Limit the iterations to what is left of `max_time` before the final steps."""
        limit = self.settings.max_time
        if limit is None or not self.deadline.is_set:
            return
        end = self._costs.clusters + min(self._costs.rest, _END_SHARE * limit)
        end += self._seconds_of_report
        left = self.deadline.left - end - self._earlier
        seconds = from_first(self.state.seconds + max(_LEAST_SHARE * limit, left))
        algorithm = replace(self.parts.algorithm, max_time=seconds)
        self.parts = replace(self.parts, algorithm=algorithm)
        self.controller.algorithm = self.controller.guard.algorithm = algorithm

    @property
    def _seconds_of_report(self) -> float:
        """The part of `max_time` for a report on the result, if there will be one."""
        limit = self.settings.max_time
        return min(_REPORT_SHARE * limit, _REPORT) if self.reports and limit is not None else 0.0

    def _look_briefly(self) -> None:
        """Monitor only so many points that a look takes a small share of `max_time`."""
        limit, monitor = self.settings.max_time, self.parts.monitor
        if limit is None or self._costs.look == 0:
            return
        most = from_first(max(_FEWEST_WATCHED, int(_LOOK_SHARE * limit / self._costs.look)))
        monitor = monitor.of_first(most)
        self.parts = replace(self.parts, monitor=monitor)
        self.controller.monitor = monitor

    @property
    def settings(self) -> CompleteSettings:
        """The settings of the plan."""
        return self.plan.settings

    @property
    def is_first(self) -> bool:
        """Whether this is the one process that prints and writes files."""
        return rank() == 0

    def run(self, hooks: Sequence[Hook] = ()) -> Fit:
        """Train to the end, or until a hook stops it, and return the result."""
        self.train(hooks)
        return self.result()

    @own_state()
    def train(self, hooks: Sequence[Hook] = ()) -> bool:
        """Train to the end, or until a hook stops it.

        Args:
            hooks: observers of the training.

        Returns:
            Whether the training has ended.

        Raises:
            DivergenceError: if the training still diverges after all cures.
            RunError: if another process of the training has died.
        """
        with bounded_threads(self.plan.multiplications), self.crew.failures_told():
            self._limit_time()
            self._prepare()
            if self.deadline.is_set:
                self._costs = self._end_costs()
                self._look_briefly()
            self._limit_time()
            if self.state.members:
                self.advance(hooks, until=self.settings.restarts.iterations)
                if not _is_stopped(hooks):
                    self._choose()
                    self._limit_time()
            if not self.state.members:
                self.advance(hooks)
        return self._ending() != "interrupted"

    @own_state()
    def advance(self, hooks: Sequence[Hook] = (), *, until: int | None = None) -> None:
        """Train up to an iteration, or to the end, without choosing among restarts."""

        def observe(state: TrainingState, terms: Terms) -> bool:
            self._observe(state, terms, hooks)
            return _is_stopped(hooks) or self._restarts_late

        train(
            self.crew.fabric,
            self.state,
            self.parts.batches,
            self.parts.algorithm,
            until=until,
            observe=observe,
        )

    def _observe(self, state: TrainingState, terms: Terms, hooks: Sequence[Hook]) -> None:
        """Check and record the training between two iterations, and call the hooks."""
        algorithm, controller = self.parts.algorithm, self.controller
        controller.guard.watch(state, terms)
        if state.iteration % self.settings.evaluate_every == 0 or algorithm.progress(state) >= 1:
            look = controller.look(state)
            n_interventions = len(controller.guard.interventions)
            record = record_of(algorithm, state, look, n_interventions)
            self.history.append(record)
            for hook in hooks:
                hook.on_record(self, record)
        for hook in hooks:
            hook.on_iteration(self)

    @property
    def _restarts_late(self) -> bool:
        """Whether networks side by side have had their share of the time."""
        limit, settings = self.parts.algorithm.max_time, self.settings
        if limit is None or not self.state.members:
            return False
        share = max(_RESTARTS, settings.restarts.iterations / settings.max_iter)
        return self.state.seconds > share * limit

    def disband(self) -> None:
        """Separate the processes; each of them keeps all chains.

        This ends the training. It can only continue from an earlier `state_dict`.
        """
        if n_processes() > 1:
            with self.crew.failures_told():
                self.state.buffer.positions = gathered(self.state.buffer.positions, -2)
            leave()

    def state_dict(self) -> dict[str, Any]:
        """The plain values that are needed to continue, also with another number of processes."""
        batches = self.parts.batches
        return {
            "members": list(self.state.members),
            "state": self.state.state_dict(),
            "candidates": [asdict(candidate) for candidate in self.candidates],
            "chosen": self.chosen,
            "consensus": None if self.consensus is None else self.consensus._asdict(),
            "history": self.history,
            "stream": batches.state_dict() if isinstance(batches, Stream) else None,
            **self.controller.state_dict(),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restore a saved session."""
        self._begun = True
        self.state = self._fresh(tuple(saved["members"]))
        self.state.load_state_dict(saved["state"])
        self._earlier = self.state.seconds
        self.controller.load_state_dict(saved)
        self.candidates = [Candidate(**candidate) for candidate in saved["candidates"]]
        self.chosen = saved["chosen"]
        consensus = saved.get("consensus")  # checkpoints of earlier versions know none
        self.consensus = None if consensus is None else Consensus(**consensus)
        self.history = [dict(record) for record in saved["history"]]
        if isinstance(self.parts.batches, Stream):
            self.parts.batches.load_state_dict(saved["stream"])

    def _fresh(self, members: tuple[int, ...] = ()) -> TrainingState:
        return fresh_state(self.plan, self.parts, self.custom, members)

    @own_state()
    def result(self) -> Fit:
        """The result of the training so far; this separates the processes (see `disband`)."""
        self.disband()
        trained, numbering = self.trained_model(), None
        parts, sample = self.parts, self._sample
        like = self.custom.like
        if like is not None:
            trained, numbering = aligned(trained, like, parts.data)
            _log.info(describe(numbering))
        report = Monitor(
            parts.data[sample],
            parts.algorithm.view,
            self.settings.seed,
            sample,
        )
        _, measured = report.measure(
            self.state.average, self.state.buffer.positions, self.state.log_prior
        )
        gap = float(measured["gap"].min())
        return Fit(
            trained=trained,
            settings=self.settings,
            history=self.history,
            candidates=self.candidates,
            chosen=self.chosen if self.consensus is None else None,
            ended=self._ending(),
            interventions=self.controller.guard.interventions,
            collapse_gap=gap,
            iterations=self.state.iteration,
            seconds=self.state.seconds,
            numbering=numbering,
            number=None if self.plan.found is None else self.plan.found.number,
            agreement=self._agreement,
        )

    @property
    def _agreement(self) -> float | None:
        """The expected agreement with another seed, by the consensus or by the pool."""
        if self.consensus is not None:
            return self.consensus.agreement
        partition = self.parts.partition
        held = self.settings.weights.start > 0 and self.settings.restarts.n == 1
        return partition.agreement if held and partition is not None else None

    @own_state()
    def trained_model(self) -> TrainedModel:
        """The average model with everything that is needed to use it, on the CPU."""
        state = self.state
        if state.members:  # interrupted before the best was chosen
            state = single(state, self._fresh(), self._best(self._measure()))
        box = self.parts.algorithm.box
        box = Box(box.low.cpu(), box.high.cpu())
        # These are copies: an interrupted training may continue, and its sampler still adapts.
        model = copy.deepcopy(state.average).cpu().eval()
        model.encoder_dtype = None
        residuals = None
        if isinstance(model, ResidualClassifier):
            generator = Generator().manual_seed(self.settings.seed)
            residuals = residuals_of_draws(model, self._n_draws, generator)
            gain = likeliest_gain(model, self.parts.held_out.cpu(), residuals)
            model.gain.fill_(gain)
            residuals = gain * residuals
        custom = self.custom
        some = self.parts.data[self._sample].cpu()
        log_prior = state.log_prior.cpu()
        if self.parts.algorithm.method.projection is not None:
            model = kmeans_head(model, some, self.settings.n_clusters, self.settings.seed).eval()
            log_prior = torch.full((model.n_clusters,), -math.log(model.n_clusters))
        named = isinstance(self.settings.prior, list) or custom.names_clusters
        if not named and custom.previous is None:
            order = number_by_size(model, some)
            log_prior = log_prior[order]
        smoothing = self.parts.algorithm.smoothing
        root = copy.deepcopy(smoothing.root)
        return TrainedModel(
            model=model,
            scaling=self.parts.scaling,
            box=box,
            sampler=copy.deepcopy(state.sampler.chain_moves()).cpu().eval(),
            chains=self._chains(model),
            log_prior=log_prior,
            normalizer=self._normalizer(model, box, residuals),
            smoothing=Smoothing(smoothing.scale, None if root is None else root.cpu()),
            outliers=self._outliers(model),
            visible=self.parts.visible,
        )

    def _chains(self, model: EnergyClassifier) -> Tensor:
        """The last positions of the chains, or draws where none have moved, on the CPU."""
        chains = self.state.buffer.positions
        if isinstance(model, SamplesDirectly):
            generator = Generator().manual_seed(self.settings.seed)
            return model.sample(chains.shape[-2], generator)
        return chains.cpu().clone()

    def _outliers(self, model: EnergyClassifier) -> OutlierEnergy | None:
        """The outlier energy with the clusters of its held-out points, on the CPU."""
        if self.plan.data.image_shape is not None:
            return self._image_outliers(model)
        if self.parts.outliers is None:
            return None
        outliers, places = self.parts.outliers
        outliers, data = copy.deepcopy(outliers).cpu(), self.parts.data
        parts = torch.split(data[places.to(data.device)].cpu(), _PART)
        with torch.no_grad():
            outliers.clusters = torch.cat([model.posterior(part).argmax(-1) for part in parts])
        return outliers

    def _image_outliers(self, model: EnergyClassifier) -> ImageOutlierEnergy | None:
        """The same for images, from those that the network did not learn from."""
        shape, held_out = self.plan.data.image_shape, self.parts.held_out
        n = max(_FEWEST_IMAGES, int(self._time_for_rest * len(held_out)))
        z = held_out[:n].cpu().double()
        if shape is None or not len(z):
            return None
        exact = copy.deepcopy(model).double().requires_grad_(False)
        generator = Generator().manual_seed(self.settings.seed)
        outliers, places = ImageOutlierEnergy.of_images(exact, z, shape, generator)
        parts = torch.split(z[places], _IMAGES)
        with torch.no_grad():
            outliers.clusters = torch.cat([exact.posterior(part).argmax(-1) for part in parts])
        return outliers

    def _normalizer(
        self, model: EnergyClassifier, box: Box, residuals: Tensor | None
    ) -> LogNormalizer | None:
        """Log Z in nats: by a grid up to two dimensions, otherwise by annealing.

        It is exact for a linear network, and with draws of the base it is estimated from these. It
        is None without a density, and for
        convolutional networks: in hundreds of dimensions annealing takes minutes for a value that
        is not reliable.
        """
        if self.parts.algorithm.weights.gen == 0 or is_convolutional(self.settings.encoder.kind):
            return None
        if isinstance(model, LinearClassifier):
            return LogNormalizer(0.0, 0.0, math.inf, "exact")
        if residuals is not None:
            return residual_log_normalizer(residuals)
        if box.low.numel() <= 2:
            return gridded_log_normalizer(model.energy, box)
        return annealed_log_normalizer(
            model.energy,
            self.parts.anchors.cpu(),
            self.parts.bandwidth,
            box,
            base=model.base if isinstance(model.base, GaussianBase) else None,
            most_chains=2048 if _n_values(model) < _SMALL else 512,
            n_temperatures=_temperatures(model),
            generator=Generator().manual_seed(self.settings.seed),
        )

    def _end_costs(self) -> EndCosts:
        # Reports have time of their own, and can do with a sample.
        with_clusters = not self.reports and not isinstance(self.parts.batches, Stream)
        n_points = len(self.parts.data) if with_clusters else 0
        return end_costs(
            self.state.average,
            self.parts.monitor,
            n_points,
            len(self.parts.sample),
            _DRAWS,
            n_scored=0 if self.plan.data.image_shape is None else len(self.parts.held_out),
        )

    @property
    def _time_for_rest(self) -> float:
        """The share of log Z and the report for which there is time, at most 1."""
        if not self.deadline.is_set or self._costs.rest == 0:
            return 1.0
        left = self.deadline.left - self._costs.clusters - self._seconds_of_report
        return min(1.0, max(0.0, left) / self._costs.rest)

    @property
    def _n_draws(self) -> int:
        most = min(_DRAWS, _DRAWN // self.plan.data.n_features)
        return max(_FEWEST_DRAWS, int(self._time_for_rest * most))

    @property
    def _sample(self) -> Tensor:
        """The points of the report."""
        sample = self.parts.sample
        return sample[: max(_FEWEST, int(self._time_for_rest * len(sample)))]

    def _prepare(self) -> None:
        """Let fresh networks learn the first partition, or start by score matching."""
        if self._begun:
            return
        self._begun = True
        settings, parts = self.settings, self.parts
        if parts.partition is not None:
            alone = self._fresh() if self.state.members else self.state
            learn_partition(
                alone.model,
                parts.partition,
                learning_rate=settings.learning_rate,
                batch_size=settings.batch_size,
                generator=Generator().manual_seed(settings.seed),
                deadline=self.deadline.share(_LEARNING),
            )
            if self.state.members:
                self._let_last_start_as(alone, parts.partition)
            self.state.average.load_state_dict(self.state.model.state_dict())
        elif settings.restarts.score_matching:
            match_scores(
                self.state,
                parts.data,
                parts.algorithm,
                n_steps=settings.restarts.score_matching,
                seed=settings.seed,
                in_place=not isinstance(parts.batches, Stream),
            )
        self.controller.guard.begin(self.state)

    @torch.no_grad()
    def _let_last_start_as(self, alone: TrainingState, partition: Partition) -> None:
        """Give the last of several networks the head and the prior that know a partition."""
        for head, other in zip(
            self.state.model.head.parameters(), alone.model.head.parameters(), strict=True
        ):
            head[-1] = other
        if self.settings.prior == "learned":
            self.state.log_prior[-1] = partition.log_shares.to(self.state.log_prior)

    def _choose(self) -> None:
        self.controller.guard.check(self.state)  # the chosen state is accepted as good
        self.candidates = from_first(self._measure())
        self.chosen = self._best(self.candidates)
        group, self.state = self.state, single(self.state, self._fresh(), self.chosen)
        if self._seeks_consensus:
            self.consensus = settle(
                group, self.state, self.candidates, self._neighboured, self.settings
            )
        self.controller.guard.begin(self.state)

    @property
    def _seeks_consensus(self) -> bool:
        """Whether restarts can be compared, and none is so far ahead that others would spoil it."""
        last = len(self.candidates) - 1
        pool_is_ahead = self.parts.partition is not None and self.chosen == last
        compared = self.candidates[0].modularity is not None  # there are neighbours
        return self.plan.seeks_consensus and compared and not pool_is_ahead

    def _best(self, candidates: list[Candidate]) -> int:
        if candidates[0].modularity is not None:
            return most_shared(candidates, last_from_pool=self.parts.partition is not None)
        return choose(candidates, by_likelihood=bool(self.settings.restarts.gen))

    def _measure(self) -> list[Candidate]:
        """The gap, the likelihood and the evidence of every restart."""
        state, parts = self.state, self.parts
        terms, measured = parts.monitor.measure(
            state.average, state.buffer.positions, state.log_prior
        )
        likelihoods = torch.zeros_like(measured["gap"])
        if self.settings.restarts.gen:
            likelihoods = -measured["energy_data"].double()
            if not isinstance(state.model, LinearClassifier):
                likelihoods -= self._log_normalizers()
        return [
            Candidate(warmup, float(gap), float(likelihood), float(evidence), modularity)
            for warmup, gap, likelihood, evidence, modularity in zip(
                parts.algorithm.schedule.warmups,
                measured["gap"],
                likelihoods,
                torch.as_tensor(terms.evidence),
                self._modularities(),
                strict=True,
            )
        ]

    def _modularities(self) -> list[float | None]:
        """The modularity of the clusters of every restart in the graph of neighbours."""
        state, pairs = self.state, self.parts.neighbours
        if pairs is None or not len(pairs):
            return [None] * math.prod(state.members)
        edges = np.unique(pairs.cpu().numpy(), return_inverse=True)[1].reshape(pairs.shape)
        with torch.no_grad():
            parts = [state.average.posterior(x[None]).argmax(-1) for x in self._neighboured()]
        return [modularity(each, edges) for each in torch.cat(parts, -1).cpu().numpy()]

    def _neighboured(self) -> Iterator[Tensor]:
        """The points that have neighbours, in the order of their places, (m_i, d) each."""
        pairs = self.parts.neighbours
        assert pairs is not None  # without them, there is no modularity
        places = torch.from_numpy(np.unique(pairs.cpu().numpy())).to(pairs.device)
        for rows in torch.split(places, _PART):
            yield self.parts.data[rows]

    def _log_normalizers(self) -> Tensor:
        """A rough estimate of log Z of every restart, in nats, (members,)."""
        parts = self.parts
        box = parts.algorithm.box
        log_z, _ = importance_log_normalizer(
            self.state.average.energy,
            parts.anchors,
            parts.bandwidth,
            box.low,
            box.high,
            n_samples=4096,
            generator=Generator(box.low.device).manual_seed(self.settings.seed),
        )
        return log_z

    def _ending(self) -> Ending:
        if self.parts.algorithm.progress(self.state) < 1:
            return "interrupted"
        if self.state.iteration < self.state.horizon:
            return "max_time"
        return "converged" if self.state.horizon < self.settings.max_iter else "max_iter"


def _fingerprint(dataset: Dataset) -> str:
    """A hash of the shape of the data and of at least 1,000 rows, or all of fewer."""
    some = np.ascontiguousarray(dataset.x[:: max(1, len(dataset.x) // 1000)])
    return hashlib.sha256(repr(dataset.x.shape).encode() + some.tobytes()).hexdigest()


def _temperatures(model: EnergyClassifier) -> int:
    """The most temperatures of annealing, so that log Z of large networks takes seconds.

    If there are too few, the weights become uneven and the result is marked as unreliable.
    """
    return min(500, max(20, _ANNEALED // _n_values(model)))


def _n_values(model: EnergyClassifier) -> int:
    return sum(value.numel() for value in (*model.parameters(), *model.buffers()))


def _is_stopped(hooks: Sequence[Hook]) -> bool:
    """Whether a hook stops the training, in any of the processes."""
    return anywhere(any(hook.stops() for hook in hooks))
