"""The same training with one thread and with two: how far apart are they?

    python benchmarks/threads.py [--iterations 200]

With one number of threads a seed gives the same bits on one machine. With another, sums are taken
in another order, and what differs in the last bit grows: first slowly, then, once a Metropolis test
comes out the other way, to other chains of the same law. Each training is a process of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from common import provenance, write
from gedi.data.source import load
from gedi.evaluation.clustering import agreement
from gedi.settings import RestartSettings, Settings
from gedi.training.hooks import Hook
from gedi.training.session import Session, start

LOOKS = (1, 10, 100)


def trained(data: str, threads: int, iterations: int, file: Path) -> None:
    """Train, and save the weights at some iterations, and what was found."""
    torch.set_num_threads(threads)
    dataset = load(data, n_points=2000)
    one = RestartSettings(n=1)
    session = start(dataset, Settings(max_iter=iterations, device="cpu", restarts=one))
    weights: dict[str, Any] = {}

    class Looks(Hook):
        def on_iteration(self, session: Session) -> None:
            state = session.state
            if state.iteration in LOOKS:
                parts = [parameter.detach().flatten() for parameter in state.model.parameters()]
                weights[str(state.iteration)] = torch.cat(parts)

    fit = session.run([Looks()])
    assert dataset.labels is not None
    found = agreement(dataset.labels, fit.trained.predict(dataset.x).clusters)
    weights["gap"] = fit.collapse_gap
    weights["NMI"] = found["NMI"]
    torch.save(weights, file)


def main() -> None:
    """Train with one and with two threads, twice with one, and store the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        data, threads, file = options.one
        trained(data, int(threads), options.iterations, Path(file))
        return
    for data in ("moons", "digits"):
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / f"{place}.pt" for place in range(3)]
            for file, threads in zip(files, ("1", "1", "2"), strict=True):
                command = [sys.executable, __file__, "--iterations", str(options.iterations)]
                subprocess.run([*command, "--one", data, threads, str(file)], check=True)
            one, again, two = (torch.load(file, weights_only=True) for file in files)
        row = {
            "data": data,
            "iterations": options.iterations,
            "same bits again": all(torch.equal(one[str(k)], again[str(k)]) for k in LOOKS)
            and one["gap"] == again["gap"],
            "largest difference of weights": {
                str(k): float((one[str(k)] - two[str(k)]).abs().max()) for k in LOOKS
            },
            "gap": [one["gap"], two["gap"]],
            "NMI": [one["NMI"], two["NMI"]],
            **provenance(),
        }
        write("threads", json.loads(json.dumps(row)))


if __name__ == "__main__":
    main()
