"""Trainings killed at random moments, and resumed, against the same ones left alone.

    python benchmarks/kills.py [--kills 50] [--seed 0] [--check]

Each training is a process of its own, which SIGKILL ends at a moment drawn uniformly over what
it has left to do, writing its files included: a checkpoint is written after every iteration. It is
resumed, and killed again, until it ends. Then all that is left of it must be the same bits as of
the one that was never stopped: weights, optimiser, chains, random state, history and model.
Children are forked with everything imported, so that the moments fall into the training.
"""

import argparse
import csv
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import gedi.cli.resume
import gedi.cli.train
from common import provenance, write
from gedi.runs.checkpoints import Checkpoints
from gedi.training.processes import load_libraries

__all__ = ["CASES", "Killed", "difference", "killed_until_ended", "run_alone"]

_EVERY = ["--checkpoint-every", "0"]
_COMMON = [
    *("--n-clusters", "2", "--device", "cpu", "--evaluate-every", "5"),
    *("--batch-size", "32", "--max-iter", "60", "--restarts.iterations", "20"),
]
CASES: dict[str, list[str]] = {
    "restarts side by side": ["--encoder.hidden", "[16]", "--restarts.n", "3"],
    "one network, its prior learned": [
        *("--encoder.hidden", "[16]", "--restarts.n", "1", "--prior", "learned"),
    ],
    "an amortised sampler": [
        *("--encoder.hidden", "[16]", "--restarts.n", "1", "--sampler.kind", "vera"),
    ],
    "chains that rest": [
        *("--encoder.hidden", "[16]", "--restarts.n", "1", "--sampler.every", "7"),
        *("--sampler.buffer_size", "100"),
    ],
}


@dataclass
class Killed:
    """How a training went that was killed again and again.

    Attributes:
        kills: that struck before it ended.
        within_files: of them, those that left a file half written.
    """

    kills: int = 0
    within_files: int = 0


def run_alone(arguments: list[str], *, after: float | None = None) -> int | None:
    """Run `gedi` in a forked child, killed after so many seconds; its exit code, None if killed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            code = gedi.cli.main(arguments)
        finally:
            os._exit(code)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def killed_until_ended(
    train: list[str],
    folder: Path,
    whole: float,
    most: int,
    rng: np.random.Generator,
    *,
    run: Callable[..., int | None] = run_alone,
) -> Killed:
    """Train into a folder with kills at moments up to `whole` seconds, at most so many."""
    killed = Killed()
    while True:
        begun = (folder / "settings.yaml").exists()
        arguments = ["resume", str(folder)] if begun else [*train, "--out", str(folder)]
        if not begun and folder.exists():
            arguments.append("--overwrite")
        after = None if killed.kills >= most else float(rng.uniform(0, whole))
        code = run([*arguments, *_EVERY], after=after)
        if code == 0:
            return killed
        if code is not None:
            raise SystemExit(f"{' '.join(arguments)} ended with {code}")
        killed.kills += 1
        killed.within_files += any(folder.rglob(".*.partial")) if folder.exists() else 0
        if (folder / "result.json").exists():  # the last file: it was killed after its work
            return killed


def difference(one: Path, other: Path) -> list[str]:
    """What two runs that should be the same differ in; empty if nothing."""
    found = []
    states = [Checkpoints(folder / "checkpoints").load()[0] for folder in (one, other)]
    found += _unequal(*states, "checkpoint")
    rows = [_rows(folder / "metrics.csv") for folder in (one, other)]
    if rows[0] != rows[1]:
        found.append("metrics.csv")
    models = [(folder / "model.safetensors").read_bytes() for folder in (one, other)]
    return found if models[0] == models[1] else [*found, "model.safetensors"]


def _unequal(a: Any, b: Any, where: str) -> list[str]:
    """Places at which two nested states differ; clocks do not count."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [d for k in a if k != "seconds" for d in _unequal(a[k], b[k], f"{where}.{k}")]
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        return [
            d
            for i, (x, y) in enumerate(zip(a, b, strict=True))
            for d in _unequal(x, y, f"{where}.{i}")
        ]
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        same = a.dtype == b.dtype and a.shape == b.shape and a.equal(b)
    else:
        same = a == b or str(a) == str(b) == "nan"
    return [] if same else [where]


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(stream)]


def make_table(file: Path) -> str:
    """Two heaps of points."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)) + 6 * (np.arange(200) % 2)[:, None]
    np.savetxt(file, x, delimiter=",", header="a,b,c", comments="")
    return str(file)


def main() -> None:
    """Kill, resume, compare, and store what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="store nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    load_libraries("cpu", 1)
    rng = np.random.default_rng(options.seed)
    differing = 0
    for place, (name, own) in enumerate(CASES.items()):
        share = options.kills // len(CASES) + (place < options.kills % len(CASES))
        if not share:
            continue
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            data = make_table(root / "table.csv")
            train = ["train", data, *_COMMON, *own]
            start = time.perf_counter()
            if run_alone([*train, *_EVERY, "--out", str(root / "whole")]) != 0:
                raise SystemExit(f"{name}: the training left alone failed")
            whole = time.perf_counter() - start
            killed, trainings, found = Killed(), 0, []
            while killed.kills < share:
                broken = root / f"broken-{trainings}"
                one = killed_until_ended(train, broken, whole, share - killed.kills, rng)
                killed.kills += one.kills
                killed.within_files += one.within_files
                trainings += 1
                found += difference(root / "whole", broken)
            differing += len(found)
            row = {
                "case": name,
                "kills": killed.kills,
                "within_files": killed.within_files,
                "trainings": trainings,
                "differences": found,
                "seed": options.seed,
                **provenance(),
            }
            if options.check:
                print(json.dumps(row), flush=True)
            else:
                write("kills", row)
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
