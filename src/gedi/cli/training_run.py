"""A training on the command line, from its first iteration or last checkpoint to its report."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from gedi import report
from gedi.cli.run_writer import CHECKPOINT_SECONDS, RunWriter
from gedi.cli.signals import stoppable
from gedi.cli.summaries import note_copies, note_sample, note_useless_columns, print_summary
from gedi.data.dataset import Dataset
from gedi.distributed import agree, anywhere, from_first
from gedi.errors import DivergenceError, RunError
from gedi.evaluation.drift import Drift, drift_of
from gedi.evaluation.symptoms import quartiles_of
from gedi.evaluation.words import names_of_words
from gedi.printable import printable
from gedi.report.content import report_content
from gedi.report.findings import Findings, find, rows_in_time
from gedi.runs import Run
from gedi.runs.names import BEFORE, ClusterNames
from gedi.training.custom import Custom
from gedi.training.hooks import Hook, StopWhen
from gedi.training.numbering import Numbering
from gedi.training.progress import Progress
from gedi.training.session import Fit, Session, start

__all__ = [
    "INTERRUPTED",
    "follow_first_process",
    "resume_session",
    "shell_quoted",
    "train_and_report",
    "train_to_end",
]

INTERRUPTED = 130  # exit code, as shells define it: 128 + SIGINT


def train_and_report(
    run: Run, session: Session, dataset: Dataset, *, every: float = CHECKPOINT_SECONDS
) -> int:
    """Train to the end, write model, result and report to the run folder, and print a summary.

    Returns:
        The exit code: 0, or `INTERRUPTED`.

    Raises:
        DivergenceError: if the training diverges and cannot be saved.
        RunError: if a file cannot be written.
    """
    console = Console(stderr=True)
    note_useless_columns(dataset, console)
    note_copies(dataset, session.settings.n_clusters, console)
    fit = train_to_end(run, session, console, every=every)
    if fit is None:
        return INTERRUPTED
    named = run.groups is not None
    groups = session.custom.groups
    whole = dataset
    if groups is None:  # whose rows are numbers of rows in all data
        dataset = rows_in_time(fit.trained, whole, session.deadline)
    findings = find(
        fit.trained,
        dataset,
        fit.settings,
        named=named,
        groups=groups,
        held_out=session.parts.held_out.cpu(),
        deadline=session.deadline,
    )
    try:
        names = _named_clusters(run, fit, findings)
        if groups is not None:
            names = [str(value) for value in groups.rule.values]
        content = report_content(
            fit,
            findings,
            dataset,
            _next_steps(run),
            named=named,
            values=names,
            deadline=session.deadline,
        )
        drift = _drift(run, fit, whole, names)
        changes = [] if drift is None else str(drift).splitlines()
        content = replace(content, number=run.number, drift=changes)
        report.write(run.path / "report.html", content)
        if drift is not None:
            run.save_drift(str(drift))
        # Last, as a run with a result is not resumed.
        judged = report.verdict_of(content)
        _write_result(run, fit, findings, drift, judged, n_rows=whole.n_rows)
    except OSError as error:
        raise _unwritable(run, error) from error
    print_summary(fit, findings, judged, run.path, names)
    note_sample(dataset, whole, console)
    for line in changes:
        print(printable(line))
    return 0


def _drift(run: Run, fit: Fit, dataset: Dataset, titles: Sequence[str]) -> Drift | None:
    """What an update changed; None for a run that is none."""
    growth = run.growth
    if growth is None or fit.numbering is None:
        return None
    return drift_of(
        fit.trained,
        dataset.x,
        growth.n_before,
        growth.batch,
        former=fit.numbering.former,
        names=dataset.feature_names,
        titles=titles,
    )


def _named_clusters(run: Run, fit: Fit, findings: Findings) -> list[str]:
    """The names of the clusters, with those given in the earlier run (--like); empty if none."""
    n_clusters = fit.trained.n_clusters
    found = names_of_words(findings.words) if findings.words else ()
    names = ClusterNames.fresh(n_clusters, found)
    before = run.path / BEFORE
    if before.is_file() and fit.numbering is not None:
        names = ClusterNames.of_file(before).carried(fit.numbering.former.tolist(), found)
        names.save(run.path)
    return names.shown


def follow_first_process(session: Session) -> int:
    """Take part in a training as a process other than the first, which writes all files.

    Returns:
        The exit code: 0, `INTERRUPTED`, or 2 if the first process failed and reports the error.
    """
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
        if crew.is_led:  # by a process that reports the error
            return 2
        raise
    return 0


class _Follower(Hook):
    """Contributes its state when the first process saves a checkpoint."""

    def on_iteration(self, session: Session) -> None:
        if anywhere(False):  # the first process decides when
            session.state_dict()


def resume_session(
    run: Run,
    dataset: Dataset,
    console: Console,
    custom: Custom = Custom(),
    *,
    devices: int = 1,
    nodes: int = 1,
) -> Session:
    """Return the session of a run at its last intact checkpoint, or at its start if it has none.

    Args:
        run: the run folder.
        dataset: the data.
        console: where damaged checkpoints are reported.
        custom: what the training uses in addition to its settings, such as groups.
        devices: number of processes on each machine; may differ from the interrupted training.
        nodes: number of machines.

    Raises:
        RunError: if all checkpoints are damaged, or the newest does not fit settings and data.
    """
    session = start(dataset, run.settings(), custom=custom, devices=devices, nodes=nodes)
    saved, damaged = run.checkpoints.load()
    for trouble in damaged:
        console.print(
            f"warning: {trouble}; the checkpoint before it is used", markup=False, soft_wrap=True
        )
    if saved is not None:
        try:
            session.load_state_dict(saved)
        # Raised for states with other names, types or sizes.
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
    """Train, write metrics and checkpoints meanwhile, and the model at the end.

    Ctrl-C, SIGTERM or the deadline stop the training between two iterations.

    Args:
        run: the run folder.
        session: the training.
        console: where progress is shown.
        deadline: time of `time.monotonic` at which to stop.
        every: seconds between checkpoints.

    Returns:
        The finished training, or None if it was interrupted.

    Raises:
        DivergenceError: if the training diverges and cannot be saved.
        RunError: if the model cannot be written, or another process of the training has ended.
    """
    crew = session.crew
    with crew.failures_told():
        crew.advice = from_first(
            "the last checkpoint is kept: continue, with any number of processes, with: "
            f"gedi resume {shell_quoted(run.path)}"
        )
    writer = RunWriter(run, console, every)
    with stoppable(deadline) as is_asked:
        writer.begin(session)
        try:
            with Progress(console) as progress:
                ended = session.train([writer, progress, StopWhen(is_asked)])
            with crew.failures_told():
                kept = writer.save(session)
        except DivergenceError as error:
            run.save_failure(str(error))
            raise
        except KeyboardInterrupt:  # within an iteration, so its state cannot be saved
            ended = kept = False
    if not ended:
        which = "a checkpoint was saved" if kept else "the last checkpoint is kept"
        console.print(
            f"Interrupted after {session.state.iteration} iterations; {which}. "
            f"Continue with: gedi resume {shell_quoted(run.path)}",
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
        f"{run.path}: cannot be written to: {error.strerror or error}; make room, and "
        f"continue with: gedi resume {shell_quoted(run.path)}"
    )


def shell_quoted(path: str | Path) -> str:
    """Quote a path for a shell."""
    return shlex.quote(printable(str(path)))


def _next_steps(run: Run) -> list[str]:
    data = run.source.data if Path(run.source.data).suffix else "NEW.csv"
    if Path(run.source.data).is_dir() and (run.image_shape or run.source.has_features):
        data = "FOLDER"
    return [
        f"gedi evaluate {shell_quoted(run.path)}",
        f"gedi explore {shell_quoted(run.path)}",
        f"gedi predict {shell_quoted(run.path)} {shell_quoted(data)} --out clusters.csv",
        f"gedi sample {shell_quoted(run.path)} -n 64 --out samples.npz",
    ]


def _write_result(
    run: Run,
    fit: Fit,
    findings: Findings,
    drift: Drift | None,
    judged: report.Verdict,
    *,
    n_rows: int,
) -> None:
    normalizer = fit.trained.normalizer
    run.save_result(
        {
            "ended": fit.ended,
            "verdict": {"level": judged.level, "title": judged.title, "text": judged.text},
            "iterations": fit.iterations,
            "seconds": round(fit.seconds, 2),
            "collapse_gap": findings.collapse_gap,
            "agreement": fit.agreement,
            "cohesion": findings.cohesion,
            "normalizer": None if normalizer is None else normalizer._asdict(),
            "n_rows": n_rows,
            "cluster_sizes": findings.sizes.tolist(),
            "metrics": findings.metrics,
            "energies": {
                name: list(three) for name, three in quartiles_of(findings.energies).items()
            },
            "held_out": findings.held_out,
            "over_base": findings.over_base,
            "apart": findings.apart,
            "not_finite": int(np.sum(~np.isfinite(findings.prediction.log_density))),
            "restarts": [asdict(candidate) for candidate in fit.candidates],
            "chosen": fit.chosen,
            "numbering": None if fit.numbering is None else _numbers(fit.numbering),
            **({} if drift is None else {"drift": drift.to_json()}),
            "interventions": [asdict(intervention) for intervention in fit.interventions],
            **(
                {"names": names_of_words(findings.words), "words": findings.words}
                if findings.words
                else {}
            ),
        }
    )
