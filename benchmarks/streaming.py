"""Training on more data than memory holds: peak memory and rows a second, 1 GB against 20 GB.

    python benchmarks/streaming.py [--gigabytes 1 20] [--only WAY ...]

A shard of 160 MB is written once; the folder that is streamed holds as many hard links to it as
make up the size, so that every byte is read and decoded, but from the page cache rather than a
disk. Each figure is of a process of its own, whose peak memory Linux tells (`VmHWM`). Seconds are
those of the processor, as other work shares the machine.

Ways: `read`, pyarrow alone, once through all; `stream`, all rows once as shuffled, scaled batches;
`two streams`, the same by two processes at once, of which each takes its share; `train`, a fixed
number of iterations; `train by two`, the same by the command with two processes, in seconds of wall
time; `train in memory`, the same on one shard; and the shuffled stream of Hugging Face `datasets`
on one shard, whose batches stay tables of Arrow.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from common import missing, provenance, write

ROWS, FEATURES, GROUP, CLUSTERS = 1_000_000, 20, 65_536, 5
WAYS = ("read", "stream", "two streams", "train", "train by two", "train in memory", "datasets")

SCRIPT = """
import json, sys, time
from pathlib import Path

import gedi
from gedi.training.session import start
from gedi.settings import Settings
from gedi.data.shards import load_stream

way, folder, rank, world_size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
settings = Settings(n_clusters=5, max_iter=300, device="cpu", evaluate_every=100)
set_up = time.process_time()

if way == "read":
    from gedi.data.tables import open_parquet

    start, n = time.process_time(), 0
    for file in sorted(Path(folder).iterdir()):
        with open_parquet(file) as table:
            for batch in table.iter_batches(13_107, use_threads=False):
                n += batch.num_rows
elif way in ("stream", "two streams"):
    from gedi.model.scaling import Scaling
    from gedi.data.stream import Stream
    import torch

    data = load_stream(folder)
    scaling, place = Scaling.standardise(data.x), {"rank": rank, "world_size": world_size}
    stream = Stream(data.shards, scaling, torch.device("cpu"), seed=0, **place)
    start, n = time.process_time(), data.n_rows // world_size // 256 * 256
    for _ in range(n // 256):
        stream.draw((256,))
elif way == "datasets":
    import datasets

    rows = datasets.load_dataset(
        "parquet", data_files=f"{folder}/0000.parquet", split="train", streaming=True
    )
    batches = rows.shuffle(seed=0, buffer_size=10_000).with_format("arrow").iter(256)
    start, n = time.process_time(), 0
    for batch in batches:
        n += batch.num_rows
else:
    data = load_stream(folder) if way == "train" else gedi.load(f"{folder}/0000.parquet")
    session = start(data, settings)
    start = time.process_time()
    session.train()
    n = session.settings.batch_size * (
        (session.settings.restarts.n - 1) * session.settings.restarts.iterations + 300
    )
seconds = time.process_time() - start
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
mebibytes = int(status["VmHWM"].split()[0]) / 1024
found = {"rows": n, "seconds": seconds, "set-up": start - set_up, "MiB": mebibytes}
print(json.dumps({name: round(value, 2) for name, value in found.items()}), flush=True)
import os
os._exit(0)  # readers of `datasets` complain when they are taken down
"""


def main() -> None:
    """Fill what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[1, 20])
    parser.add_argument("--only", nargs="+", choices=WAYS, default=WAYS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shard = Path(folder) / "shard"
        make_shard(shard)
        for size in options.gigabytes:
            links = Path(folder) / f"{size:g}"
            links.mkdir()
            for i in range(max(1, round(size * 1e9 / shard.stat().st_size))):
                os.link(shard, links / f"{i:04}.parquet")
            for way in options.only:
                # These look at one shard, whatever the size.
                if way in WAYS[-2:] and size != options.gigabytes[0]:
                    continue
                if missing("streaming", way=way, gigabytes=size):
                    about = {"way": way, "gigabytes": size, "files": len(list(links.iterdir()))}
                    write("streaming", {**about, **measured(way, links), **provenance()})


def make_shard(path: Path) -> None:
    """Rows of heaps around random places, in row groups of a usual size."""
    rng = np.random.default_rng(0)
    middles = 4 * rng.normal(size=(CLUSTERS, FEATURES))
    schema = pa.schema([(f"x{i}", pa.float64()) for i in range(FEATURES)])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, ROWS, GROUP):
            n = min(GROUP, ROWS - start)
            rows = middles[rng.integers(CLUSTERS, size=n)] + rng.normal(size=(n, FEATURES))
            writer.write_table(pa.table(list(rows.T), schema=schema))


def commanded(folder: Path) -> dict[str, Any]:
    """The rows, seconds and MiB of a training by two processes."""
    with tempfile.TemporaryDirectory() as out:
        run = Path(out) / "run"
        options = ("--streaming", "--n-clusters", "5", "--devices", "2", "--max-iter", "300")
        command = [sys.executable, "-m", "gedi", "train", str(folder), *options, "--out", str(run)]
        begun = time.perf_counter()
        subprocess.run(
            [*command, "--device", "cpu"],
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        whole = time.perf_counter() - begun
        result = json.loads((run / "result.json").read_text())
        settings = yaml.safe_load((run / "settings.yaml").read_text())
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {
        "rows": result["iterations"] * settings["batch_size"],
        "seconds": result["seconds"],
        "set-up": round(whole - result["seconds"], 2),
        "MiB": round(largest, 2),
    }


def measured(way: str, folder: Path) -> dict[str, Any]:
    """Rows, seconds, and MiB at the peak; of two processes those of the slower and the larger."""
    if way == "train by two":
        return commanded(folder)
    n = 2 if way == "two streams" else 1
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, way, str(folder), str(rank), str(n)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for rank in range(n)
    ]
    found: list[dict[str, Any]] = []
    for process in running:
        out, _ = process.communicate()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, way)
        found.append(json.loads(out.splitlines()[-1]))
    most = {name: max(each[name] for each in found) for name in found[0]}
    return {**most, "rows": sum(each["rows"] for each in found)}


if __name__ == "__main__":
    main()
