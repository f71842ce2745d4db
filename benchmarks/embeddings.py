"""Clusters of unequal sizes among embeddings, and of three plain tables: quality, time and memory.

    python benchmarks/embeddings.py [--data embeddings digits wine "breast cancer"] [--n 100000]
        [--seeds 1] [--methods GEDI "GEDI, prior learned" KMeans ...] [--threads 2]

Every cell runs in a process of its own, so that its peak memory is its own; only missing cells run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

import gedi
from common import missing, write
from gedi.evaluation.clustering import ari, nmi
from gedi.experiments.provenance import hardware

OUTLIER = -1  # its label; outliers are clustered like all points, and not scored

Points = NDArray[np.float32]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Embeddings:
    """Points as encoders of sentences and images give them, with known clusters.

    Cluster k has a share of about (k + 1)^-zipf. Its centre is that of one of some topics, plus an
    offset of its own, plus a direction that all share, as embeddings fill a narrow cone. Around
    it points vary in a few directions, the further ones less, bent a little into a few others; a
    little noise is in all. Some points are drawn towards another cluster, by up to half of the way.
    Everything is then scaled to length 1.

    Args:
        n: points.
        n_features: d.
        n_clusters: c.
        zipf: how fast the sizes fall.
        n_topics: groups of clusters that are closer to each other.
        cone: length of the direction that all share; topics have length 1.
        offset: length of a cluster's own offset from its topic.
        spread: largest standard deviation within a cluster.
        bend: curvature.
        noise: length of the noise.
        between: share of points that are drawn towards another cluster.
        outliers: share of points that belong to no cluster.
        seed: of everything.
    """

    n: int = 100_000
    n_features: int = 384
    n_clusters: int = 20
    zipf: float = 1.0
    n_topics: int = 6
    cone: float = 1.0
    offset: float = 0.7
    spread: float = 0.5
    bend: float = 0.4
    noise: float = 0.5
    between: float = 0.2
    outliers: float = 0.005
    seed: int = 0

    def draw(self) -> tuple[Points, Codes]:
        """Points (n, d) of length 1 and their clusters (n,), OUTLIER where there is none."""
        rng = np.random.default_rng(self.seed)
        shares = (1.0 + np.arange(self.n_clusters)) ** -self.zipf
        labels = rng.choice(self.n_clusters, self.n, p=shares / shares.sum())
        labels[rng.random(self.n) < self.outliers] = OUTLIER
        common = self.cone * _directions(1, self.n_features, rng)
        topics = _directions(self.n_topics, self.n_features, rng)
        centres = topics[rng.integers(self.n_topics, size=self.n_clusters)]
        centres = centres + self.offset * _directions(self.n_clusters, self.n_features, rng)
        x = np.empty((self.n, self.n_features), dtype=np.float32)
        for k in range(OUTLIER, self.n_clusters):
            rows = np.flatnonzero(labels == k)
            if k == OUTLIER:
                x[rows] = common + rng.normal(size=(len(rows), self.n_features)) * np.sqrt(
                    2 / self.n_features
                )
                continue
            other = centres[rng.integers(self.n_clusters, size=len(rows))]
            way = rng.uniform(0, 0.5, len(rows)) * (rng.random(len(rows)) < self.between)
            towards = way[:, None] * (other - centres[k])
            x[rows] = common + centres[k] + towards + self._around(len(rows), rng)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return x, labels.astype(np.int64)

    def _around(self, n: int, rng: np.random.Generator) -> Points:
        """Points of one cluster around its centre, (n, d)."""
        dimension = int(rng.integers(3, 11))
        deviations = self.spread * (1.0 + np.arange(dimension)) ** -0.5 * rng.uniform(0.5, 1.25)
        within = rng.normal(size=(n, dimension))
        # Outside the span of the first, with probability close to one in so many dimensions.
        along = _directions(dimension, self.n_features, rng) * deviations[:, None]
        bent = _directions(dimension, self.n_features, rng) * deviations[:, None] * self.bend
        noise = rng.normal(size=(n, self.n_features)) * self.noise / np.sqrt(self.n_features)
        return (within @ along + (within**2 - 1) @ bent + noise).astype(np.float32)


def _directions(n: int, d: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Random unit vectors, (n, d)."""
    raw = rng.normal(size=(n, d))
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def draw(name: str, n: int, seed: int) -> tuple[Points, Codes]:
    """Points as the methods get them, and labels."""
    if name == "embeddings":
        return Embeddings(n=n, seed=seed).draw()
    load = {"digits": load_digits, "wine": load_wine, "breast cancer": load_breast_cancer}[name]
    x, labels = load(return_X_y=True)
    # Pixels share a scale; columns of tables do not.
    x = x if name == "digits" else StandardScaler().fit_transform(x)
    return x.astype(np.float32), labels.astype(np.int64)


