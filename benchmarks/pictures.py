"""Pictures of a run on images, for the documentation.

    python benchmarks/pictures.py RUN OUT [--columns 16]       (samples, one row a cluster)
    python benchmarks/pictures.py RUN OUT --show chains        (from noise to samples)
    python benchmarks/pictures.py RUN OUT --show filled --data DATA

RUN is a run folder, such as runs/reproduce/mnist-cpu-updates-gedi-0. Samples are drawn from p(x|y)
by chains that go on from where those of the training ended. Chains start at draws of the Gaussian
under the energy, one a row; the last column is without the noise of the training. With `filled`,
each row shows an image of DATA, the same without its lower half, and four halves that the model
draws.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Generator

import gedi
from gedi.evaluation.imputation import fill_in
from gedi.evaluation.measures import as_bytes
from gedi.evaluation.trajectories import trajectories_from_noise
from gedi.runs import Run
from gedi.training.trained import TrainedModel

ROUNDS = 40
CHAINS, POSITIONS = 6, (0, 1, 2, 5, 10, 20, 40, 80, 160)
FILLED = 8
SCALE = 2

Images = NDArray[np.float64]  # rows and columns of images, (r, k, d)


def of_clusters(trained: TrainedModel, n: int, generator: Generator) -> Images:
    """Samples, a row for each cluster."""
    rows = [
        trained.sample(n, cluster=cluster, n_steps=ROUNDS, generator=generator)[0]
        for cluster in range(trained.n_clusters)
    ]
    return np.stack(rows)


def filled(trained: TrainedModel, x: Images, free: NDArray[np.bool_], rng: Generator) -> Images:
    """Images (r, d), the same with what is free in grey, and four draws of it."""
    rows = []
    for image in x:
        ends = fill_in(trained, image, free, n_steps=400, generator=rng)[:, -1]
        rows.append(np.stack([image, np.where(free, 128.0, image), *ends]))
    return np.stack(rows)


def grid(images: Images, image_shape: tuple[int, int, int]) -> Image.Image:
    """One picture of all images."""
    channels, height, width = image_shape
    values = as_bytes(images.reshape(-1, images.shape[-1]), (0.0, 255.0)).numpy()
    tiles = values.reshape(*images.shape[:2], channels, height, width).transpose(0, 3, 1, 4, 2)
    whole = tiles.reshape(images.shape[0] * height, images.shape[1] * width, channels)
    picture = Image.fromarray(whole.squeeze(-1) if channels == 1 else whole)
    size = (SCALE * picture.width, SCALE * picture.height)
    return picture.resize(size, Image.Resampling.NEAREST)


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--show", choices=["clusters", "chains", "filled"], default="clusters")
    parser.add_argument("--columns", type=int, default=16, help="samples of each cluster")
    parser.add_argument("--data")
    options = parser.parse_args()
    run = Run.open(options.run)
    trained, generator = run.load_model(), Generator().manual_seed(0)
    assert run.image_shape is not None
    if options.show == "clusters":
        images = of_clusters(trained, options.columns, generator)
    elif options.show == "chains":
        images = trajectories_from_noise(trained, CHAINS, POSITIONS, generator)
    else:
        if options.data is None:
            parser.error("--show filled: expected --data, whose images are filled in")
        free = np.zeros(run.image_shape, bool)
        free[:, run.image_shape[1] // 2 :] = True
        x = np.asarray(gedi.load(options.data, split="test").x[:FILLED], np.float64)
        images = filled(trained, x, free.ravel(), generator)
    grid(images, run.image_shape).save(options.out, optimize=True)
    print(f"{options.out} written")


if __name__ == "__main__":
    main()
