"""Fifteen small trainings, held to the bits that they had before: has a change changed nothing?

    python benchmarks/fingerprint.py [--write] [--only NAME ...]

A change of how the code is arranged leaves every training as it was, to the last bit. Each
configuration here goes another way through the code, and four hashes are taken of what it leaves:
`weights`, all tensors of the model but its chains; `chains`; `history`, the rows of the training
and what was found at its end, without seconds; and `settings`, as resolved from the data. They are
compared with those in results/fingerprint.json, and the exit status is 1 if one of them changed.

Bits are the same on one machine, with one version of torch and the rest, and one thread. The file
says where it was made; elsewhere nothing is compared. There, write it anew from the commit before
the change, with `--write`, and compare after it.

Only what users have is used here: estimators, settings, the command line and its run folders. So
this file stays as it is while all else moves; that is also why it shares nothing with common.py.
"""

import argparse
import csv
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn
import torch
import yaml
from numpy.typing import NDArray
from safetensors.numpy import load_file
from sklearn.datasets import load_digits, make_blobs, make_moons
from threadpoolctl import threadpool_limits

import gedi
from gedi import GEDI, GEDIClassifier, GEDISymbols, Rule, Settings
from gedi.settings import RestartSettings, SamplerSettings

__all__ = ["CONFIGURATIONS", "Remains", "fingerprint"]

FILE = Path(__file__).parent / "results" / "fingerprint.json"
ASPECTS = ("weights", "chains", "history", "settings")
THREADS = 1

_CHAINS = "chains"  # the name of their tensor in a stored model
_WAIT = 120.0  # seconds at most for a command
_FOUND = (
    *("n_iter_", "labels_", "collapse_gap_", "prior_", "offset_", "interventions_"),
    *("log_normalizer_", "log_normalizer_error_", "former_clusters_", "overlaps_"),
    *("temperature_", "classes_", "satisfaction_"),
)

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Remains:
    """What a training leaves.

    Attributes:
        tensors: of the model, by name, its chains among them.
        history: rows of the training and what was found at its end, without seconds.
        settings: as resolved.
    """

    tensors: dict[str, NDArray[Any]]
    history: Any
    settings: Any


# --- what is hashed


def digest(parts: Iterable[bytes]) -> str:
    """The first 16 hex digits of the SHA-256 of the parts one after the other."""
    made = hashlib.sha256()
    for part in parts:
        made.update(part)
    return made.hexdigest()[:16]


def of_tensors(tensors: dict[str, NDArray[Any]]) -> Iterable[bytes]:
    """Names, types, shapes and bits of tensors, in the order of their names."""
    for name, value in sorted(tensors.items()):
        yield f"{name} {value.dtype} {value.shape}".encode()
        yield value.tobytes()


def of_plain(value: Any) -> bytes:
    """Plain values and arrays as text; floats keep all their digits there."""
    return json.dumps(value, sort_keys=True, default=lambda array: array.tolist()).encode()


def fingerprint(remains: Remains) -> dict[str, str]:
    """The four hashes of what a training left."""
    chains = {name: value for name, value in remains.tensors.items() if name == _CHAINS}
    weights = {name: value for name, value in remains.tensors.items() if name != _CHAINS}
    return {
        "weights": digest(of_tensors(weights)),
        "chains": digest(of_tensors(chains)),
        "history": digest([of_plain(remains.history)]),
        "settings": digest([of_plain(remains.settings)]),
    }


def of_estimator(estimator: Any, folder: Path) -> Remains:
    """What a fitted estimator learned."""
    estimator.save(folder / "saved")
    rows = {name: column for name, column in estimator.history_.items() if name != "seconds"}
    found = {name: getattr(estimator, name) for name in _FOUND if hasattr(estimator, name)}
    return Remains(
        load_file(folder / "saved" / "model.safetensors"),
        {"rows": rows, "found": found},
        asdict(estimator.settings_),
    )


def of_run(run: Path) -> Remains:
    """What the command line wrote into a run folder."""
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    numbering = result.get("numbering")
    if numbering is not None:
        del numbering["like"]  # a path
    for each in (*rows, result):
        each.pop("seconds", None)
    return Remains(
        load_file(run / "model.safetensors"),
        {"rows": rows, "found": result},
        yaml.safe_load((run / "settings.yaml").read_text(encoding="utf-8")),
    )


