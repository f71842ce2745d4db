"""How time and memory of a training grow with its data and its networks.

    python benchmarks/growth.py [--only points features clusters iterations]
    python benchmarks/growth.py --draw

Each row is a process of its own: the time of the set-up (all from the data to the first iteration),
that of one iteration when it is warm, the median over cycles of the sampler's `every`, and the
peak memory above that of the imports, as Linux tells it (`VmHWM`). Seconds are those of the
processor, as other work shares the machine. The ratio that c = 1,000 is held to is measured again
in one process, where both networks take turns. `--draw` makes the pictures of docs/growth.md.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common import missing, provenance, read, write

DOCS = Path(__file__).parents[1] / "docs"
TABLE = {"encoder": {"hidden": [256, 256], "base": True}, "restarts": {"n": 2, "iterations": 5}}
IMAGES = {"encoder": {"kind": "conv"}, "restarts": {"n": 1}}
AXES: dict[str, list[dict[str, Any]]] = {
    "points": [{"n": 10**k, "d": 8, "c": 5} for k in (3, 4, 5, 6, 7)],
    "features": [{"n": 4000, "d": d, "c": 5} for d in (2, 16, 128, 1024, 4096)],
    "clusters": [{"n": 5000, "d": 784, "c": c} for c in (2, 10, 100, 1000)],
    "iterations": [{"n": 10_000, "d": 8, "c": 5, "iterations": k} for k in (100, 300, 1000, 3000)],
}
COUNTED = {"points": "n", "features": "d", "clusters": "c", "iterations": "iterations"}
MEASURES = {"set-up": "set-up (s)", "iteration": "one iteration (s)", "MiB": "memory (MiB)"}
OVER_ITERATIONS = {"iteration": "all iterations (s)", "MiB": "memory (MiB)"}

SCRIPT = """
import json, sys, time
from pathlib import Path
from statistics import median

import numpy as np

from gedi.data.dataset import Dataset
from gedi.training.session import start
from gedi.free_memory import resident
from gedi.settings import from_dict

cases = json.loads(sys.argv[1])
libraries = resident()


def session_of(case):
    rng, size = np.random.default_rng(0), (case["n"], case["d"])
    if case["d"] == 784:
        x = rng.integers(256, size=size, dtype=np.uint8)
        data = Dataset("images", x, image_shape=(1, 28, 28), value_range=(0.0, 255.0))
    else:
        data = Dataset("table", rng.standard_normal(size, dtype=np.float32))
    settings = {"n_clusters": case["c"], "device": "cpu", "max_iter": 10**6}
    began = time.process_time()
    session = start(data, from_dict(settings | case["settings"]))
    return session, time.process_time() - began


def cycle(session):
    n = session.settings.sampler.every
    start = time.process_time()
    session.advance(until=session.state.iteration + n)
    return (time.process_time() - start) / n


sessions, found = [], []
for case in cases:
    session, seconds = session_of(case)
    if session.state.members:
        session.advance(until=session.settings.restarts.iterations)
        session._choose()
    if "iterations" in case:
        cycle(session)
        start = time.process_time()
        session.advance(until=session.state.iteration + case["iterations"])
        times = [time.process_time() - start]
    else:
        times = []
    sessions.append(session)
    found.append({"set-up": seconds, "times": times})
if "iterations" not in cases[0]:
    for _ in range(cases[0]["cycles"]):
        for session, row in zip(sessions, found):
            row["times"].append(cycle(session))
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
mebibytes = (1024 * int(status["VmHWM"].split()[0]) - libraries) / 2**20
for row in found:
    times = row.pop("times")
    row["iteration"] = median(times[1:] or times)  # the first is not warm
    row["MiB"] = mebibytes
print(json.dumps(found))
"""


def measured(cases: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Seconds of set-up and of an iteration of each case, taking turns, and MiB of all."""
    told = [
        {"cycles": 3 if case["d"] == 784 else 21}
        | case
        | {"settings": IMAGES if case["d"] == 784 else TABLE}
        for case in cases
    ]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(told)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    found: list[dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return [{name: float(f"{value:.4g}") for name, value in row.items()} for row in found]


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Of the straight line through the logarithms: 1 is linear growth."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-9)), 1)[0])


def draw(axis: str) -> None:
    """One picture: seconds left, memory right, over what grows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    from gedi.plot import OKABE_ITO, tidy  # noqa: PLC0415

    rows = [row for row in read("growth") if row["axis"] == axis]
    sizes = [row[COUNTED[axis]] for row in rows]
    figure = Figure(figsize=(7.5, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    measures = OVER_ITERATIONS if axis == "iterations" else MEASURES
    colors = dict(zip(("set-up", "iteration", "MiB"), OKABE_ITO, strict=False))
    for name, words in measures.items():
        ax = right if name == "MiB" else left
        values = [row[name] for row in rows]
        label = f"{words}, slope {slope(sizes, values):.2f}"
        ax.loglog(sizes, values, "o-", color=colors[name], label=label)
    for ax, words in ((left, "seconds of the processor"), (right, "MiB above the imports")):
        low, high = ax.get_ylim()
        start = np.sqrt(low * high) * np.sqrt(sizes[0] / sizes[-1])
        ax.loglog(
            [sizes[0], sizes[-1]],
            [start, start * sizes[-1] / sizes[0]],
            ":",
            color="#66727f",
            label="linear",
        )
        ax.set_ylim(low / 2, high * 2)
        ax.set_xlabel(f"{axis}, {COUNTED[axis]}" if len(COUNTED[axis]) == 1 else axis)
        ax.set_ylabel(words)
        ax.legend(fontsize=8, frameon=False)
        tidy(ax)
    figure.savefig(DOCS / f"growth-{axis}.png", dpi=80)


def main() -> None:
    """Fill what is missing, or draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=AXES, default=AXES)
    parser.add_argument("--draw", action="store_true")
    options = parser.parse_args()
    for axis in options.only:
        if options.draw:
            draw(axis)
            continue
        for case in AXES[axis]:
            if missing("growth", axis=axis, **case):
                write("growth", {"axis": axis, **case, **measured([case])[0], **provenance()})
    if "clusters" in options.only and not options.draw and missing("growth", axis="ratio"):
        cases = [case for case in AXES["clusters"] if case["c"] in (10, 1000)]
        few, many = measured(cases)
        ratio = round(many["iteration"] / few["iteration"], 3)
        write("growth", {"axis": "ratio", "c": [10, 1000], "ratio": ratio, **provenance()})


if __name__ == "__main__":
    main()
