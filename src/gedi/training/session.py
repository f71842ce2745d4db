"""From data and settings to a trained model: `fit`, and the session behind it."""

import copy
import hashlib
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Generator, Tensor

from gedi.data import Dataset, check_points, value_range_of
from gedi.distributed import agree, anywhere, from_first, gathered, leave, n_processes, rank
from gedi.errors import SettingsError
from gedi.model import EnergyClassifier, number_by_size
from gedi.model.base import GaussianBase
from gedi.model.box import Box
from gedi.model.kinds import is_convolutional
from gedi.model.smoothing import Smoothing
from gedi.normalizer.annealing import annealed_log_normalizer
from gedi.normalizer.estimate import LogNormalizer
from gedi.normalizer.grid import gridded_log_normalizer
from gedi.normalizer.importance import importance_log_normalizer
from gedi.places import is_first_here
from gedi.points import Points
from gedi.settings import Settings
from gedi.shards import StreamedDataset
from gedi.stream import Stream
from gedi.training.affording import refuse_too_large
from gedi.training.algorithm import TrainingState, train
from gedi.training.compilation import check_compiler
from gedi.training.custom import Custom
from gedi.training.guard import Guard, Intervention
from gedi.training.hooks import Observer, Record
from gedi.training.ingredients import assemble
from gedi.training.monitor import Monitor, Plateau
from gedi.training.numbering import Numbering, aligned
from gedi.training.numbering import told as numbers_told
from gedi.training.plan import of_one_process, resolve
from gedi.training.processes import launched
from gedi.training.restarts import Candidate, choose, single
from gedi.training.score_matching import match_scores
from gedi.training.starts import kmeans_head
from gedi.training.trained import TrainedModel

__all__ = ["Ending", "Fit", "Listener", "Session", "fit"]

Listener = Callable[[TrainingState, Record], None]
Ending = Literal["max_iter", "max_time", "converged", "interrupted"]

_log = logging.getLogger("gedi.training.session")

_SMALL = 50_000  # numbers of a network that many chains cost seconds
_ANNEALED = 150_000_000  # numbers of the network times temperatures of annealing


@dataclass(frozen=True)
class Fit:
    """A training that has ended.

    Attributes:
        trained: the model to use.
        settings: as resolved.
        history: one record for each evaluation.
        candidates: the restarts when the best was chosen; empty if there was only one.
        chosen: the place of the best among them.
        ended: what ended the training.
        interventions: of the guard against divergence; empty if nothing was the matter.
        collapse_gap: in nats, on up to 10,000 of the points under fixed views.
        iterations: iterations done.
        seconds: time spent in them.
        numbering: which cluster is which of an earlier model's, if they were numbered like those.
    """

    trained: TrainedModel
    settings: Settings
    history: list[Record]
    candidates: list[Candidate]
    chosen: int
    ended: Ending
    interventions: list[Intervention]
    collapse_gap: float
    iterations: int
    seconds: float
    numbering: Numbering | None = None


def fit(
    x: ArrayLike | Dataset,
    n_clusters: int,
    *,
    image_shape: tuple[int, int, int] | None = None,
    settings: Settings | None = None,
    custom: Custom = Custom(),
    listeners: Sequence[Listener] = (),
) -> Fit:
    """Train on an array, or on what `gedi.load` or `gedi.load_stream` returns.

        result = gedi.fit(x, n_clusters=3)
        result.trained.predict(x).clusters

    Args:
        x: points, (n, d).
        n_clusters: c.
        image_shape: (C, H, W) if the rows are flattened images.
        settings: everything else that is plain values.
        custom: everything else that is not, such as an encoder of your own.
        listeners: called with the state and each record of the history.

    Raises:
        DataError: for an array that cannot be trained on.
        SettingsError: for settings that contradict each other or the data.
    """
    chosen = replace(settings or Settings(), n_clusters=n_clusters)
    if isinstance(x, Dataset):
        return Session(x, chosen, custom=custom, listeners=listeners).run()
    array = np.asarray(x)
    points = check_points(array, array.shape[-1] if array.ndim else 0)
    value_range = None if image_shape is None else value_range_of(array)
    dataset = Dataset("array", points, image_shape=image_shape, value_range=value_range)
    return Session(dataset, chosen, custom=custom, listeners=listeners).run()


