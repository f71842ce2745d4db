"""Whole `gedi train moons` against one run of the textbook loop on the same network.

    python benchmarks/textbook.py [--repeats 3]

The loop is the usual form of joint energy training: 7,000 iterations, batch 400, 10 Langevin steps
from a replay buffer, no restarts and no evaluation. Both run as whole processes, in turn.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

import torch
from sklearn.datasets import make_moons
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from common import write
from gedi.experiments.provenance import hardware


@dataclass(frozen=True)
class Ended:
    """How a run of the loop ended.

    Attributes:
        energy_data: mean, in nats.
        energy_samples: mean over the chains of the buffer, in nats.
        gap_before: collapse gap under the loop's own views, before the first iteration, in nats.
        gap: the same after the last one.
    """

    energy_data: float
    energy_samples: float
    gap_before: float
    gap: float


def textbook(
    data: Tensor,
    n_clusters: int = 2,
    *,
    iterations: int = 7000,
    learning_rate: float = 1e-3,
    n_steps: int = 10,
    batch_size: int = 400,
    look: Callable[[nn.Module, int], bool] = lambda net, iteration: False,
) -> Ended:
    """The plain loop on standardised data (n, d); random numbers are torch's own.

    `look` is called with the network and the iterations done, and ends the loop where it is true.
    """
    n, d = data.shape
    low, high = data.amin(0), data.amax(0)
    low, high = low - 0.1 * (high - low), high + 0.1 * (high - low)
    net = nn.Sequential(
        nn.Linear(d, 100), nn.SiLU(), nn.Linear(100, 100), nn.SiLU(), nn.Linear(100, n_clusters)
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate)
    buffer = low + (high - low) * torch.rand(10_000, d)

    def energy(points: Tensor) -> Tensor:
        return -torch.logsumexp(net(points), -1)

    def clustering(batch: Tensor) -> tuple[Tensor, Tensor]:
        """INV and PRIOR."""
        logits, views = net(batch), net(batch + 0.05 * torch.randn_like(batch))
        inv = (views.softmax(-1) * log_softmax(logits, -1)).sum(-1).mean()
        return inv, logits.softmax(-1).mean(0).log().mean()

    def gap() -> float:
        with torch.no_grad():
            inv, prior = clustering(data)
        return float(-inv - prior - math.log(n_clusters))

    before = gap()
    for iteration in range(iterations):
        batch = data[torch.randint(n, (batch_size,))]
        chosen = torch.randint(len(buffer), (batch_size,))
        chains = buffer[chosen]
        fresh = torch.rand(batch_size) < 0.05
        chains[fresh] = low + (high - low) * torch.rand(int(fresh.sum()), d)
        for _ in range(n_steps):
            chains.requires_grad_(True)
            (gradient,) = torch.autograd.grad(energy(chains).sum(), chains)
            chains = (chains - 0.005 * gradient + 0.1 * torch.randn_like(chains)).detach()
            chains = chains.clamp(low, high)
        buffer[chosen] = chains
        inv, prior = clustering(batch)
        gen = energy(chains).mean() - energy(batch).mean()
        optimizer.zero_grad()
        (-(gen + inv + prior)).backward()
        optimizer.step()
        if look(net, iteration + 1):
            break
    with torch.no_grad():
        return Ended(float(energy(data).mean()), float(energy(buffer).mean()), before, gap())


def moons() -> Tensor:
    """The loop's data, standardised."""
    x, _ = make_moons(10_000, noise=0.05, random_state=0)
    return torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)


def seconds(command: list[str]) -> float:
    """Wall time of a whole process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Time both in turn, and store the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--loop", action="store_true", help="run the textbook loop itself")
    options = parser.parse_args()
    if options.loop:
        textbook(moons())
        return
    gedi_command = str(Path(sys.executable).with_name("gedi"))
    pairs = []
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            ours = seconds([gedi_command, "train", "moons", "--out", f"{folder}/run"])
        loop = seconds([sys.executable, __file__, "--loop"])
        pairs.append((ours, loop))
        print(f"gedi train moons {ours:.1f} s, textbook loop {loop:.1f} s", flush=True)
    ratios = sorted(ours / loop for ours, loop in pairs)
    write(
        "textbook",
        {
            "gedi": round(median(ours for ours, _ in pairs), 1),
            "textbook": round(median(loop for _, loop in pairs), 1),
            "ratio": [round(r, 3) for r in (ratios[0], median(ratios), ratios[-1])],
            "repeats": options.repeats,
            "hardware": hardware(),
            "date": date.today().isoformat(),
        },
    )


if __name__ == "__main__":
    main()
