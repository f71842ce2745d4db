"""`gedi profile`."""

from dataclasses import asdict
from statistics import median

import torch
from jsonargparse import Namespace
from rich.console import Console
from rich.table import Table

from gedi.cli.inputs import read_inputs
from gedi.cli.output_files import figures_file
from gedi.errors import SettingsError
from gedi.experiments.markdown import spread
from gedi.experiments.provenance import provenance
from gedi.training.profile import Part, Profile, Size, profile
from gedi.training.session import build

__all__ = ["run"]

_TITLES = ("part", "ms", "share", "floor ms", "ms / floor", "MFLOP", "of peak", "MB")
_WIDTH = 100  # minimum width of the table, in characters


def run(options: Namespace) -> int:
    """Run a few iterations, and print where their time goes; with --out, write it as well."""
    if options.threads is not None:
        if options.threads < 1:
            raise SettingsError(f"--threads: expected at least 1, got {options.threads}")
        torch.set_num_threads(options.threads)
    with figures_file(options) as write:
        inputs = read_inputs(options)
        session = build(inputs.plan, inputs.dataset, inputs.custom)
        found = profile(
            session,
            cycles=options.cycles,
            restarts=options.side_by_side,
            processor=options.processor_time,
        )
        _print(found)
        write(
            {
                "data": options.data,
                "profile": asdict(found),
                "settings": asdict(session.settings),
                **provenance(),
            }
        )
    return 0


def _print(found: Profile) -> None:
    console = Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    networks = "one network" if found.members == 1 else f"{found.members} networks side by side"
    cycle = "" if found.cycle == 1 else f", mean over {found.cycle}, of which chains move in one"
    threads = "1 thread" if found.threads == 1 else f"{found.threads} threads"
    console.print(
        f"An iteration of {networks}, batch {found.batch_size}{cycle}; {threads}; "
        f"peak of matrix products {found.peak / 1e9:.1f} GFLOP/s:",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, header_style="")
    for title in _TITLES:
        table.add_column(title, justify="left" if title == "part" else "right", no_wrap=True)
    whole = median(found.parts["iteration"].seconds)
    for name, part in found.parts.items():
        table.add_row(name, *_cells(part, whole, found.peak))
    console.print(table)
    sizes = Table(box=None, pad_edge=False, header_style="")
    for title in ("in memory", "MB", "bytes a sample"):
        sizes.add_column(title, justify="left" if title == "in memory" else "right")
    for name, size in found.sizes.items():
        sizes.add_row(name, f"{size.bytes / 1e6:.2f}", _each(size))
    console.print(sizes)


def _cells(part: Part, whole: float, peak: float) -> list[str]:
    seconds = median(part.seconds)
    floor = ["-", "-"]
    if part.floor:
        floor = [f"{1e3 * median(part.floor):.2f}", spread(part.ratios, 2)]
    return [
        f"{1e3 * seconds:.2f}",
        f"{seconds / whole:.1%}",
        *floor,
        f"{part.flops / 1e6:.1f}" if part.flops else "-",
        f"{part.flops / seconds / peak:.0%}" if part.flops else "-",
        f"{part.bytes / 1e6:.1f}" if part.bytes else "-",
    ]


def _each(size: Size) -> str:
    return "-" if not size.samples else f"{size.bytes / size.samples:,.0f}"
