"""What several processes of one training cost: exchanges by size, iterations with one and with two.

    python benchmarks/processes.py [--rounds 2] [--iterations 30]

Processes on one machine, with gloo, and with one thread each. Rounds alternate between one and two
processes. Where there are fewer idle cores than processes, as there may be here, a ratio near 1 is
the best there can be. What can be told of more machines are the constants: seconds of an exchange
by its size, the bytes and the number of exchanges of an iteration, and the part of an iteration
that does not shrink with the batch.
"""

import argparse
import json
import os
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import multiprocessing

from common import provenance, write
from gedi.data.dataset import Dataset
from gedi.data.source import load
from gedi.free_memory import resident
from gedi.settings import EncoderSettings, RestartSettings, Settings
from gedi.training.session import Session, start

SIZES = (8, 1024, 64 * 1024, 1024**2, 16 * 1024**2)  # bytes
BATCHES = (400, 200)
_WARM = 5


def networks() -> dict[str, tuple[Dataset, EncoderSettings]]:
    """A small network and a larger one, with data for them."""
    table = np.random.default_rng(0).normal(size=(5000, 20)).astype(np.float32)
    return {
        "100 x 100, 2 features": (load("moons", n_points=5000), EncoderSettings(hidden=[100, 100])),
        "512 x 512, 20 features": (Dataset("table", table), EncoderSettings(hidden=[512, 512])),
    }


def session_of(data: Dataset, encoder: EncoderSettings, batch_size: int, devices: int) -> Session:
    """A training of one network by GEDI."""
    settings = Settings(
        n_clusters=2,
        batch_size=batch_size,
        max_iter=100_000,
        device="cpu",
        evaluate_every=100_000,
        encoder=encoder,
        restarts=RestartSettings(n=1, gen=True),
    )
    return start(data, settings, devices=devices)


def iteration(session: Session, n: int) -> float:
    """Milliseconds of an iteration."""
    session.advance(until=_WARM)
    start = time.perf_counter()
    session.advance(until=_WARM + n)
    return 1000 * (time.perf_counter() - start) / n


def exchanges(session: Session, n: int) -> dict[str, float]:
    """Exchanges of an iteration, and their bytes, but for those of the gradient."""
    found: Counter[str] = Counter()
    plain = dist.all_reduce

    def counted(x: torch.Tensor, *arguments: Any, **options: Any) -> Any:
        found.update(exchanges=1, bytes=x.numel() * x.element_size())
        return plain(x, *arguments, **options)

    dist.all_reduce = counted  # type: ignore[assignment]
    try:
        session.advance(until=session.state.iteration + n)
    finally:
        dist.all_reduce = plain
    return {name: count / n for name, count in found.items()}


def reduction(size: int) -> float:
    """Microseconds of one exchange of so many bytes."""
    x = torch.zeros(size // 8, dtype=torch.float64)
    times = []
    for _ in range(30 if size < 1024**2 else 7):
        dist.barrier()
        start = time.perf_counter()
        dist.all_reduce(x)
        times.append(time.perf_counter() - start)
    return 1e6 * median(times)


def work(place: int, devices: int, n: int, port: int, file: str) -> None:
    """What one of the processes does; the first leaves what it found."""
    torch.set_num_threads(1)
    if devices > 1:
        os.environ |= {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "LOCAL_RANK": str(place),
            "NODE_RANK": "0",
            "WORLD_SIZE": str(devices),
        }
    found: dict[str, Any] = {"iteration": {}, "exchanges": {}, "parameters": {}}
    for name, (data, encoder) in networks().items():
        for batch_size in BATCHES if devices == 1 else BATCHES[:1]:
            session = session_of(data, encoder, batch_size, devices)
            found["iteration"][f"{name}, {batch_size}"] = iteration(session, n)
        found["parameters"][name] = sum(p.numel() for p in session.state.model.parameters())
        if devices > 1:
            found["exchanges"][name] = exchanges(session, 10)
    found["resident"] = resident()
    if devices > 1:
        found["reduction"] = {str(size): reduction(size) for size in SIZES}
    if place == 0:
        Path(file).write_text(json.dumps(found), encoding="utf-8")


def run(devices: int, n: int) -> dict[str, Any]:
    """What the first of so many processes found."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/found.json"
        multiprocessing.spawn(work, (devices, n, port, file), nprocs=devices)
        found: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
    return found


def middle(rounds: list[dict[str, Any]], get: Callable[[dict[str, Any]], float]) -> float:
    """The median over rounds."""
    return round(median(get(found) for found in rounds), 3)


def main() -> None:
    """Measure in turn, and store one row for exchanges and one for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=30)
    options = parser.parse_args()
    ones, twos = [], []
    for _ in range(options.rounds):
        ones.append(run(1, options.iterations))
        twos.append(run(2, options.iterations))
    shared = {"rounds": options.rounds, "iterations": options.iterations, **provenance()}
    busy = {"load": round(os.getloadavg()[0], 1)}
    times = {
        str(size): middle(twos, lambda each, s=size: each["reduction"][str(s)]) for size in SIZES
    }
    write("processes", {"kind": "exchange", "microseconds": times, **busy, **shared})
    for name in networks():
        whole, half = (f"{name}, {batch_size}" for batch_size in BATCHES)
        write(
            "processes",
            {
                "kind": "iteration",
                "network": name,
                "parameters": ones[0]["parameters"][name],
                "batch_size": BATCHES[0],
                "one": middle(ones, lambda each, k=whole: each["iteration"][k]),
                "one, half the batch": middle(ones, lambda each, k=half: each["iteration"][k]),
                "two": middle(twos, lambda each, k=whole: each["iteration"][k]),
                "ratios": sorted(
                    round(two["iteration"][whole] / one["iteration"][whole], 3)
                    for one, two in zip(ones, twos, strict=True)
                ),
                "exchanges": twos[0]["exchanges"][name],
                "MiB, one": round(median(each["resident"] for each in ones) / 2**20),
                "MiB each, two": round(median(each["resident"] for each in twos) / 2**20),
                **busy,
                **shared,
            },
        )


if __name__ == "__main__":
    main()
