"""Metrics and checkpoints, written to the run folder during training.

If the disk is full, the training continues: a warning is printed once, writing is tried again each
time, and files that were complete before stay complete.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from gedi.distributed import anywhere
from gedi.runs import Run
from gedi.training.hooks import Hook, Record
from gedi.training.session import Session

__all__ = ["CHECKPOINT_SECONDS", "RunWriter"]

CHECKPOINT_SECONDS = 30.0


class RunWriter(Hook):
    """Writes the progress of a session to its run folder.

    Args:
        run: the run folder.
        console: where warnings and interventions of the guard are printed.
        every: seconds between checkpoints; 0 saves one after every iteration.
    """

    def __init__(self, run: Run, console: Console, every: float = CHECKPOINT_SECONDS) -> None:
        self.run, self.console, self.every = run, console, every
        self.saved = time.monotonic()
        self.metrics_are_whole = False
        self.warned: set[str] = set()
        self.interventions = 0

    def begin(self, session: Session) -> None:
        """Start at the current iteration of a session."""
        self.interventions = len(session.controller.guard.interventions)

    def save(self, session: Session) -> bool:
        """Write a checkpoint now. Returns whether it could be written."""
        state, saved = session.state_dict(), False
        with self._warns_if_unwritable("the checkpoint"):
            self.run.checkpoints.save(session.state.iteration, state)
            saved = True
        self.saved = time.monotonic()
        return saved

    def on_iteration(self, session: Session) -> None:
        """Write a checkpoint if it is time for one."""
        if anywhere(time.monotonic() - self.saved >= self.every):
            self.save(session)

    def on_record(self, session: Session, record: Record) -> None:
        """Write a row of the history, and print what the guard did."""
        with self._warns_if_unwritable("metrics.csv"):
            if self.metrics_are_whole:
                self.metrics_are_whole = False  # until the row is written
                self.run.append_metrics(record)
            else:
                self.run.write_metrics(session.history)
            self.metrics_are_whole = True
        done = session.controller.guard.interventions
        for intervention in done[self.interventions :]:
            self.console.print(f"guard: {intervention}", markup=False, soft_wrap=True)
        self.interventions = len(done)

    @contextmanager
    def _warns_if_unwritable(self, what: str) -> Iterator[None]:
        """Print one warning if something cannot be written, and continue."""
        try:
            yield
        except OSError as error:
            if what not in self.warned:
                self.console.print(
                    f"warning: {what} cannot be written: {error.strerror or error}; the training "
                    "continues, and files written before are kept",
                    markup=False,
                    soft_wrap=True,
                )
            self.warned.add(what)
