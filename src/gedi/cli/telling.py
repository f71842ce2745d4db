"""What a training or an evaluation found, in a few lines on standard output."""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gedi.data.dataset import Dataset
from gedi.evaluation.symptoms import FAIR_GAP, GOOD_GAP
from gedi.evidence.group_files import GroupSource
from gedi.evidence.groups import Groups
from gedi.printable import printable
from gedi.report.content import ENDINGS
from gedi.report.findings import Findings
from gedi.training.numbering import told
from gedi.training.session import Fit

__all__ = [
    "tell",
    "tell_detection",
    "tell_figures",
    "tell_findings",
    "tell_groups",
    "tell_skipped",
    "tell_streamed",
]


def tell(fit: Fit, findings: Findings, path: Path) -> None:
    """Say what ended the training, what was found, and where to look."""
    console = Console(highlight=False)
    console.print(
        f"Training ended after {fit.iterations} iterations and {fit.seconds:.0f} s, "
        f"as {ENDINGS[fit.ended]}."
    )
    if fit.candidates:
        console.print(
            f"Of {len(fit.candidates)} restarts, number {fit.chosen + 1} was kept, "
            "by its collapse gap."
        )
    if fit.numbering is not None:
        console.print(printable(told(fit.numbering)), markup=False, soft_wrap=True)
    tell_findings(findings)
    report = printable(str(path / "report.html"))
    console.print(f"Report: {report}", markup=False, soft_wrap=True)


def tell_skipped(dataset: Dataset) -> None:
    """Say on standard error how many images were left out, if any."""
    if dataset.n_skipped:
        images = "image" if dataset.n_skipped == 1 else "images"
        print(f"note: {dataset.n_skipped} {images} left out: unreadable", file=sys.stderr)


def tell_streamed(dataset: Dataset) -> None:
    """Say on standard error of how many rows only a sample is looked at, where it is one."""
    if len(dataset.x) < dataset.n_rows:
        print(
            f"note: {dataset.n_rows:,} rows are streamed; scaling, noise and report are those of "
            f"{len(dataset.x):,} at random",
            file=sys.stderr,
        )


def tell_groups(source: GroupSource, groups: Groups) -> None:
    """Say on standard error how groups were understood: outcomes are easily forgotten."""
    m, k = groups.rows.shape
    outcome = source.outcome
    observed = (
        "no outcome is observed (--outcome): it holds of all"
        if outcome is None
        else f"column {outcome} says what was observed"
    )
    told = f"note: {m} groups of {k} inputs each, under the rule {source.rule}; {observed}"
    print(printable(told), file=sys.stderr)


def tell_findings(findings: Findings) -> None:
    """A table of the clusters' sizes and of everything measured."""
    console = Console(highlight=False)
    table = Table(show_header=False, box=None, pad_edge=False)
    shares = findings.sizes / findings.sizes.sum()
    table.add_row("clusters", ", ".join(f"{share:.1%}" for share in shares))
    table.add_row("collapse gap", f"{findings.collapse_gap:.3f} nats, {verdict(findings)}")
    for name, value in findings.metrics.items():
        table.add_row(name, f"{value:.4f}")
    for name, energies in findings.energies.items():
        table.add_row(f"energy of {name}", f"{np.mean(energies):.2f} nats")
    console.print(table)


def tell_figures(heading: str, figures: Mapping[str, float]) -> None:
    """Named figures under a heading."""
    console = Console(highlight=False)
    console.print(f"{printable(heading)}:", markup=False, soft_wrap=True)
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in figures.items():
        table.add_row(name, f"{value:.4f}")
    console.print(table)


def tell_detection(heading: str, figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """A line for each score and set of outliers, under a heading."""
    console = Console(highlight=False)
    console.print(f"{printable(heading)}:", markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="")
    for name in ("score", "outliers", "AUROC", "AUPR", "FPR95"):
        table.add_column(name, justify="left" if name in ("score", "outliers") else "right")
    for score, sets in figures.items():
        for name, found in sets.items():
            # Escaped, as the names of sets are the user's.
            table.add_row(
                score, escape(printable(name)), *(f"{value:.4f}" for value in found.values())
            )
    console.print(table)


def verdict(findings: Findings) -> str:
    """The collapse gap in words."""
    if findings.collapse_gap <= GOOD_GAP:
        return "clusters are confident, stable under the views and balanced"
    if findings.collapse_gap <= FAIR_GAP:
        return "some points are uncertain, unstable under the views or out of balance"
    return "these clusters are not to be trusted"
