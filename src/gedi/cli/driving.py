"""A training on the command line: progress, metrics, checkpoints, Ctrl-C, and the report."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from gedi import report
from gedi.cli.telling import tell
from gedi.data import Dataset, constant_features
from gedi.findings import Findings, find
from gedi.fitting import Fit, Session
from gedi.observing import Record
from gedi.presenting import report_content
from gedi.progress import Progress
from gedi.runs import Run
from gedi.training import TrainingState

__all__ = ["INTERRUPTED", "drive", "taken_up", "train_to_end"]

INTERRUPTED = 130  # as shells have it: 128 + SIGINT
_CHECKPOINT_SECONDS = 30.0


def drive(run: Run, session: Session, dataset: Dataset) -> int:
    """Train to the end, and write all that belongs in the run folder."""
    console = Console(stderr=True)
    for feature in constant_features(dataset.x) if dataset.image_shape is None else ():
        name = dataset.feature_names[feature] if dataset.feature_names else f"column {feature}"
        console.print(f"note: {name} is constant, so it tells nothing", markup=False)
    fit = train_to_end(run, session, console)
    if fit.ended == "interrupted":
        console.print(
            f"Interrupted after {fit.iterations} iterations; the checkpoint is kept. "
            f"Go on with: gedi resume {run.path}",
            markup=False,
            soft_wrap=True,
        )
        return INTERRUPTED
    findings = find(fit.trained, dataset, fit.settings)
    _write_result(run, fit, findings)
    steps = _next_steps(run)
    report.write(run.path / "report.html", report_content(fit, findings, dataset, steps))
    tell(fit, findings, run.path)
    return 0


def taken_up(run: Run, dataset: Dataset) -> Session:
    """The session of a run folder as its last checkpoint has it.

    Raises:
        RunError: if there is no checkpoint, or it cannot be read.
    """
    saved = run.load_checkpoint()
    session = Session(dataset, run.settings())
    session.load_state_dict(saved, run.metrics())
    run.rewrite_metrics(session.observer.history)
    return session


def train_to_end(
    run: Run, session: Session, console: Console, *, deadline: float = math.inf
) -> Fit:
    """Train, keeping metrics and checkpoints, and in the end the model.

    Ctrl-C, SIGTERM or the deadline (of `time.monotonic`) end it between two iterations.
    """
    with (
        _interruptible(session, deadline),
        SummaryWriter(
            str(run.path / "tensorboard"), purge_step=session.state.iteration or None
        ) as board,
        Progress(console) as progress,
    ):
        session.observer.listeners += [
            lambda state, record: run.append_metrics(record),
            lambda state, record: _to_board(board, record),
            _Checkpoints(run, session),
            progress,
        ]
        fit = session.run()
    run.save_checkpoint(session.state_dict())
    if fit.ended != "interrupted":
        run.save_model(fit.trained)
    return fit


def _next_steps(run: Run) -> list[str]:
    data = run.source.data if Path(run.source.data).suffix else "NEW.csv"
    if run.image_shape is not None and Path(run.source.data).is_dir():
        data = "FOLDER"
    return [
        f"gedi evaluate {run.path}",
        f"gedi predict {run.path} {data} --out clusters.csv",
        f"gedi sample {run.path} -n 64 --out samples.npz",
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
            "restarts": [asdict(candidate) for candidate in fit.candidates],
            "chosen": fit.chosen,
        }
    )


def _to_board(board: SummaryWriter, record: Record) -> None:
    for name, value in record.items():
        if name not in ("iteration", "progress", "seconds"):
            board.add_scalar(name, value, int(record["iteration"]))


class _Checkpoints:
    """Writes a checkpoint when the last one is old enough."""

    def __init__(self, run: Run, session: Session) -> None:
        self.run, self.session = run, session
        self.last = time.monotonic()

    def __call__(self, state: TrainingState, record: Record) -> None:
        if time.monotonic() - self.last > _CHECKPOINT_SECONDS:
            self.run.save_checkpoint(self.session.state_dict())
            self.last = time.monotonic()


@contextmanager
def _interruptible(session: Session, deadline: float) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the training between two iterations; a second one at once."""
    asked = False
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        for known, handler in before.items():
            signal.signal(known, handler)

    for number in before:
        signal.signal(number, ask)
    session.observer.interrupted = lambda: asked or time.monotonic() > deadline
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