# --- data


def moons(n: int = 300) -> Points:
    """Two half circles."""
    points: Points = make_moons(n, noise=0.05, random_state=0)[0]
    return points


def blobs(d: int, sizes: list[int], seed: int = 0) -> tuple[Points, NDArray[np.int64]]:
    """Heaps of d features, of which some count ten times as much, and the heap of each point."""
    x, y = make_blobs(sizes, d, centers=None, cluster_std=1.0, random_state=seed)
    return x * np.where(np.arange(d) % 3 == 0, 10.0, 1.0), y


def spots(n: int = 96, side: int = 16) -> NDArray[np.uint8]:
    """Photographs, as far as the code can tell: a spot of colour each, on noise, (n, 3, H, W)."""
    rng = np.random.default_rng(0)
    middle, colour = rng.uniform(4, side - 4, size=(2, n, 1, 1, 1)), rng.random((n, 3, 1, 1))
    row, column = np.mgrid[:side, :side]
    spot = np.exp(-((row - middle[0]) ** 2 + (column - middle[1]) ** 2) / 8)
    image = 0.8 * colour * spot + 0.2 * rng.random((n, 3, side, side))
    return (255 * image).astype(np.uint8)


# --- the command line


def command(*arguments: str) -> list[str]:
    """`gedi` in a process of its own."""
    return [sys.executable, "-m", "gedi", *arguments]