def fit_gedi(prior: str | None) -> "Method":
    """GEDI with defaults but for the prior."""

    def run(x: Points, n_clusters: int, seed: int) -> Codes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a log Z that nobody asks for here
            model = gedi.GEDI(n_clusters, prior=prior, random_state=seed, device="cpu")
            return model.fit_predict(x)

    return run


def fit_mixture(covariance: str) -> "Method":
    """A Gaussian mixture, one run of scikit-learn's defaults."""

    def run(x: Points, n_clusters: int, seed: int) -> Codes:
        return GaussianMixture(
            n_clusters, covariance_type=covariance, reg_covar=1e-5, random_state=seed
        ).fit_predict(x)

    return run


Method = Callable[[Points, int, int], Codes]

METHODS: dict[str, Method] = {
    "GEDI": fit_gedi(None),
    "GEDI, prior learned": fit_gedi("learned"),
    "KMeans, best of 10": lambda x, c, seed: KMeans(c, n_init=10, random_state=seed).fit_predict(x),
    "GaussianMixture, diag": fit_mixture("diag"),
    "GaussianMixture, full": fit_mixture("full"),
    "HDBSCAN": lambda x, c, seed: HDBSCAN(min_cluster_size=max(5, len(x) // 200)).fit_predict(x),
}
# Points that a method gets at most, where more take hours or memory that is not there.
MOST = {"GaussianMixture, full": 10_000, "HDBSCAN": 10_000}


def memory(name: str) -> int:
    """Bytes in memory, now (VmRSS) or at most (VmHWM); getrusage counts the parent's as well."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def measure_cell(file: Path, method: str, seed: int, threads: int) -> dict[str, Any]:
    """One method on the points of a file: scores, time and memory."""
    torch.set_num_threads(threads)
    before = memory("VmRSS")
    with np.load(file) as arrays:
        x, labels = arrays["x"], arrays["labels"]
    # In random order already, so the first ones are a fair subset.
    x, labels = x[: MOST.get(method)], labels[: MOST.get(method)]
    n_clusters = len(np.unique(labels[labels != OUTLIER]))
    start = time.perf_counter()
    found = METHODS[method](x, n_clusters, seed)
    seconds = time.perf_counter() - start
    peak = memory("VmHWM")
    scored = labels != OUTLIER
    return {
        "points": len(x),
        "NMI": nmi(labels[scored], found[scored] - found.min()),
        "ARI": ari(labels[scored], found[scored] - found.min()),
        "clusters found": len(np.unique(found[found >= 0])),
        "seconds": round(seconds, 1),
        "peak memory": round((peak - before) / x.nbytes, 2),
        "hardware": hardware(),
    }


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = ["embeddings", "digits", "wine", "breast cancer"]
    parser.add_argument("--data", nargs="+", choices=names, default=["embeddings"])
    parser.add_argument("--n", type=int, default=100_000, help="points of the embeddings")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cell", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cell:
        row = measure_cell(options.cell, options.methods[0], options.seed, options.threads)
        print(json.dumps(row))
        return
    for name in options.data:
        for seed in range(options.seeds):
            fill(name, options.n, seed, options.methods, options.threads)


def fill(name: str, n: int, seed: int, methods: list[str], threads: int) -> None:
    """The missing cells of one data set and seed."""
    changes: dict[str, Any] = {"n": n} if name == "embeddings" else {}
    keys = {m: {"data": name, "method": m, "seed": seed, **changes} for m in methods}
    wanted = [m for m in methods if missing("embeddings", **keys[m])]
    if not wanted:
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "points.npz"
        x, labels = draw(name, n, seed)
        np.savez(file, x=x, labels=labels)
        del x
        for method in wanted:
            command = [sys.executable, __file__, "--cell", str(file), "--methods", method]
            command += ["--seed", str(seed), "--threads", str(threads)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            settings = asdict(Embeddings(n=n, seed=seed)) if name == "embeddings" else {}
            row = json.loads(done.stdout.splitlines()[-1])
            write(
                "embeddings",
                keys[method] | row | {"settings": settings, "date": date.today().isoformat()},
            )


if __name__ == "__main__":
    main()
