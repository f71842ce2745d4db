"""What whole commands cost: `gedi train` and `gedi predict` on tables in files.

    OMP_NUM_THREADS=1 python benchmarks/costs.py [--only NAME ...]

Each command is a process of its own, with imports, reading, report and writing. Seconds are
processor time, memory is the most that was resident at once, and sizes are those of the files that
are there afterwards. Only missing rows are measured.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from common import missing, provenance, write
from seconds import mixture

N_CLUSTERS = 8
SIZES = {
    "small": (1_000, 10),
    "wide": (1_000, 300),
    "long": (100_000, 20),
    "large": (1_000_000, 20),
}


def cost(*arguments: str) -> dict[str, float]:
    """Processor seconds and peak MiB of one command."""
    command = subprocess.Popen(
        [sys.executable, "-m", "gedi", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(command.pid, 0)
    if status != 0:
        raise SystemExit(f"gedi {' '.join(arguments)}: ended with status {status}")
    return {"seconds": used.ru_utime + used.ru_stime, "MiB": used.ru_maxrss / 1024}


def size(path: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def measured(n: int, d: int, folder: Path) -> dict[str, Any]:
    """Train on a table, and predict the same table."""
    table, run, out = (str(folder / name) for name in ("table.parquet", "run", "out.parquet"))
    x, _, _ = mixture(n, d, N_CLUSTERS)
    pd.DataFrame(x, columns=[f"x{j}" for j in range(d)]).to_parquet(table)
    train = cost("train", table, "--n-clusters", str(N_CLUSTERS), "--out", run)
    predict = cost("predict", run, table, "--out", out)
    sizes = {
        "table": size(Path(table)),
        "model": size(Path(run, "model.safetensors")),
        "checkpoints": size(Path(run, "checkpoints")),
        "run": size(Path(run)),
    }
    return {"train": train, "predict": predict, "bytes": sizes}


def main() -> None:
    """Fill what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SIZES, default=SIZES)
    for name in parser.parse_args().only:
        n, d = SIZES[name]
        if missing("costs", rows=n, columns=d):
            with tempfile.TemporaryDirectory() as folder:
                found = measured(n, d, Path(folder))
            write("costs", {"rows": n, "columns": d, **found, **provenance()})


if __name__ == "__main__":
    main()
