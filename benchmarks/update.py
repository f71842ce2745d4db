"""Updates by new rows with a class that is new and without one of before, next to training again.

    python benchmarks/update.py [--seeds 3]

The old rows are a half of all classes but one; the new rows are the other half of all classes but
another one, and all rows of the first. Which classes these are changes with the seed. The old model
gets the number of its classes, and the training again that of all; the update finds the new ones
itself. Labels only measure:

ARI         the agreement with the classes: of the old model on the old rows, of both others on all
found       whether one of the new clusters and the new class share more than half of the rows of
            both together
told        whether the cluster that held most of the vanishing class is told to have vanished
kept        the share of old rows that have the same number as before, for training again too, by
            `--like`

Seconds are processor time of a training on one thread, with its data in memory.
"""

import argparse
import time
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_iris
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from common import missing, provenance, write
from gedi.data.dataset import Dataset
from gedi.evaluation.drift import drift_of, look_at
from gedi.settings import Settings
from gedi.training.custom import Custom
from gedi.training.growth import carry
from gedi.training.numbering import recall
from gedi.training.plan import grown_settings
from gedi.training.session import Fit, start
from tables import tables

Codes = NDArray[np.int64]


class Stream(NamedTuple):
    """Old rows, then new rows, with their classes.

    Attributes:
        x: rows, (n, d).
        labels: their classes, (n,).
        n_before: the number of old rows.
        appears: the class that is new.
        vanishes: the class without new rows.
    """

    x: NDArray[np.float32]
    labels: Codes
    n_before: int
    appears: int
    vanishes: int


def labelled() -> dict[str, tuple[NDArray[np.float32], Codes]]:
    """Tables of scikit-learn with three classes or more, and their labels."""
    iris, digits = load_iris(), load_digits()
    found = {"iris": (iris.data, iris.target), "digits": (digits.data, digits.target)}
    found |= {each.name: (each.x, each.labels) for each in tables() if len(each.class_names) > 2}
    return {name: (x.astype(np.float32), y.astype(np.int64)) for name, (x, y) in found.items()}


def stream(x: NDArray[np.float32], labels: Codes, seed: int) -> Stream:
    """A stream in which a class appears and the next one vanishes."""
    c = labels.max() + 1
    appears, vanishes = seed % c, (seed + 1) % c
    rng = np.random.default_rng(seed)
    half = rng.permutation(len(x)) < len(x) / 2
    before = np.flatnonzero(half & (labels != appears))
    after = np.flatnonzero(((labels == appears) | ~half) & (labels != vanishes))
    rows = np.concatenate([before, rng.permutation(after)])
    return Stream(x[rows], labels[rows], len(before), int(appears), int(vanishes))


def trained(
    x: NDArray[np.float32], settings: Settings, custom: Custom = Custom()
) -> tuple[Fit, float]:
    """A training, and its seconds."""
    begin = time.process_time()
    fit = start(Dataset("stream", x), settings, custom=custom).run()
    return fit, time.process_time() - begin


def measure(data: Stream, seed: int) -> dict[str, Any]:
    """The model of the old rows, its update, and a training again."""
    x, labels, n = data.x, data.labels, data.n_before
    c = len(np.unique(labels))
    old, seconds = trained(x[:n], Settings(n_clusters=c - 1, seed=seed))
    before = old.trained.predict(x[:n]).clusters
    begin = time.process_time()
    carried, batch = carry(old.trained, x, n, seed=seed), look_at(old.trained, x[n:])
    like = recall(old.trained, x, seed=seed)
    settings = grown_settings(old.settings, carried.n_clusters, seed=None, max_time=None)
    prepared = time.process_time() - begin
    update, seconds_update = trained(x, settings, Custom(like=like, carried=carried))
    again, seconds_again = trained(x, Settings(n_clusters=c, seed=seed), Custom(like=like))
    assert update.numbering is not None
    former = update.numbering.former
    drift = drift_of(update.trained, x, n, batch, former=former)
    gone = {each.cluster for each in drift.clusters if each.change == "gone"}
    held = int(np.bincount(before[labels[:n] == data.vanishes]).argmax())
    now, other = (fit.trained.predict(x).clusters for fit in (update, again))
    new = np.flatnonzero(former < 0)
    of_class = labels == data.appears
    overlaps = [((now == k) & of_class).sum() / ((now == k) | of_class).sum() for k in new]
    return {
        "n": len(x),
        "d": x.shape[1],
        "classes": c,
        "ARI before": adjusted_rand_score(labels[:n], before),
        "ARI": adjusted_rand_score(labels, now),
        "ARI again": adjusted_rand_score(labels, other),
        "new clusters": len(new),
        "found": bool(max(overlaps, default=0) > 0.5),
        "told": held in gone,
        "falsely told": len(gone - {held}),
        "p-value": batch.p_value,
        "kept": float((now[:n] == before).mean()),
        "kept again": float((other[:n] == before).mean()),
        "seconds before": round(seconds, 2),
        "seconds": round(prepared + seconds_update, 2),
        "seconds again": round(seconds_again, 2),
    }


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for name, (x, labels) in labelled().items():
            for seed in range(options.seeds):
                if missing("update", data=name, seed=seed):
                    row = measure(stream(x, labels, seed), seed)
                    write("update", {"data": name, "seed": seed, **row, **provenance()})


if __name__ == "__main__":
    main()