class Session:
    """A training that can be paused, saved, and taken up again.

    With `devices` above 1 other processes run the script of this one again and take their share of
    points and chains; settings mean the same, and so does what each of them returns. `train`,
    `state_dict`, `disband` and `result` are to be called in all of them.

    Args:
        dataset: the points; labels are not looked at.
        settings: what the user chose; the rest is filled in from the data.
        custom: what the user brings that settings cannot hold.
        listeners: called with the state and each record of the history.
        interrupted: asked after every iteration; true ends `run` where it is.
        devices: processes on each machine, each with a device of its own.
        nodes: machines; see `gedi.training.algorithm.processes.launched`.

    Raises:
        DataError: for data that cannot be trained on.
        SettingsError: for settings that contradict each other, the data or the machine.
        RunError: if the processes do not find each other, or see other data.
    """

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        *,
        custom: Custom = Custom(),
        listeners: Sequence[Listener] = (),
        interrupted: Callable[[], bool] = lambda: False,
        devices: int = 1,
        nodes: int = 1,
    ) -> None:
        if isinstance(dataset, StreamedDataset):
            _refuse_places(custom)
        if is_first_here(devices * nodes):
            refuse_too_large(settings, dataset, custom, devices=devices, nodes=nodes)
        self.settings = resolve(settings, dataset, custom)
        of_one_process(self.settings, devices * nodes)
        if self.settings.device == "cuda" and not torch.cuda.is_available():
            raise SettingsError("setting device: expected a CUDA device, but none is to be found")
        self.crew = launched(self.settings.device, devices, nodes)
        self.fabric = self.crew.fabric
        with self.crew.failures_told():
            agree(_fingerprint(dataset), "data set")
            self.settings = from_first(self.settings)
        if self.settings.compile:
            check_compiler(self.fabric.device)
        self.assembly = assemble(dataset, self.settings, self.fabric.device, custom)
        self.batches: Points | Stream = self.assembly.data
        if isinstance(dataset, StreamedDataset):
            self.batches = Stream(
                dataset.shards,
                self.assembly.scaling,
                self.fabric.device,
                seed=self.settings.seed,
                rank=self.fabric.global_rank,
                world_size=self.fabric.world_size,
            )
        self.observer = Observer(
            self.assembly.algorithm,
            self.assembly.monitor,
            Guard(self.assembly.algorithm),
            Plateau(self.assembly.algorithm.weights, self.settings.tol, self.settings.patience),
            self.assembly.renaming,
            self.settings.evaluate_every,
            list(listeners),
            interrupted=interrupted,
        )
        restarts = self.settings.restarts.n or 1
        self.state = self.assembly.state((restarts,) if restarts > 1 else ())
        self.observer.guard.begin(self.state)
        self.candidates: list[Candidate] = []
        self.chosen = 0
        self._begun = False

    @property
    def is_first(self) -> bool:
        """Whether this is the process that speaks and writes files, if there are several."""
        return rank() == 0

    def run(self) -> Fit:
        """Train to the end, or until interrupted."""
        self.train()
        return self.result()

    def train(self) -> bool:
        """Train to the end, or until interrupted; whether it has ended.

        Raises:
            RunError: if another process of the training is gone.
        """
        with self.crew.failures_told():
            self._match_scores()
            if self.state.members:
                self.advance(until=self.settings.restarts.iterations)
                if not anywhere(self.observer.interrupted()):
                    self._choose()
            if not self.state.members:
                self.advance()
        return self._ending() != "interrupted"

    def disband(self) -> None:
        """Let each of several processes be on its own, with all chains.

        The training is over by that, and can go on only from what `state_dict` gave before.
        """
        if n_processes() > 1:
            with self.crew.failures_told():
                self.state.buffer.positions = gathered(self.state.buffer.positions, -2)
            leave()

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on, also with another number of processes: plain values only."""
        plateau = self.observer.plateau
        return {
            "members": list(self.state.members),
            "state": self.state.state_dict(),
            "plateau": [plateau.best, plateau.best_iteration, self.observer.converged],
            "candidates": [asdict(candidate) for candidate in self.candidates],
            "chosen": self.chosen,
            "history": self.observer.history,
            "guard": self.observer.guard.state_dict(),
            "stream": self.batches.state_dict() if isinstance(self.batches, Stream) else None,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take up a saved session."""
        self._begun = True
        self.state = self.assembly.state(tuple(saved["members"]))
        self.state.load_state_dict(saved["state"])
        best, best_iteration, self.observer.converged = saved["plateau"]
        self.observer.plateau.best = best
        self.observer.plateau.best_iteration = best_iteration
        self.candidates = [Candidate(**candidate) for candidate in saved["candidates"]]
        self.chosen = saved["chosen"]
        self.observer.history = [dict(record) for record in saved["history"]]
        self.observer.guard.load_state_dict(saved["guard"])
        if isinstance(self.batches, Stream):
            self.batches.load_state_dict(saved["stream"])

    def result(self) -> Fit:
        """What there is so far, as a finished training would be returned; disbands processes."""
        self.disband()
        trained, numbering = self.trained_model(), None
        assembly = self.assembly
        like = assembly.custom.like
        if like is not None:
            trained, numbering = aligned(trained, like, assembly.data)
            _log.info(numbers_told(numbering))
        report = Monitor(
            assembly.data[assembly.sample],
            assembly.algorithm.view,
            self.settings.seed,
            assembly.sample,
        )
        _, measured = report.measure(
            self.state.average, self.state.buffer.chains, self.state.log_prior
        )
        gap = float(measured["gap"].min())
        return Fit(
            trained=trained,
            settings=self.settings,
            history=self.observer.history,
            candidates=self.candidates,
            chosen=self.chosen,
            ended=self._ending(),
            interventions=self.observer.guard.interventions,
            collapse_gap=gap,
            iterations=self.state.iteration,
            seconds=self.state.seconds,
            numbering=numbering,
        )

    def trained_model(self) -> TrainedModel:
        """The average model with all that belongs to its use, on the CPU."""
        state = self.state
        if state.members:  # interrupted before the best was chosen
            state = single(state, self.assembly.state(), self._best(self._measure()))
        box = self.assembly.algorithm.box
        box = Box(box.low.cpu(), box.high.cpu())
        # Copies: an interrupted training may go on, with its sampler still adapting.
        model = copy.deepcopy(state.average).cpu().eval()
        model.encoder_dtype = None
        custom = self.assembly.custom
        some = self.assembly.data[self.assembly.sample].cpu()
        log_prior = state.log_prior.cpu()
        if self.assembly.algorithm.method.projection is not None:
            assert self.settings.n_clusters is not None  # resolved
            model = kmeans_head(model, some, self.settings.n_clusters, self.settings.seed).eval()
            log_prior = torch.full((model.n_clusters,), -math.log(model.n_clusters))
        named = isinstance(self.settings.prior, list) or custom.names_clusters
        if not named and custom.previous is None:
            order = number_by_size(model, some)
            log_prior = log_prior[order]
        smoothing = self.assembly.algorithm.smoothing
        root = copy.deepcopy(smoothing.root)
        return TrainedModel(
            model=model,
            scaling=self.assembly.scaling,
            box=box,
            sampler=copy.deepcopy(state.sampler.chain_moves()).cpu().eval(),
            chains=state.buffer.chains.cpu().clone(),
            log_prior=log_prior,
            normalizer=self._normalizer(model, box),
            smoothing=Smoothing(smoothing.scale, None if root is None else root.cpu()),
        )

    def _normalizer(self, model: EnergyClassifier, box: Box) -> LogNormalizer | None:
        """Log Z by a grid where there is one, else by annealing.

        None without a density, and for convolutional networks: in the hundreds of dimensions of
        their images annealing takes minutes for a value that is not to be trusted.
        """
        if self.assembly.algorithm.weights.gen == 0 or is_convolutional(self.settings.encoder.kind):
            return None
        if box.low.numel() <= 2:
            return gridded_log_normalizer(model.energy, box)
        return annealed_log_normalizer(
            model.energy,
            self.assembly.anchors.cpu(),
            self.assembly.bandwidth,
            box,
            base=model.base if isinstance(model.base, GaussianBase) else None,
            most_chains=2048 if _n_values(model) < _SMALL else 512,
            n_temperatures=_temperatures(model),
            generator=Generator().manual_seed(self.settings.seed),
        )

    def advance(self, until: int | None = None) -> None:
        """Train up to an iteration, or to the end, without choosing among restarts."""
        train(
            self.fabric,
            self.state,
            self.batches,
            self.assembly.algorithm,
            until=until,
            observe=self.observer,
        )

    def _match_scores(self) -> None:
        """Let fresh energies know the data."""
        n_steps = self.settings.restarts.score_matching
        if n_steps and not self._begun:
            match_scores(
                self.state,
                self.assembly.data,
                self.assembly.algorithm,
                n_steps=n_steps,
                seed=self.settings.seed,
                in_place=not isinstance(self.batches, Stream),
            )
            self.observer.guard.begin(self.state)
        self._begun = True

    def _choose(self) -> None:
        self.observer.guard.check(self.state)  # what goes on is taken for good
        self.candidates = from_first(self._measure())
        self.chosen = self._best(self.candidates)
        self.state = single(self.state, self.assembly.state(), self.chosen)
        self.observer.guard.begin(self.state)

    def _best(self, candidates: list[Candidate]) -> int:
        return choose(candidates, by_likelihood=bool(self.settings.restarts.gen))

    def _measure(self) -> list[Candidate]:
        """Gap and likelihood of every restart."""
        state, assembly = self.state, self.assembly
        terms, measured = assembly.monitor.measure(
            state.average, state.buffer.chains, state.log_prior
        )
        likelihoods = torch.zeros_like(measured["gap"])
        if self.settings.restarts.gen:
            likelihoods = -measured["energy_data"].double() - self._log_normalizers()
        return [
            Candidate(warmup, float(gap), float(likelihood), float(evidence))
            for warmup, gap, likelihood, evidence in zip(
                assembly.algorithm.schedule.warmups,
                measured["gap"],
                likelihoods,
                torch.as_tensor(terms.evidence),
                strict=True,
            )
        ]

    def _log_normalizers(self) -> Tensor:
        """Log Z of every restart, roughly, (members,)."""
        assembly = self.assembly
        box = assembly.algorithm.box
        log_z, _ = importance_log_normalizer(
            self.state.average.energy,
            assembly.anchors,
            assembly.bandwidth,
            box.low,
            box.high,
            n_samples=4096,
            generator=Generator(box.low.device).manual_seed(self.settings.seed),
        )
        return log_z

    def _ending(self) -> Ending:
        if self.assembly.algorithm.progress(self.state) < 1:
            return "interrupted"
        if self.state.iteration < self.state.horizon:
            return "max_time"
        return "converged" if self.state.horizon < self.settings.max_iter else "max_iter"


def _refuse_places(custom: Custom) -> None:
    """Refuse what is known of rows by their places, which those of a stream do not have."""
    known = {
        "labels": custom.classes,
        "groups that obey a rule": custom.groups,
        "positives": custom.positives,
    }
    for name, value in known.items():
        if value is not None:
            raise SettingsError(
                f"streaming: {name} are known by the places of rows, which a stream does not keep: "
                "leave them out, or train on data in memory"
            )


def _fingerprint(dataset: Dataset) -> str:
    """Of the shape of the data and of up to 1,000 rows."""
    some = np.ascontiguousarray(dataset.x[:: max(1, len(dataset.x) // 1000)])
    return hashlib.sha256(repr(dataset.x.shape).encode() + some.tobytes()).hexdigest()


def _temperatures(model: EnergyClassifier) -> int:
    """Temperatures of annealing at most: large networks wait seconds for log Z, not minutes.

    With fewer than it takes, the weights grow uneven and the result is not trusted.
    """
    return min(500, max(20, _ANNEALED // _n_values(model)))


def _n_values(model: EnergyClassifier) -> int:
    return sum(value.numel() for value in (*model.parameters(), *model.buffers()))