def environment() -> dict[str, str]:
    """That of this process, with one thread."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(THREADS))}


def call(*arguments: str) -> None:
    """Run a command to its end.

    Raises:
        RuntimeError: if it fails; with what it said.
    """
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=_WAIT,
    )
    if done.returncode != 0:
        raise RuntimeError(f"gedi {arguments[0]} ended with {done.returncode}: {done.stderr}")


def interrupt(run: Path, *arguments: str) -> None:
    """Begin a command, and ask it to stop once it has written its first row.

    Raises:
        RuntimeError: if it ended in another way than by being asked to.
    """
    process = subprocess.Popen(
        command(*arguments),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        deadline = time.monotonic() + _WAIT
        while not (run / "metrics.csv").exists() and process.poll() is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"gedi {arguments[0]} wrote no row in {_WAIT:.0f} seconds")
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=_WAIT)
    finally:
        process.kill()
        process.wait()
    if process.returncode != 130:
        raise RuntimeError(f"gedi {arguments[0]} was not interrupted in its middle: {said}")


_SMALL = [
    *("--n-clusters", "2", "--encoder.hidden", "[16]", "--restarts.n", "2", "--device", "cpu"),
    *("--batch-size", "64", "--evaluate-every", "10"),
]


# --- the configurations


def two_dimensions(folder: Path) -> Remains:
    """Everything as it comes: restarts side by side, after score matching."""
    return of_estimator(GEDI(2, **_few(60)).fit(moons()), folder)


def heaps(folder: Path) -> Remains:
    """Six dimensions: a base, and restarts of which some start from k-means."""
    x, _ = blobs(6, [120, 80, 60])
    return of_estimator(GEDI(3, **_few(60)).fit(x), folder)


def wide(folder: Path) -> Remains:
    """A large network, which GEN joins when one restart is chosen."""
    x, _ = blobs(40, [100, 80, 60])
    return of_estimator(GEDI(3, **_few(24), n_restarts=3, batch_size=64).fit(x), folder)


def digits(folder: Path) -> Remains:
    """Small images of one channel, by views of written signs."""
    images = load_digits().images[:300]
    return of_estimator(GEDI(10, **_few(24), n_restarts=2, batch_size=64).fit(images), folder)


def convolutional(folder: Path) -> Remains:
    """Images of three channels: a convolutional network, and views of photographs."""
    model = GEDI(3, **_few(40), encoder="conv", n_restarts=2, batch_size=32)
    return of_estimator(model.fit(spots()), folder)


def learned_prior(folder: Path) -> Remains:
    """Shares that follow the clusters, and more chains than move."""
    x, _ = blobs(2, [200, 60, 40])
    settings = Settings(sampler=SamplerSettings(buffer_size=600, every=2))
    return of_estimator(GEDI(3, prior="learned", settings=settings, **_few(60)).fit(x), folder)


def few_labels(folder: Path) -> Remains:
    """A classifier that knows the classes of twelve points."""
    x, y = blobs(4, [100, 80, 60])
    y = np.where(np.arange(len(y)) < 12, y, -1)
    return of_estimator(GEDIClassifier(**_few(60)).fit(x, y), folder)


def rule(folder: Path) -> Remains:
    """Symbols of which only the sum of two was observed, and further inputs without a group."""
    x, y = blobs(2, [120, 90, 70])
    pairs = np.random.default_rng(0).permutation(len(x))[:200].reshape(-1, 2)
    others = np.delete(x, pairs.ravel(), axis=0)
    sums = Rule(
        lambda a, b, s: a + b == s, {"a": range(3), "b": range(3), "s": range(5)}, observed="s"
    )
    model = GEDISymbols(**_few(60)).fit(x[pairs], y[pairs].sum(1), rule=sums, unlabelled=others)
    return of_estimator(model, folder)


def vera(folder: Path) -> Remains:
    """Negatives from a network that learns to sample."""
    settings = Settings(sampler=SamplerSettings(kind="vera"))
    model = GEDI(2, settings=settings, **_few(40), n_restarts=2)
    return of_estimator(model.fit(moons()), folder)


def streaming(folder: Path) -> Remains:
    """A folder of tables, read while training, on the command line."""
    x, _ = blobs(3, [300, 300])
    table, run = folder / "table", folder / "run"
    table.mkdir()
    for place, part in enumerate(np.array_split(x, 4)):
        frame = pd.DataFrame(part, columns=["a", "b", "c"])
        frame.to_parquet(table / f"{place}.parquet", row_group_size=50)
    call("train", str(table), "--streaming", *_SMALL, "--max-iter", "40", "--out", str(run))
    return of_run(run)


def two_processes(folder: Path) -> Remains:
    """Two processes that share points and chains, on the command line."""
    data = ["train", "moons", "--n-points", "400", "--devices", "2"]
    call(*data, *_SMALL, "--max-iter", "40", "--out", str(folder / "run"))
    return of_run(folder / "run")


def resumed(folder: Path) -> Remains:
    """A training stopped where chance will have it, and resumed, on the command line."""
    file, run = folder / "table.csv", folder / "run"
    pd.DataFrame(blobs(3, [120, 80])[0], columns=["a", "b", "c"]).to_csv(file, index=False)
    length = ["--max-iter", "400", "--restarts.iterations", "100"]
    interrupt(run, "train", str(file), *_SMALL, *length, "--out", str(run))
    call("resume", str(run))
    return of_run(run)


def warm_start(folder: Path) -> Remains:
    """On from the model there is, with other points; GEN alone, for a density of one cluster."""
    model = GEDI(1, **_few(30), warm_start=True).fit(moons())
    return of_estimator(model.fit(moons(200) + 0.1), folder)


def rivals(folder: Path) -> Remains:
    """The losses of SwAV and Barlow Twins in the place of INV."""
    x, images = blobs(5, [120, 80, 60])[0], load_digits().images[:200]
    parts = {}
    for method, data in (("swav", x), ("barlow-twins", images)):
        model = GEDI(3, method=method, **_few(20), encoder=(32,), n_restarts=1, batch_size=64)
        (folder / method).mkdir()
        parts[method] = of_estimator(model.fit(data), folder / method)
    return _together(parts)


def own(folder: Path) -> Remains:
    """Views and positives that the user brings, and numbers of clusters as an earlier model's."""
    x, y = blobs(2, [120, 80, 60])
    pairs = np.stack([np.flatnonzero(y == 0)[:50], np.flatnonzero(y == 0)[50:100]], axis=1)

    def jitter(batch: torch.Tensor) -> torch.Tensor:
        return batch + 0.1 * torch.randn_like(batch)

    settings = Settings(restarts=RestartSettings(warmup=5))
    model = GEDI(3, views=[jitter, "neighbours"], settings=settings, **_few(60), n_restarts=2)
    earlier = np.where(np.arange(len(x)) % 4 == 0, -1, (y + 1) % 3)
    return of_estimator(model.fit(x, positives=pairs, like=earlier), folder)


