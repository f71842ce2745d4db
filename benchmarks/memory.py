"""Peak memory of trainings: what the formula predicts against what the system measures.

    python benchmarks/memory.py [--only NAME ...]

Each training is a process of its own, of few iterations: memory hangs on shapes, and all phases of
a training are there. Measured is `VmHWM`, the most memory that was resident at once.
"""

import argparse
import json
import subprocess
import sys
from typing import Any

from common import missing, provenance, write

SHORT = {"max_iter": 4, "device": "cpu", "restarts": {"iterations": 2}}
CASES: dict[str, dict[str, Any]] = {
    "toy, default network": {"n": 10_000, "d": 2, "settings": {"n_clusters": 2}},
    "long table": {"n": 1_000_000, "d": 20, "settings": {"n_clusters": 5}},
    "table of middle size": {"n": 5000, "d": 64, "settings": {"n_clusters": 8}},
    "embeddings": {"n": 20_000, "d": 384, "settings": {"n_clusters": 20}},
    "wide table": {"n": 3000, "d": 3000, "settings": {"n_clusters": 5}},
    "wide table, one network, no GEN": {
        "n": 2000,
        "d": 5000,
        "settings": {"n_clusters": 5, "weights": {"gen": 0.0}, "restarts": {"n": 1}},
    },
    "28 x 28 images, conv": {
        "n": 5000,
        "d": 784,
        "shape": [1, 28, 28],
        "settings": {"n_clusters": 10, "sampler": {"every": 1}},
    },
    "32 x 32 colour images, resnet8": {
        "n": 2000,
        "d": 3072,
        "shape": [3, 32, 32],
        "settings": {
            "n_clusters": 10,
            "batch_size": 64,
            "encoder": {"kind": "resnet8"},
            "restarts": {"n": 1},
            "sampler": {"every": 1, "n_steps": 2},
        },
    },
    "8 networks side by side, batch 2048": {
        "n": 10_000,
        "d": 64,
        "settings": {
            "n_clusters": 5,
            "batch_size": 2048,
            "encoder": {"hidden": [256, 256]},
            "restarts": {"n": 8},
        },
    },
}

SCRIPT = """
import json, sys
from pathlib import Path

import numpy as np

from gedi.training.memory import peak_memory
from gedi.data.dataset import Dataset
from gedi.training.session import start
from gedi.free_memory import resident
from gedi.settings import from_dict

case = json.loads(sys.argv[1])
libraries = resident()
rng, size = np.random.default_rng(0), (case["n"], case["d"])
if "shape" in case:
    x, shape = rng.integers(256, size=size, dtype=np.uint8), tuple(case["shape"])
    dataset = Dataset("images", x, image_shape=shape, value_range=(0.0, 255.0))
else:
    dataset = Dataset("table", rng.standard_normal(size, dtype=np.float32))
session = start(dataset, from_dict(case["settings"]))
memory = peak_memory(session.plan, libraries=libraries)
session.run()
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
measured = 1024 * int(status["VmHWM"].split()[0])
found = {"imports": libraries, "measured": measured, "predicted": memory.total}
print(json.dumps(found | {"parts": memory.parts}))
"""


def measured(case: dict[str, Any]) -> dict[str, Any]:
    """Bytes, measured and predicted."""
    settings = SHORT | case["settings"]
    settings["restarts"] = SHORT["restarts"] | case["settings"].get("restarts", {})
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(case | {"settings": settings})],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Fill what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=CASES, default=CASES)
    for name in parser.parse_args().only:
        if missing("memory", case=name):
            case = CASES[name]
            about = {"case": name, "points": case["n"], "features": case["d"]}
            write("memory", {**about, **measured(case), **provenance()})


if __name__ == "__main__":
    main()
