"""Whole `gedi train moons` against one run of the textbook loop on the same network.

    python benchmarks/textbook.py [--repeats 3]

The loop is the usual form of joint energy training: 7,000 iterations, batch 400, 10 Langevin steps
from a replay buffer, no restarts and no evaluation. Both run as whole processes, in turn.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from statistics import median

import torch
from sklearn.datasets import make_moons
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from common import write
from gedi.machine import hardware


def textbook(iterations: int = 7000) -> None:
    """The plain loop."""
    x, _ = make_moons(10_000, noise=0.05, random_state=0)
    data = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    net = nn.Sequential(
        nn.Linear(2, 100), nn.SiLU(), nn.Linear(100, 100), nn.SiLU(), nn.Linear(100, 2)
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    buffer = torch.rand(10_000, 2) * 5.2 - 2.6

    def energy(points: Tensor) -> Tensor:
        return -torch.logsumexp(net(points), -1)

    for _ in range(iterations):
        batch = data[torch.randint(len(data), (400,))]
        chosen = torch.randint(len(buffer), (400,))
        chains = buffer[chosen]
        fresh = torch.rand(400) < 0.05
        chains[fresh] = torch.rand(int(fresh.sum()), 2) * 5.2 - 2.6
        for _ in range(10):
            chains.requires_grad_(True)
            (gradient,) = torch.autograd.grad(energy(chains).sum(), chains)
            chains = (chains - 0.005 * gradient + 0.1 * torch.randn_like(chains)).detach()
            chains = chains.clamp(-2.6, 2.6)
        buffer[chosen] = chains
        logits, views = net(batch), net(batch + 0.05 * torch.randn_like(batch))
        gen = energy(chains).mean() - energy(batch).mean()
        inv = (views.softmax(-1) * log_softmax(logits, -1)).sum(-1).mean()
        prior = logits.softmax(-1).mean(0).log().mean()
        optimizer.zero_grad()
        (-(gen + inv + prior)).backward()
        optimizer.step()


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
        textbook()
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
