"""Tables drawn from known laws, on which rules for the number of clusters are chosen."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from sklearn.datasets import make_blobs, make_circles, make_moons

__all__ = ["Drawn", "drawn_tables"]

Floats = NDArray[np.float64]

MIXTURES, OTHERS = 26, 5  # tables of each family


class Drawn(NamedTuple):
    """A table (n, d), its family, and its number of clusters."""

    family: str
    name: str
    x: Floats
    n_clusters: int


def drawn_tables() -> Iterator[Drawn]:
    """Mixtures of Gaussians, curves, rings, both, and tables without clusters."""
    for seed in range(MIXTURES):
        x, c = mixture(default_rng(seed))
        yield Drawn("2 to 20 Gaussians", f"Gaussians {seed}", x, c)
    for seed in range(OTHERS):
        rng = default_rng(100 + seed)
        for family, (x, c) in others(rng, seed).items():
            yield Drawn(family, f"{family} {seed}", x, c)


def mixture(rng: Generator) -> tuple[Floats, int]:
    """1,200 rows of 2 to 20 Gaussians of unequal shares, full covariances, and 2 to 20 columns."""
    c, d = (int(n) for n in rng.integers(2, 21, 2))
    distance, shares = rng.uniform(3, 8), rng.dirichlet(np.full(c, 3.0))
    y = rng.choice(c, 1200, p=shares)
    means = rng.normal(size=(c, d)) * distance / math.sqrt(2 * d) * c ** (1 / d) / 1.2
    roots = np.eye(d) + 0.3 * rng.normal(size=(c, d, d))
    x = means[y] + np.einsum("nij,nj->ni", roots[y], rng.normal(size=(1200, d)))
    return x, len(np.unique(y))


def others(rng: Generator, seed: int) -> dict[str, tuple[Floats, int]]:
    """A table of each family but mixtures, and its number of clusters."""
    found: dict[str, tuple[Floats, int]] = {
        "two moons": (make_moons(1000, noise=rng.uniform(0.03, 0.1), random_state=seed)[0], 2),
        "two rings": (
            make_circles(
                1000,
                noise=rng.uniform(0.02, 0.07),
                factor=rng.uniform(0.3, 0.6),
                random_state=seed,
            )[0],
            2,
        ),
    }
    k = int(rng.integers(2, 5))
    found["2 to 4 rings"] = noisy(rings(rng, k), rng.uniform(0.03, 0.12), rng), k
    k = int(rng.integers(2, 4))
    found["2 or 3 spirals"] = noisy(spirals(rng, k), rng.uniform(0.02, 0.1), rng), k
    k = int(rng.integers(2, 5))
    found["2 to 4 lines"] = noisy(lines(rng, k), rng.uniform(0.05, 0.25), rng), k
    k = int(rng.integers(1, 4))
    moons = make_moons(600, noise=0.05, random_state=seed)[0]
    centres = rng.uniform(3, 9, (k, 2))
    blobs = make_blobs(200 * k, centers=centres, cluster_std=0.3, random_state=seed)[0]
    found["moons and Gaussians"] = np.concatenate([moons, blobs]), 2 + k
    ring = make_circles(800, noise=0.05, factor=0.4, random_state=seed)[0]
    noise = 0.15 * rng.normal(size=(800, int(rng.integers(2, 6))))
    found["two rings and noise"] = np.concatenate([ring, noise], 1), 2
    found["one Gaussian"] = rng.normal(size=(1000, int(rng.integers(2, 10)))), 1
    found["a box"] = rng.uniform(size=(1000, int(rng.integers(2, 4)))), 1
    return found


def noisy(x: Floats, noise: float, rng: Generator) -> Floats:
    """The points with Gaussian noise."""
    return x + noise * rng.normal(size=x.shape)


def rings(rng: Generator, k: int) -> Floats:
    """About 1,000 points on k rings with radii 1, 2, ..."""
    radius = np.repeat(np.arange(1.0, k + 1), 1000 // k)
    angle = rng.uniform(0, 2 * np.pi, len(radius))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def spirals(rng: Generator, k: int) -> Floats:
    """About 1,000 points on k spirals around each other."""
    radius = np.sqrt(rng.uniform(0.05, 1, 1000 // k * k)) * 3 * np.pi
    angle = radius + np.repeat(2 * np.pi * np.arange(k) / k, 1000 // k)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) / 3


def lines(rng: Generator, k: int) -> Floats:
    """About 1,000 points on k parallel lines."""
    height = np.repeat(1.5 * np.arange(k), 1000 // k)
    return np.stack([rng.uniform(0, 6, len(height)), height], 1)
