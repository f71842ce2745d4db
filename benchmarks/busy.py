"""How much longer a training takes on a machine that does other work.

    python benchmarks/busy.py [--rounds 3] [--data wine ...]

`gedi train` runs as a process, with its defaults for threads: alone, and beside as many busy loops
as there are cores, in turns. A program on one core of them then gets half of it, so 2 is in
proportion. Wall time. Nothing else should run.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from common import missing, provenance, write
from seconds import DATA

TRAININGS = {  # the rows, or a set by its name, and settings
    "wine": ("wine", []),
    "mixture 5,000 x 30": ("mixture 5,000 x 30", []),
    "embeddings 20,000 x 384": ("embeddings 20,000 x 384", []),
    "digits as images, 100 iterations": ("digits", ["--max-iter", "100"]),
}
LOOP = "while True: pass"


@contextmanager
def busy(n: int) -> Iterator[None]:
    """A machine with n busy loops."""
    loops = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(n)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def seconds(source: str, c: int | None, more: list[str], folder: Path) -> float:
    """The wall time of a training as a command."""
    number = [] if c is None else ["--n-clusters", str(c)]
    command = [sys.executable, "-m", "gedi", "train", source, *number, *more]
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    began = time.perf_counter()
    subprocess.run(
        [*command, "--out", str(folder / "run"), "--overwrite"],
        check=True,
        capture_output=True,
        env=environment,
    )
    return time.perf_counter() - began


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", nargs="+", default=list(TRAININGS), choices=list(TRAININGS))
    options = parser.parse_args()
    n = os.cpu_count() or 1
    for name in options.data:
        source, more = TRAININGS[name]
        with tempfile.TemporaryDirectory() as made:
            folder, c = Path(made), None
            if source in DATA:
                x, _, c = DATA[source]()
                source = str(folder / "data.npy")
                np.save(source, x)
            for round_ in range(options.rounds):
                if not missing("busy", data=name, round=round_):
                    continue
                alone = seconds(source, c, more, folder)
                with busy(n):
                    beside = seconds(source, c, more, folder)
                row = {"data": name, "round": round_, "loops": n}
                row |= {"alone": round(alone, 1), "beside loops": round(beside, 1)}
                write("busy", row | provenance())


if __name__ == "__main__":
    main()
