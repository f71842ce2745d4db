"""Take over what `gedi reproduce` measured, for the tables in docs/results.md.

    gedi reproduce clustering --data DATA [--budget minutes]      (and generation, ood)
    python benchmarks/images.py runs/reproduce

Each cell becomes a row; a cell that was taken over before is replaced.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

from common import read, stored

KEY = ("data", "preset", "budget", "method", "seed")


def rows(folder: Path) -> list[dict[str, Any]]:
    """A row for each cell in the folder: what it is, its settings, what was measured."""
    return [
        json.loads(file.read_text(encoding="utf-8"))
        | {"settings": yaml.safe_load((file.parent / "settings.yaml").read_text("utf-8"))}
        for file in sorted(folder.glob("*/measures.json"))
    ]


def main() -> None:
    """Replace the rows of the cells in a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    found = rows(parser.parse_args().folder)
    known = {tuple(row[name] for name in KEY): row for row in [*read("images"), *found]}
    text = "".join(json.dumps(row) + "\n" for row in known.values())
    stored("images").write_text(text, encoding="utf-8")
    print(f"{len(found)} cells taken over, {len(known)} in all")


if __name__ == "__main__":
    main()
