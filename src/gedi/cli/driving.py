"""A training on the command line: from its start, or its last checkpoint, to its report."""

import math
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from gedi import report
from gedi.cli.keeping import CHECKPOINT_SECONDS, Keeper
from gedi.cli.stopping import stoppable
from gedi.cli.telling import tell
from gedi.data.dataset import Dataset, constant_features, counting_columns
from gedi.distributed import agree, anywhere, from_first
from gedi.errors import DivergenceError, RunError
from gedi.evaluation.symptoms import quartiles_of
from gedi.printable import printable
from gedi.report.content import report_content
from gedi.report.findings import Findings, find
from gedi.runs import Run
from gedi.training.custom import Custom
from gedi.training.hooks import Hook, StopWhen
from gedi.training.numbering import Numbering
from gedi.training.progress import Progress
from gedi.training.session import Fit, Session, start

__all__ = ["INTERRUPTED", "drive", "follow", "quoted", "taken_up", "train_to_end"]

INTERRUPTED = 130  # as shells have it: 128 + SIGINT


def drive(
    run: Run, session: Session, dataset: Dataset, *, every: float = CHECKPOINT_SECONDS
) -> int:
    """Train to the end, and write all that belongs in the run folder."""
    console = Console(stderr=True)
    for feature in constant_features(dataset.x) if dataset.image_shape is None else ():
        name = dataset.feature_names[feature] if dataset.feature_names else f"column {feature}"
        where = "" if len(dataset.x) == dataset.n_rows else " in the sample"
        console.print(
            f"note: {printable(name)} is constant{where}, so it tells nothing", markup=False
        )
    for name in counting_columns(dataset):
        console.print(
            f"note: {printable(name)} only counts the rows, as identities do: leave it out with "
            "--drop, if it should not matter",
            markup=False,
            soft_wrap=True,
        )
    fit = train_to_end(run, session, console, every=every)
    if fit is None:
        return INTERRUPTED
    named = run.groups is not None
    groups = session.custom.groups
    findings = find(fit.trained, dataset, fit.settings, named=named, groups=groups)
    values = () if groups is None else tuple(str(value) for value in groups.rule.values)
    content = report_content(fit, findings, dataset, _next_steps(run), named=named, values=values)
    try:
        report.write(run.path / "report.html", content)
        _write_result(run, fit, findings)
    except OSError as error:
        raise _unwritable(run, error) from error
    tell(fit, findings, run.path)
    return 0


def follow(session: Session) -> int:
    """What other processes than the first do of a training: their share, and nothing on disk."""
    crew = session.crew
    with crew.failures_told():
        crew.advice = from_first(crew.advice)
    try:
        with stoppable(math.inf) as is_asked, crew.failures_told():
            ended = session.train([StopWhen(is_asked), _Follower()])
            session.state_dict()
        if ended:
            session.disband()
    except KeyboardInterrupt:
        return INTERRUPTED
    except (DivergenceError, RunError):
        if crew.is_led:  # by a process that tells the same
            return 2
        raise
    return 0


class _Follower(Hook):
    """Takes part when the first process saves."""

    def on_iteration(self, session: Session) -> None:
        if anywhere(False):  # the first process says when
            session.state_dict()


def taken_up(
    run: Run,
    dataset: Dataset,
    console: Console,
    custom: Custom = Custom(),
    *,
    devices: int = 1,
    nodes: int = 1,
) -> Session:
    """The session of a run folder as its last whole checkpoint has it; fresh if there is none.

    Args:
        run: the folder.
        dataset: what it trains on.
        console: where damaged checkpoints are told.
        custom: what was brought to the training beside its settings.
        devices: processes on each machine; need not be as many as there were.
        nodes: machines.

    Raises:
        RunError: if there are checkpoints and all are damaged, or they do not fit the settings.
    """
    session = start(dataset, run.settings(), custom=custom, devices=devices, nodes=nodes)
    saved, damaged = run.checkpoints.load()
    for trouble in damaged:
        console.print(
            f"warning: {trouble}; the one before it is used", markup=False, soft_wrap=True
        )
    if saved is not None:
        try:
            session.load_state_dict(saved)
        # What states of another shape make of it: other names, types, sizes.
        except (LookupError, AttributeError, TypeError, ValueError, RuntimeError) as error:
            raise RunError(
                f"{run.checkpoints.folder}: does not fit the settings or the data of the run: "
                f"{' '.join(str(error).split())}"
            ) from error
    with session.crew.failures_told():
        agree(str(session.state.iteration), "last checkpoint")
    if session.is_first:
        run.write_metrics(session.history)
    return session


