"""Whether a whole fit, or a whole command, ends within its limit of time.

    python benchmarks/limits.py [--data wine "mixture 5,000 x 30" ...] [--images FOLDER]
        [--limits 5 15] [--ways fit command] [--print]

FOLDER holds images, such as those of MNIST; without it only vectors are measured. `fit` is
`GEDI(c, max_time=LIMIT).fit(x)` after the libraries are imported, `auto` the same without c, and
`command` is `gedi train FILE --max-time LIMIT` as a process, with its start, its imports and its
report. Time is wall time on one thread. A limit of T seconds should end a training within
1.1 T + 1 seconds. Only missing cells run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import normalized_mutual_info_score
from threadpoolctl import threadpool_limits

import gedi
from common import missing, provenance, write
from gedi import GEDI
from gedi.training.processes import load_libraries
from seconds import DATA, Data

WAYS = ("fit", "auto", "command")
IMAGES = "MNIST, 10,000 images"


def drawn(name: str, images: Path | None) -> Data:
    """The points, their classes and their number."""
    if name != IMAGES:
        return DATA[name]()
    dataset = gedi.load(str(images))
    x = np.asarray(dataset.x[:10_000]).reshape(-1, *(dataset.image_shape or ()))
    return x, np.asarray(dataset.labels)[:10_000], 10


def fitted(data: Data, limit: float, way: str) -> dict[str, Any]:
    """The seconds of `fit`, and what it found."""
    x, y, c = data
    torch.set_num_threads(1)
    load_libraries("cpu", 1)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GEDI(c if way == "fit" else "auto", max_time=limit, random_state=0)
        begin = time.perf_counter()
        model.fit(x)
        seconds = time.perf_counter() - begin
    return {
        "seconds": round(seconds, 2),
        "iterations": model.n_iter_,
        "NMI": round(normalized_mutual_info_score(y, model.labels_), 3),
    }


def commanded(data: Data, limit: float) -> dict[str, Any]:
    """The seconds of the command, and what it found."""
    x, y, c = data
    with tempfile.TemporaryDirectory() as folder:
        file, run = Path(folder) / "data.npz", Path(folder) / "run"
        np.savez(file, x=x, y=y)
        command = [sys.executable, "-m", "gedi", "train", str(file), "--n-clusters", str(c)]
        begin = time.perf_counter()
        subprocess.run(
            [*command, "--max-time", str(limit), "--out", str(run)], check=True, capture_output=True
        )
        seconds = time.perf_counter() - begin
        result = json.loads((run / "result.json").read_text())
    return {
        "seconds": round(seconds, 2),
        "iterations": result["iterations"],
        "NMI": round(result["metrics"]["NMI"], 3),
    }


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", choices=[*DATA, IMAGES])
    parser.add_argument("--images", type=Path)
    parser.add_argument("--limits", nargs="+", type=float, default=[5.0, 15.0])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--print", action="store_true", help="print the rows without storing them")
    options = parser.parse_args()
    if options.cell:
        name, limit, way = options.cell[0], float(options.cell[1]), options.cell[2]
        data = drawn(name, options.images)
        found = commanded(data, limit) if way == "command" else fitted(data, limit, way)
        row = {"data": name, "way": way, "limit": limit, **found}
        print(json.dumps({**row, "in time": found["seconds"] <= 1.1 * limit + 1, **provenance()}))
        return
    names = options.data or [*DATA, *([IMAGES] if options.images else [])]
    for name in names:
        for limit in options.limits:
            for way in options.ways:
                if name == IMAGES and way == "auto":
                    continue
                if not options.print and not missing("limits", data=name, way=way, limit=limit):
                    continue
                folder = ["--images", str(options.images)] if options.images else []
                command = [sys.executable, __file__, *folder, "--cell", name, str(limit), way]
                ran = subprocess.run(command, check=True, capture_output=True, text=True)
                row = json.loads(ran.stdout.splitlines()[-1])
                print(json.dumps(row)) if options.print else write("limits", row)


if __name__ == "__main__":
    main()
