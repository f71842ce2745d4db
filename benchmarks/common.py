"""What the benchmarks share: one training measured, and rows stored as soon as they are there."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from gedi.data.dataset import Dataset
from gedi.experiments.provenance import provenance
from gedi.report.findings import find
from gedi.settings import SamplerSettings, Settings
from gedi.training.session import start

RESULTS = Path(__file__).parent / "results"

__all__ = [
    "METHODS",
    "measure",
    "missing",
    "provenance",
    "read",
    "settings_for",
    "stored",
    "take_over",
    "write",
]

METHODS: dict[str, dict[str, float]] = {
    "GEDI": {},
    "no gen": {"gen": 0.0},
    "JEM": {"inv": 0.0, "prior": 0.0},
}


def settings_for(method: str, **changes: Any) -> Settings:
    """Default settings with the chains of Algorithm 1 and the weights of a method."""
    settings = Settings(**({"sampler": SamplerSettings("langevin")} | changes))
    return replace(settings, weights=replace(settings.weights, **METHODS[method]))


def measure(
    dataset: Dataset, method: str, *, held_out: Dataset | None = None, **changes: Any
) -> dict[str, Any]:
    """Train once and measure, on held-out data if there are some."""
    settings = settings_for(method, **changes)
    began = time.perf_counter()
    fit = start(dataset, settings).run()
    seconds = time.perf_counter() - began
    findings = find(fit.trained, held_out or dataset, fit.settings)
    samples = findings.energies["samples"].mean() - findings.energies["data"].mean()
    return {
        "data": dataset.name,
        "method": method,
        "seed": settings.seed,
        "iterations": fit.iterations,
        "seconds": round(seconds, 1),
        "gap": findings.collapse_gap,
        "contrast": float(samples),
        **findings.metrics,
        "changes": {k: v for k, v in changes.items() if k != "seed"},
        "weights": asdict(fit.settings.weights),
        **provenance(),
    }


def stored(name: str) -> Path:
    """The file of rows of a benchmark."""
    RESULTS.mkdir(exist_ok=True)
    return RESULTS / f"{name}.jsonl"


def write(name: str, row: dict[str, Any]) -> None:
    """Store one row as soon as it is there, and print it."""
    line = json.dumps(row)
    with stored(name).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(line, flush=True)


def read(name: str) -> list[dict[str, Any]]:
    """All rows stored so far."""
    file = stored(name)
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def missing(name: str, **key: Any) -> bool:
    """Whether no stored row has these values; so that a table fills only its gaps."""
    return not any(all(row.get(k) == v for k, v in key.items()) for row in read(name))


def take_over(
    name: str,
    key: Sequence[str],
    folder: Path,
    more: Callable[[Path, dict[str, Any]], dict[str, Any]] = lambda file, row: {},
) -> str:
    """Make rows of the cells of `gedi reproduce` in a folder that have the key; say how many.

    Args:
        name: of the rows.
        key: what tells cells apart; a row that has the same is replaced, but for what `more` made.
        folder: of the cells.
        more: further values of a cell, from its file of measures and what that holds.
    """
    known = {tuple(row[part] for part in key): row for row in read(name)}
    n_found = 0
    for file in sorted(folder.glob("*/measures.json")):
        row = json.loads(file.read_text(encoding="utf-8"))
        if not set(key) <= row.keys():
            continue
        settings = yaml.safe_load((file.parent / "settings.yaml").read_text("utf-8"))
        place = tuple(row[part] for part in key)
        known[place] = known.get(place, {}) | row | {"settings": settings} | more(file, row)
        n_found += 1
    text = "".join(json.dumps(row) + "\n" for row in known.values())
    stored(name).write_text(text, encoding="utf-8")
    return f"{n_found} cells taken over, {len(known)} in all"