def train_to_end(
    run: Run,
    session: Session,
    console: Console,
    *,
    deadline: float = math.inf,
    every: float = CHECKPOINT_SECONDS,
) -> Fit | None:
    """Train, keeping metrics and checkpoints, and in the end the model.

    Ctrl-C, SIGTERM or the deadline (of `time.monotonic`) end it between two iterations.

    Args:
        run: the folder.
        session: what to train.
        console: where progress is shown.
        deadline: when to stop.
        every: seconds from one checkpoint to the next.

    Returns:
        The training that has ended, or None if it was stopped before.

    Raises:
        RunError: if the model cannot be written, or another process of the training is gone.
    """
    crew = session.crew
    with crew.failures_told():
        crew.advice = from_first(
            "the last checkpoint stands: go on, with as many processes as there are, with: "
            f"gedi resume {quoted(run.path)}"
        )
    with stoppable(deadline) as is_asked, Keeper(run, console, every) as keeper:
        keeper.begin(session)
        try:
            with Progress(console) as progress:
                ended = session.train([keeper, progress, StopWhen(is_asked)])
            with crew.failures_told():
                kept = keeper.save(session)
        except DivergenceError as error:
            run.save_failure(str(error))
            raise
        except KeyboardInterrupt:  # within an iteration, whose state is no place to go on from
            ended = kept = False
    if not ended:
        which = "its checkpoint is kept" if kept else "the last checkpoint stands"
        console.print(
            f"Interrupted after {session.state.iteration} iterations; {which}. "
            f"Go on with: gedi resume {quoted(run.path)}",
            markup=False,
            soft_wrap=True,
        )
        return None
    fit = session.result()
    try:
        run.save_model(fit.trained)
    except OSError as error:
        raise _unwritable(run, error) from error
    return fit


def _numbers(numbering: Numbering) -> dict[str, Any]:
    return {
        "like": numbering.name,
        "former": numbering.former.tolist(),
        "overlap": numbering.overlap.tolist(),
    }


def _unwritable(run: Run, error: OSError) -> RunError:
    return RunError(
        f"{run.path}: cannot be written to: {error.strerror or error}; make room, and go on with: "
        f"gedi resume {quoted(run.path)}"
    )


def quoted(path: str | Path) -> str:
    """As a shell takes it."""
    return shlex.quote(printable(str(path)))


def _next_steps(run: Run) -> list[str]:
    data = run.source.data if Path(run.source.data).suffix else "NEW.csv"
    if run.image_shape is not None and Path(run.source.data).is_dir():
        data = "FOLDER"
    return [
        f"gedi evaluate {quoted(run.path)}",
        f"gedi predict {quoted(run.path)} {quoted(data)} --out clusters.csv",
        f"gedi sample {quoted(run.path)} -n 64 --out samples.npz",
    ]


def _write_result(run: Run, fit: Fit, findings: Findings) -> None:
    normalizer = fit.trained.normalizer
    run.save_result(
        {
            "ended": fit.ended,
            "iterations": fit.iterations,
            "seconds": round(fit.seconds, 2),
            "collapse_gap": findings.collapse_gap,
            "normalizer": None if normalizer is None else normalizer._asdict(),
            "cluster_sizes": findings.sizes.tolist(),
            "metrics": findings.metrics,
            "energies": {
                name: list(three) for name, three in quartiles_of(findings.energies).items()
            },
            "not_finite": int(np.sum(~np.isfinite(findings.prediction.log_density))),
            "restarts": [asdict(candidate) for candidate in fit.candidates],
            "chosen": fit.chosen,
            "numbering": None if fit.numbering is None else _numbers(fit.numbering),
            "interventions": [asdict(intervention) for intervention in fit.interventions],
        }
    )