def _few(iterations: int) -> dict[str, Any]:
    return {"max_iter": iterations, "random_state": 0, "device": "cpu"}


def _together(parts: dict[str, Remains]) -> Remains:
    """Several trainings as one."""
    tensors: dict[str, NDArray[Any]] = {}
    chains = []
    for name, part in parts.items():
        for key, value in part.tensors.items():
            if key == _CHAINS:
                chains.append(value.ravel())
            else:
                tensors[f"{name}.{key}"] = value
    return Remains(
        tensors | ({_CHAINS: np.concatenate(chains)} if chains else {}),
        {name: part.history for name, part in parts.items()},
        {name: part.settings for name, part in parts.items()},
    )


CONFIGURATIONS: dict[str, Callable[[Path], Remains]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        *(two_dimensions, heaps, wide, digits, convolutional, learned_prior, few_labels, rule),
        *(vera, streaming, two_processes, resumed, warm_start, rivals, own),
    )
}


# --- comparing


def machine() -> dict[str, Any]:
    """All that bits depend on beside the code."""
    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "threads": THREADS,
    }


def _processor() -> str:
    """The model of the processor, as libraries choose their code by it."""
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def train(name: str) -> dict[str, str] | None:
    """The hashes of a configuration; None, with the reason printed, where it fails."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such short trainings are still improving
        try:
            return fingerprint(CONFIGURATIONS[name](Path(folder)))
        except Exception:
            traceback.print_exc()
            return None


def verdict(found: dict[str, str] | None, known: dict[str, str] | None) -> str:
    """What is to be said of a configuration."""
    if found is None:
        return "FAILED"
    if known is None:
        return "new: " + ", ".join(f"{aspect} {found[aspect]}" for aspect in ASPECTS)
    changed = [aspect for aspect in ASPECTS if found[aspect] != known.get(aspect)]
    return f"CHANGED: {', '.join(changed)}" if changed else "same"


def elsewhere(there: dict[str, Any], here: dict[str, Any]) -> str | None:
    """Why hashes made there say nothing here; None if they do."""
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    if not names:
        return None
    told = "; ".join(f"{name} {there.get(name)}, here {here.get(name)}" for name in names)
    return (
        f"{FILE.name} was made on another machine or with other versions ({told}), where bits "
        "differ by themselves. Nothing is compared. Write it anew from the commit before your "
        "change, with --write, and compare after it."
    )


def main() -> int:
    """Train, compare or write, and tell whether all is as it was."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="keep the hashes of now in the file")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(CONFIGURATIONS),
        default=list(CONFIGURATIONS),
        metavar="NAME",
        help=f"some of {', '.join(CONFIGURATIONS)}",
    )
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    here = machine()
    stored = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else None
    trouble = None if stored is None else elsewhere(stored["machine"], here)
    if trouble is not None and not options.write:
        print(trouble)
        return 0
    known = {} if stored is None or trouble is not None else stored["fingerprints"]
    print(f"gedi of {Path(gedi.__file__).parent}", flush=True)
    start, words, found = time.perf_counter(), [], {}
    for name in options.only:
        before = time.perf_counter()
        with threadpool_limits(THREADS):
            hashes = train(name)
        words.append(verdict(hashes, known.get(name)))
        seconds = time.perf_counter() - before
        print(f"{name:16} {seconds:5.1f} s  {words[-1]}", flush=True)
        if hashes is not None:
            found[name] = hashes
    bad = sum(word.startswith("CHANGED") for word in words)
    failed = words.count("FAILED")
    print(
        f"{len(words)} configurations, {bad} changed, {failed} failed, "
        f"{time.perf_counter() - start:.0f} seconds"
    )
    if options.write:
        merged = {name: (known | found)[name] for name in CONFIGURATIONS if name in known | found}
        text = json.dumps({"machine": here, "fingerprints": merged}, indent=2)
        FILE.write_text(text + "\n", encoding="utf-8")
        print(f"Written to {FILE.name}.")
        return 1 if failed else 0
    if stored is None:
        print(f"There is no {FILE.name} to compare with; --write makes it.")
    return 1 if bad or failed else 0


if __name__ == "__main__":
    sys.exit(main())
