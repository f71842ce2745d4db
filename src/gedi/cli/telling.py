"""What a training or an evaluation found, in a few lines on standard output."""

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from gedi.findings import Findings
from gedi.fitting import Fit
from gedi.presenting import ENDINGS
from gedi.report import FAIR_GAP, GOOD_GAP

__all__ = ["tell", "tell_findings"]


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
    tell_findings(findings)
    console.print(f"Report: {path / 'report.html'}", markup=False, soft_wrap=True)


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


def verdict(findings: Findings) -> str:
    """The collapse gap in words."""
    if findings.collapse_gap <= GOOD_GAP:
        return "clusters are confident, stable under the views and balanced"
    if findings.collapse_gap <= FAIR_GAP:
        return "some points are uncertain, unstable under the views or out of balance"
    return "these clusters are not to be trusted"
