"""Results on standard output, and notes about the data on standard error."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gedi.data.dataset import Dataset, constant_features, counting_columns, has_distinct_rows
from gedi.evidence.group_files import GroupSource
from gedi.evidence.groups import Groups
from gedi.printable import printable
from gedi.report import Verdict
from gedi.report.content import ENDINGS
from gedi.report.findings import Findings
from gedi.report.summary import agreement_words
from gedi.training.numbering import describe as numbering_sentence
from gedi.training.restarts import choice_in_words
from gedi.training.session import Fit

__all__ = [
    "note_copies",
    "note_groups",
    "note_reading",
    "note_sample",
    "note_skipped",
    "note_streamed",
    "note_useless_columns",
    "print_detection",
    "print_figures",
    "print_findings",
    "print_summary",
]

_MOST_LINES = 40  # on how columns were read


def print_summary(
    fit: Fit, findings: Findings, verdict: Verdict, path: Path, names: Sequence[str] = ()
) -> None:
    """Print whether the result can be trusted, why the training ended, and what it found."""
    console = Console(highlight=False)
    console.print(
        f"Training ended after {fit.iterations} iterations and {fit.seconds:.0f} s, "
        f"because {ENDINGS[fit.ended]}."
    )
    if fit.candidates:
        console.print(choice_in_words(fit.candidates, fit.chosen))
    if fit.numbering is not None:
        console.print(printable(numbering_sentence(fit.numbering)), markup=False, soft_wrap=True)
    print_findings(findings, verdict, names)
    if fit.agreement is not None:
        found = fit.number is not None
        console.print(agreement_words(fit.agreement, found=found), soft_wrap=True)
    report = printable(str(path / "report.html"))
    console.print(f"Report: {report}", markup=False, soft_wrap=True)


def note_skipped(dataset: Dataset) -> None:
    """Print how many images could not be read, if any."""
    if dataset.n_skipped:
        images, were = ("image", "was") if dataset.n_skipped == 1 else ("images", "were")
        print(
            f"note: {dataset.n_skipped} {images} could not be read and {were} left out",
            file=sys.stderr,
        )


def note_reading(dataset: Dataset) -> None:
    """Print how the data were read, and what was done with the columns of a table."""
    lines = dataset.reading
    for line in lines[:_MOST_LINES]:
        print(printable(f"note: {line}"), file=sys.stderr)
    if len(lines) > _MOST_LINES:
        rest = len(lines) - _MOST_LINES
        print(f"note: {rest} more such columns are listed in the report", file=sys.stderr)


def note_copies(dataset: Dataset, n_clusters: int, console: Console) -> None:
    """Print that there are fewer different rows than clusters, where this is so."""
    if has_distinct_rows(dataset.x, n_clusters):
        return
    n = len(np.unique(dataset.x, axis=0))
    _note(
        console,
        f"only {n} of the {len(dataset.x)} rows differ, so that at most {n} of the {n_clusters} "
        "clusters can be used",
    )


def note_streamed(dataset: Dataset) -> None:
    """Print that scaling, noise and report use only a sample of the rows, where they do."""
    if len(dataset.x) < dataset.n_rows:
        print(
            f"note: {dataset.n_rows:,} rows are streamed; scaling, noise and report use "
            f"{len(dataset.x):,} of them, chosen at random",
            file=sys.stderr,
        )


def note_sample(sample: Dataset, whole: Dataset, console: Console) -> None:
    """Print that the figures are those of a sample of the rows, where they are."""
    if len(sample.x) < len(whole.x):
        _note(
            console,
            f"the time was up, so these figures and the report are those of {len(sample.x):,} of "
            f"the {len(whole.x):,} rows, evenly spaced: gedi evaluate measures all of them",
        )


def note_groups(source: GroupSource, groups: Groups) -> None:
    """Print how groups were understood, since --outcome is easily forgotten."""
    m, k = groups.rows.shape
    outcome = source.outcome
    observed = (
        "without --outcome, the rule is taken to hold for every group"
        if outcome is None
        else f"the observed outcome is in column {outcome}"
    )
    note = f"note: {m} groups of {k} inputs each, under the rule {source.rule}; {observed}"
    print(printable(note), file=sys.stderr)


def note_useless_columns(dataset: Dataset, console: Console) -> None:
    """Print which columns are constant, or only count the rows."""
    if dataset.are_features:  # nobody chose them
        return
    if dataset.image_shape is None:
        for feature in constant_features(dataset.x):
            name = dataset.feature_names[feature] if dataset.feature_names else f"column {feature}"
            where = "" if len(dataset.x) == dataset.n_rows else " in the sample"
            _note(console, f"{name} is constant{where}, so it carries no information")
    for name in counting_columns(dataset):
        _note(
            console,
            f"{name} only counts the rows, like an ID: if it should not matter, leave it out with "
            "--drop",
        )


def _note(console: Console, text: str) -> None:
    console.print(f"note: {printable(text)}", markup=False, soft_wrap=True)


def print_findings(findings: Findings, verdict: Verdict, names: Sequence[str] = ()) -> None:
    """Print the verdict, the clusters, the number it rests on, and everything else measured."""
    console = Console(highlight=False)
    console.print(f"{verdict.title}. {verdict.text}", markup=False, soft_wrap=True)
    table = Table(show_header=False, box=None, pad_edge=False)
    shares = findings.sizes / findings.sizes.sum()
    if names:
        groups = Table(box=None, pad_edge=False, header_style="")
        for title, side in (("cluster", "right"), ("points", "right"), ("name", "left")):
            groups.add_column(title, justify=side)  # type: ignore[arg-type]
        for k, (size, name) in enumerate(zip(findings.sizes, names, strict=True)):
            groups.add_row(f"{k}", f"{size:,}", escape(printable(name)))
        console.print(groups)
    else:
        table.add_row("clusters", ", ".join(f"{share:.1%}" for share in shares))
    if findings.cohesion is None:
        table.add_row("collapse gap", f"{findings.collapse_gap:.3f} nats")
    else:
        table.add_row(verdict.trust.name, verdict.trust.value)
    for name, value in findings.metrics.items():
        table.add_row(name, f"{value:.4f}")
    for name, energies in findings.energies.items():
        table.add_row(f"energy of {name}", f"{np.mean(energies):.2f} nats")
    console.print(table)


def print_figures(heading: str, figures: Mapping[str, float]) -> None:
    """Print named figures under a heading."""
    console = Console(highlight=False)
    console.print(f"{printable(heading)}:", markup=False, soft_wrap=True)
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in figures.items():
        table.add_row(name, f"{value:.4f}")
    console.print(table)


def print_detection(heading: str, figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Print a line for each score and set of outliers, under a heading."""
    console = Console(highlight=False)
    console.print(f"{printable(heading)}:", markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="")
    for name in ("score", "outliers", "AUROC", "AUPR", "FPR95"):
        table.add_column(name, justify="left" if name in ("score", "outliers") else "right")
    for score, sets in figures.items():
        for name, found in sets.items():
            # Users name the sets, and names may look like rich's markup.
            table.add_row(
                score, escape(printable(name)), *(f"{value:.4f}" for value in found.values())
            )
    console.print(table)
