"""Few labels on scikit-learn's digits: GEDIClassifier against semi-supervised rivals.

    python benchmarks/labels.py --seeds 5 [--threads 1]

A seed decides the split (1,300 points to train on, 497 held out), which points are labelled, and
all other chance. Each class has a label at least; the ten labels are among the fifty.
"""

import argparse
import time
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from sklearn.svm import SVC
from torchmetrics.functional.classification import multiclass_calibration_error

from common import missing, provenance, write
from gedi import GEDIClassifier

COUNTS = (10, 50)
TRAINING = 1300
GREY = 16.0  # the largest value of a pixel

METHODS = (
    "GEDIClassifier",
    "LabelSpreading, knn",
    "LabelSpreading, rbf",
    "self-training, SVC",
    "self-training, logistic regression",
)


def make(method: str, seed: int) -> Any:
    """An estimator; the rivals' settings are the best of a few on this very comparison."""
    match method:
        case "GEDIClassifier":
            return GEDIClassifier(random_state=seed)
        case "LabelSpreading, knn":
            return LabelSpreading(kernel="knn", n_neighbors=7, max_iter=1000)
        case "LabelSpreading, rbf":
            return LabelSpreading(kernel="rbf", gamma=20, max_iter=1000)
        case "self-training, SVC":
            base: Any = SVC(C=10, probability=True, random_state=seed)
        case _:
            base = LogisticRegression(C=10, max_iter=1000)
    return SelfTrainingClassifier(base, max_iter=None)


def label(y: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Keep n labels drawn at random, one of each class at least; -1 for all others."""
    each = np.array([rng.choice(np.flatnonzero(y == c)) for c in np.unique(y)])
    others = rng.permutation(np.setdiff1d(np.arange(len(y)), each))
    known = np.concatenate([each, others[: n - len(each)]])
    labels = np.full_like(y, -1)
    labels[known] = y[known]
    return labels


def calibration(log_p: NDArray[np.float64], y: NDArray[np.int64]) -> dict[str, float]:
    """Expected calibration error, and negative log-likelihood in nats."""
    error = multiclass_calibration_error(
        torch.from_numpy(np.exp(log_p)),
        torch.from_numpy(y),
        num_classes=log_p.shape[1],
        n_bins=15,
        norm="l1",
    )
    return {"ECE": float(error), "NLL": -float(log_p[np.arange(len(y)), y].mean())}


def before_and_after(
    model: GEDIClassifier, x: NDArray[np.float64], y: NDArray[np.int64]
) -> dict[str, float]:
    """Calibration without the temperature and with it."""
    logits = model.model_.logits(x.reshape(len(x), -1)).numpy()
    before = calibration(log_softmax(logits, axis=1), y)
    after = calibration(model.predict_log_proba(x), y)
    return {
        "temperature": model.temperature_,
        **{f"{name} before": value for name, value in before.items()},
        **{f"{name} after": value for name, value in after.items()},
    }


def measure_labels(method: str, n_labels: int, seed: int) -> dict[str, Any]:
    """Fit once and measure on the unlabelled points and on those held out."""
    digits = load_digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(digits.target))
    train, held_out = order[:TRAINING], order[TRAINING:]
    y, truth = digits.target[train], digits.target[held_out]
    labels = label(y, n_labels, rng)
    ours = method == "GEDIClassifier"
    x = digits.images if ours else digits.data / GREY
    start = time.perf_counter()
    with warnings.catch_warnings():
        if not ours:  # of probabilities from few points, and of points that no label reaches
            warnings.simplefilter("ignore")
        model = make(method, seed).fit(x[train], labels)
        seconds = time.perf_counter() - start
        found = np.concatenate([model.predict(x[part]) for part in (train, held_out)])
    right = found == np.concatenate([y, truth])
    row = {
        "labels": n_labels,
        "method": method,
        "seed": seed,
        "seconds": round(seconds, 1),
        "unlabelled": float(right[:TRAINING][labels == -1].mean()),
        "held out": float(right[TRAINING:].mean()),
    }
    if ours:
        row |= before_and_after(model, x[held_out], truth)
    settings = {k: str(v) for k, v in model.get_params(deep=False).items() if v is not None}
    return row | {"settings": settings, **provenance()}


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for seed in range(options.seeds):
        for n_labels in COUNTS:
            for method in METHODS:
                if missing("labels", labels=n_labels, method=method, seed=seed):
                    write("labels", measure_labels(method, n_labels, seed))


if __name__ == "__main__":
    main()
