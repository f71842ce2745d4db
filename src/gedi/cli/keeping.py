"""What a training leaves on disk while it runs: metrics, events and checkpoints.

A disk that is full costs what cannot be written, and never the training: it is told once, tried
again each time, and what was whole before stays whole.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from gedi.distributed import anywhere
from gedi.runs import Run
from gedi.training.hooks import Hook, Record
from gedi.training.session import Session

__all__ = ["CHECKPOINT_SECONDS", "Keeper"]

CHECKPOINT_SECONDS = 30.0


class Keeper(Hook):
    """Writes into the run folder of a session, from `with` on.

    Args:
        run: its folder.
        console: where trouble is told.
        every: seconds from one checkpoint to the next; 0 is after every iteration.
    """

    def __init__(self, run: Run, console: Console, every: float = CHECKPOINT_SECONDS) -> None:
        self.run, self.console, self.every = run, console, every
        self.saved = time.monotonic()
        self.metrics_are_whole = False
        self.troubles: set[str] = set()
        self.interventions = 0
        self.board: SummaryWriter | None = None

    def begin(self, session: Session) -> None:
        """Go on from where a session is."""
        self.interventions = len(session.controller.guard.interventions)
        with self._told("tensorboard"):
            self.board = SummaryWriter(
                str(self.run.path / "tensorboard"), purge_step=session.state.iteration or None
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._told("tensorboard"):
            if self.board is not None:
                self.board.close()

    def save(self, session: Session) -> bool:
        """Write a checkpoint now; whether that went well."""
        state, saved = session.state_dict(), False
        with self._told("the checkpoint"):
            self.run.checkpoints.save(session.state.iteration, state)
            saved = True
        self.saved = time.monotonic()
        return saved

    def on_iteration(self, session: Session) -> None:
        """Write a checkpoint where it is time to."""
        if anywhere(time.monotonic() - self.saved >= self.every):
            self.save(session)

    def on_record(self, session: Session, record: Record) -> None:
        """Write a row of the history, and say what the guard did."""
        with self._told("metrics.csv"):
            if self.metrics_are_whole:
                self.metrics_are_whole = False  # until the row is
                self.run.append_metrics(record)
            else:
                self.run.write_metrics(session.history)
            self.metrics_are_whole = True
        with self._told("tensorboard"):
            if self.board is not None:
                _to_board(self.board, record)
        done = session.controller.guard.interventions
        for intervention in done[self.interventions :]:
            self.console.print(f"guard: {intervention}", markup=False, soft_wrap=True)
        self.interventions = len(done)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Tell once of what cannot be written, and go on."""
        try:
            yield
        except OSError as error:
            if what not in self.troubles:
                self.console.print(
                    f"warning: {what} cannot be written: {error.strerror or error}; the training "
                    "goes on, and what was written before stays",
                    markup=False,
                    soft_wrap=True,
                )
            self.troubles.add(what)
            if what == "tensorboard":
                self.board = None


def _to_board(board: SummaryWriter, record: Record) -> None:
    for name, value in record.items():
        if name not in ("iteration", "progress", "seconds"):
            board.add_scalar(name, value, int(record["iteration"]))
