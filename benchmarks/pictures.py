"""Samples of each cluster of a run on images, for the README.

    python benchmarks/pictures.py runs/reproduce/mnist-cpu-updates-gedi-0 docs/samples.png

One row a cluster, drawn from p(x|y) by chains that go on from where those of the training ended.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Generator

from gedi.evaluation.measures import as_bytes
from gedi.runs import Run

COLUMNS = 16
ROUNDS = 40
SCALE = 2


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    run = Run.open(options.run)
    trained = run.load_model()
    assert run.image_shape is not None
    generator = Generator().manual_seed(0)
    rows = [
        trained.sample(COLUMNS, cluster=cluster, n_steps=ROUNDS, generator=generator)[0]
        for cluster in range(trained.n_clusters)
    ]
    images = as_bytes(np.concatenate(rows), (0.0, 255.0)).numpy()
    channels, height, width = run.image_shape
    grid = images.reshape(trained.n_clusters, COLUMNS, channels, height, width)
    grid = grid.transpose(0, 3, 1, 4, 2).reshape(trained.n_clusters * height, -1, channels)
    picture = Image.fromarray(grid.squeeze(-1) if channels == 1 else grid)
    size = (SCALE * picture.width, SCALE * picture.height)
    picture.resize(size, Image.Resampling.NEAREST).save(options.out, optimize=True)
    print(f"{options.out} written")


if __name__ == "__main__":
    main()
