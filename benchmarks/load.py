"""Rows a second, and memory, of predicting a large table: in memory against some rows at a time.

    python benchmarks/load.py [--rows 100000 1000000] [--features 20]

Each figure is of a process of its own, whose peak memory Linux tells (`VmHWM`; `ru_maxrss` would
count what the process was forked from); that of the imports and the model alone is told as well.
Both ways write the same table, and it is compared.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from common import missing, provenance, write
from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.runs import Run
from gedi.settings import Settings
from gedi.training.session import start

WAYS = ("nothing", "in memory", "streamed")
KINDS = ("parquet", "csv", "npy")
CLUSTERS = 5
BLOCK = 100_000  # rows written at a time

SCRIPT = """
import json, sys, time
from pathlib import Path
import pandas as pd, pyarrow.parquet
from gedi.runs.predictions import predict_to_file
from gedi.runs import Run

way, source, target = sys.argv[1:]
run = Run.open(Path("run"))
trained = run.load_model()
trained.exact
start = time.perf_counter()
if way == "in memory":
    predict_to_file(trained, run.new_data(source), Path(target))
elif way == "streamed":
    predict_to_file(trained, run.new_rows(source), Path(target))
seconds = time.perf_counter() - start
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps([seconds, int(status["VmHWM"].split()[0]) / 1024]))
"""


def main() -> None:
    """Fill what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_run(options.features)
        for n in options.rows:
            for kind in options.kinds:
                key = {"rows": n, "features": options.features, "kind": kind}
                if missing("load", **key):
                    make_table(n, options.features, kind)
                    write("load", {**key, **compared(kind), **provenance()})
                    Path(f"table.{kind}").unlink()


def make_run(d: int) -> None:
    """A run folder with a small model: time hangs on shapes, not on what it has learned."""
    x, names = table(0, 2000, d), tuple(f"x{i}" for i in range(d))
    data = Dataset("table", x, feature_names=names)
    settings = Settings(n_clusters=CLUSTERS, max_iter=20, device="cpu")
    session = start(data, settings)
    run = Run.create(Path("run"), Source("table"), data, session.settings, overwrite=False)
    run.save_model(session.run().trained)


def table(start: int, n: int, d: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Rows of heaps around random places."""
    rng = np.random.default_rng(start)
    middles = 4 * np.random.default_rng(1).normal(size=(CLUSTERS, d))
    return middles[rng.integers(CLUSTERS, size=n)] + rng.normal(size=(n, d))


def make_table(n: int, d: int, kind: str) -> None:
    """Write a file of n rows, some at a time."""
    names = [f"x{i}" for i in range(d)]
    parts = (table(1 + i, min(BLOCK, n - i), d) for i in range(0, n, BLOCK))
    if kind == "npy":
        whole = np.lib.format.open_memmap("table.npy", "w+", np.float64, (n, d))
        for i, part in enumerate(parts):
            whole[i * BLOCK : i * BLOCK + len(part)] = part
        return
    if kind == "csv":
        for i, part in enumerate(parts):
            frame = pd.DataFrame(part, columns=names)
            frame.to_csv("table.csv", mode="a", index=False, header=i == 0)
        return
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pq.ParquetWriter("table.parquet", schema) as writer:
        for part in parts:
            writer.write_table(pa.table(list(part.T), schema=schema))


def compared(kind: str) -> dict[str, Any]:
    """Seconds and MiB of each way, and whether the tables are the same."""
    found: dict[str, Any] = {"MB": round(Path(f"table.{kind}").stat().st_size / 1e6, 1)}
    digests = set()
    for way in WAYS:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, way, f"table.{kind}", "out.csv"],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds, mebibytes = json.loads(done.stdout.splitlines()[-1])
        found[way] = {"seconds": round(seconds, 2), "MiB": round(mebibytes, 1)}
        if way != "nothing":
            digests.add(hashlib.sha256(Path("out.csv").read_bytes()).hexdigest())
    return {**found, "same": len(digests) == 1}


if __name__ == "__main__":
    main()
