"""A Gaussian mixture on moons and circles: what regret an ordinary density model reaches.

python benchmarks/mixtures.py [--seeds 5]
"""

import argparse

from sklearn.mixture import GaussianMixture

from common import missing, write
from gedi.data import toy
from gedi.data.source import load
from gedi.evaluation.clustering import nmi
from gedi.experiments.provenance import hardware
from toys import HELD_OUT_SEED


def main() -> None:
    """Fit 30 components for the density, 2 for the clusters."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    for seed in range(parser.parse_args().seeds):
        for name in ("moons", "circles"):
            if not missing("mixtures", data=name, seed=seed):
                continue
            train = load(name, seed=seed)
            held_out = load(name, n_points=2000, seed=seed + HELD_OUT_SEED)
            density = GaussianMixture(30, random_state=seed).fit(train.x)
            regret = toy.log_density(name, held_out.x) - density.score_samples(held_out.x)
            clusters = GaussianMixture(2, random_state=seed).fit(train.x).predict(held_out.x)
            assert held_out.labels is not None
            write(
                "mixtures",
                {
                    "data": name,
                    "seed": seed,
                    "regret": float(regret.mean()),
                    "NMI": nmi(held_out.labels, clusters),
                    "hardware": hardware(),
                },
            )


if __name__ == "__main__":
    main()
