"""Take over what `gedi reproduce` measured, for the tables in docs/results.md.

    gedi reproduce clustering --data DATA [--budget minutes]      (and generation, ood)
    python benchmarks/images.py runs/reproduce

Each cell becomes a row; a cell that was taken over before is replaced.
"""

import argparse
from pathlib import Path

from common import take_over

KEY = ("data", "preset", "budget", "method", "seed")


def main() -> None:
    """Replace the rows of the cells in a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    print(take_over("images", KEY, parser.parse_args().folder))


if __name__ == "__main__":
    main()
