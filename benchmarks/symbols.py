"""Take over what `gedi reproduce addition` and its like measured, for docs/results.md.

    gedi reproduce addition --data DATA      (and carry, parity, ordering, sudoku)
    python benchmarks/symbols.py runs/reproduce [--features FILE] [--samples 10]

Each cell becomes a row; a cell that was taken over before is replaced. With --features, a network
that `gedi reproduce generation` trained on the labels of the same images, samples of every symbol
of addition are told apart by it: `sample accuracy` is the share that it takes for that symbol.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from common import take_over
from gedi.evaluation.features import load_feature_net
from gedi.evaluation.measures import as_bytes
from gedi.runs import Run

KEY = ("task", "groups", "unlabelled", "method", "seed")
ROUNDS = 40


@torch.no_grad()
def sample_accuracy(folder: Path, features: Path, n: int) -> float:
    """Share of samples of each symbol that another classifier takes for it."""
    run = Run.open(folder)
    trained = run.load_model()
    assert run.image_shape is not None
    net = load_feature_net(features)
    right = []
    for symbol in range(trained.n_clusters):
        generator = Generator().manual_seed(symbol)
        x, _ = trained.sample(n, cluster=symbol, n_steps=ROUNDS, generator=generator)
        found = net.head(net(as_bytes(x, (0.0, 255.0)))).argmax(-1)
        right.append((found == symbol).float().mean())
    return float(torch.stack(right).mean())


def main() -> None:
    """Replace the rows of the cells in a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--samples", type=int, default=10)
    options = parser.parse_args()

    def more(file: Path, row: dict[str, Any]) -> dict[str, Any]:
        drawn = row["method"] == "GEDI" and row["task"] == "addition" and row["seed"] == 0
        if options.features is None or not drawn:
            return {}
        return {"sample accuracy": sample_accuracy(file.parent, options.features, options.samples)}

    print(take_over("symbols", KEY, options.folder, more))


if __name__ == "__main__":
    main()
