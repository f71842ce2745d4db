"""Held-out log-density: GEDI against a Gaussian mixture and a neural spline flow.

    python benchmarks/density.py --seeds 5 [--data moons wine] [--outliers FOLDER] [--threads 1]

The folder holds tables of a public outlier benchmark (ADBench; Han et al., NeurIPS 2022) as `.npz`
files with arrays X and y. Their outliers are left in both parts; y is not used.

Nats per point, in the units of the standardised training data: every model gets the same
standardised points, so all densities are of the same thing. Columns that are constant in the
training part are dropped. A density of repeated values has no bound, so columns of whole numbers
get uniform noise from [0, 1), and other columns of few values, or with a value that a tenth of the
points share, get noise as wide as the median step between their values. Rivals choose by a fifth
of the training part, then fit all of it.
"""

import argparse
import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import zuko
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Generator, Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from common import missing, provenance, write
from gedi import GEDI
from gedi.data.dataset import constant_features
from gedi.data.source import load
from gedi.model.mixture import MixtureBase
from gedi.model.scaling import Scaling
from gedi.settings import SamplerSettings, Settings
from toys import HELD_OUT_SEED

Rows = NDArray[np.float64]

TABLES = {"wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}
CLUSTERS = {"moons": 2, "circles": 2, "wine": 3, "breast cancer": 2, "digits": 10}
WITH_OUTLIERS = ("6_cardio", "38_thyroid", "20_letter", "40_vowels", "27_PageBlocks")
CLUSTERS |= dict.fromkeys(WITH_OUTLIERS, 2)
HELD_OUT, VALIDATION = 0.25, 0.2  # shares
FEW_VALUES, ATOM = 0.2, 0.1  # shares of the points below and above which values are repeated

COMPONENTS = (1, 2, 3, 5, 10, 20, 30, 50, 100)
COVARIANCES = ("full", "tied", "diag")
REGULARISERS = (1e-6, 1e-3, 1e-2, 1e-1)

WIDTHS = (32, 128)
STEPS = 2000  # as GEDI's iterations
EVERY, PATIENCE = 50, 500  # steps of the flow between two looks at the validation part; to the end


class Split(NamedTuple):
    """Points to fit and points held out, standardised."""

    train: Rows
    held_out: Rows


def split(name: str, seed: int, outliers: Path | None) -> Split:
    """The data of a cell; the same for all models."""
    if name in TABLES or name in WITH_OUTLIERS:
        x = table(name, outliers)
        order = np.random.default_rng(seed).permutation(len(x))
        n = round(HELD_OUT * len(x))
        return prepare(x[order[n:]], x[order[:n]], seed)
    train, held_out = load(name, seed=seed), load(name, n_points=2000, seed=seed + HELD_OUT_SEED)
    return prepare(train.x, held_out.x, seed)


def table(name: str, outliers: Path | None) -> Rows:
    """The rows of a table, in the user's units."""
    if name in TABLES:
        rows: Rows = TABLES[name]().data
    else:
        assert outliers is not None  # checked
        rows = np.load(outliers / f"{name}.npz")["X"].astype(float)
    return rows


def prepare(train: Rows, held_out: Rows, seed: int) -> Split:
    """Drop constant columns, dequantise the others, standardise; all as the training part is."""
    varying = np.setdiff1d(np.arange(train.shape[1]), constant_features(train))
    train, held_out = train[:, varying].astype(float), held_out[:, varying].astype(float)
    step = np.array([noise_width(column) for column in train.T])
    rng = np.random.default_rng(seed)
    train, held_out = (x + step * rng.random(x.shape) for x in (train, held_out))
    scaling = Scaling.standardise(train)
    return Split(*(scaling(x, torch.float64).numpy() for x in (train, held_out)))


def noise_width(column: Rows) -> float:
    """The width of the noise that makes a column continuous; 0 if it is so already."""
    if (column == np.round(column)).all():
        return 1.0
    values, counts = np.unique(column, return_counts=True)
    repeated = len(values) < FEW_VALUES * len(column) or counts.max() > ATOM * len(column)
    return float(np.median(np.diff(values))) if repeated else 0.0


def hold_out(x: Rows, seed: int) -> tuple[Rows, Rows]:
    """Training and validation part of the points to fit."""
    order = np.random.default_rng(seed).permutation(len(x))
    n = round(VALIDATION * len(x))
    return x[order[n:]], x[order[:n]]


def gedi_density(name: str, data: Split, seed: int) -> dict[str, Any]:
    """Default settings, what the network adds to the mixture, and how reliable log Z is."""
    return measured(GEDI(CLUSTERS[name], random_state=seed), data)


def langevin_density(name: str, data: Split, seed: int) -> dict[str, Any]:
    """GEN by chains on a Gaussian, as in the paper, and how reliable log Z and its box are."""
    chains = Settings(sampler=SamplerSettings(kind="langevin"))
    return measured(GEDI(CLUSTERS[name], settings=chains, random_state=seed), data)


def measured(model: GEDI, data: Split) -> dict[str, Any]:
    """A row of a model after its training."""
    model.fit(data.train)
    trained, normalizer, box = model.model_, model.model_.normalizer, model.model_.box
    assert normalizer is not None  # as there is a density
    z = trained.scaling(data.held_out)
    mixture = trained.model.base
    base = {}
    if isinstance(mixture, MixtureBase):
        with torch.no_grad():
            base["log-density, base"] = float(mixture(z).double().mean()) + trained.scaling.log_det
        base["gain"] = float(trained.model.gain)
    inside = ((z >= box.low) & (z <= box.high)).all(dim=1).numpy()
    return {
        "log-density": model.score(data.held_out),
        "log-density, training part": model.score(data.train),
        **base,
        "log Z": normalizer.value,
        "log Z error": normalizer.error,
        "effective sample": normalizer.ess,
        "trusted": normalizer.trusted,
        "outside": float(1 - inside.mean()),
        "settings": {"iterations": model.n_iter_, "batch_size": model.settings_.batch_size},
    }


def mixture_density(_: str, data: Split, seed: int) -> dict[str, Any]:
    """Components, kind of covariance and its regulariser by the validation part."""
    train, validation = hold_out(data.train, seed)

    def make(n: int, kind: str, regulariser: float) -> GaussianMixture:
        return GaussianMixture(n, covariance_type=kind, reg_covar=regulariser, random_state=seed)

    def value(chosen: tuple[int, str, float]) -> float:
        return float(make(*chosen).fit(train).score(validation))

    grid = [
        chosen
        for chosen in itertools.product(COMPONENTS, COVARIANCES, REGULARISERS)
        if chosen[0] < len(train)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        n, kind, regulariser = best = max(grid, key=value)
        score = make(*best).fit(data.train).score(data.held_out)
    chosen = {"n_components": n, "covariance_type": kind, "reg_covar": regulariser}
    return {"log-density": float(score), "settings": chosen}


def flow_density(_: str, data: Split, seed: int) -> dict[str, Any]:
    """Width and number of steps by the validation part."""
    train, validation = (torch.from_numpy(x).float() for x in hold_out(data.train, seed))
    scores = {}
    for width in WIDTHS:
        best = -math.inf, 0
        for step, flow in fitted_flows(train, width, seed):
            if step % EVERY == 0:
                best = max(best, (mean_log_density(flow, validation), step))
                if step - best[1] >= PATIENCE:
                    break
        scores[width] = best
    width = max(scores, key=scores.__getitem__)
    n_steps = scores[width][1]
    flows = fitted_flows(torch.from_numpy(data.train).float(), width, seed)
    _, flow = next(itertools.islice(flows, n_steps - 1, None))
    return {
        "log-density": mean_log_density(flow, torch.from_numpy(data.held_out).float()),
        "settings": {"width": width, "steps": n_steps},
    }


def fitted_flows(x: Tensor, width: int, seed: int) -> Iterator[tuple[int, torch.nn.Module]]:
    """A neural spline flow after each step; the average of its weights, as GEDI's is.

    As many steps as GEDI's iterations at most, of as many points.
    """
    torch.manual_seed(seed)
    d = x.shape[1]
    flow = zuko.flows.NSF(d, transforms=3, hidden_features=(width, width))
    average = AveragedModel(flow, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)
    generator = Generator().manual_seed(seed)
    for step in range(1, STEPS + 1):
        batch = x[torch.randint(len(x), (400 if d <= 2 else 256,), generator=generator)]
        optimizer.zero_grad()
        (-flow().log_prob(batch).mean()).backward()
        optimizer.step()
        average.update_parameters(flow)
        yield step, average.module


@torch.no_grad()
def mean_log_density(flow: torch.nn.Module, x: Tensor) -> float:
    """In nats per point."""
    return float(flow().log_prob(x).double().mean())


METHODS: dict[str, Callable[[str, Split, int], dict[str, Any]]] = {
    "Gaussian mixture": mixture_density,
    "neural spline flow": flow_density,
    "GEDI, langevin": langevin_density,
    "GEDI": gedi_density,
}


def main() -> None:
    """Fill the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", nargs="+", default=list(CLUSTERS), choices=list(CLUSTERS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--outliers", type=Path, metavar="FOLDER")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.data:
        if name in WITH_OUTLIERS and options.outliers is None:
            continue
        for seed in range(options.seeds):
            data = split(name, seed, options.outliers)
            for method in options.methods:
                if not missing("density", data=name, method=method, seed=seed):
                    continue
                start, work = time.perf_counter(), time.process_time()
                row = METHODS[method](name, data, seed)
                key = {"data": name, "method": method, "seed": seed}
                sizes = {"n": len(data.train), "d": data.train.shape[1]}
                seconds = {
                    "seconds": round(time.perf_counter() - start, 1),
                    "processor seconds": round(time.process_time() - work, 1),
                }
                write("density", key | sizes | seconds | row | provenance())


if __name__ == "__main__":
    main()
