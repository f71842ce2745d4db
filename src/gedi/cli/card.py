"""`gedi card`."""

from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.output_files import output_file
from gedi.report.card import model_card
from gedi.runs import Run

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Write the model card of a run."""
    folder = Run.open(Path(options.folder))
    with output_file(options.out, suffix=".md", overwrite=options.overwrite) as out:
        out.write_text(model_card(folder), encoding="utf-8")
    print(f"{options.out} written: add a license and what the model is for before you publish it")
    return 0
