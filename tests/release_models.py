"""The stored models of releases: small ones that each version of gedi writes once.

    python tests/release_models.py [--overwrite]

    tests/releases/VERSION/
        run/           a run folder of `gedi train`, without checkpoints and pages
        images/        the same of small images
        estimator/     a saved estimator
        classifier/    a saved classifier, of few labels
        symbols/       a saved estimator of symbols, of pairs whose sums are known
        new.csv        rows of a table
        new.npz        images
        pairs.csv      pairs of points, one in each line
        NAME.csv       what the model of this name predicted for them, as `gedi predict` names it
        sums.csv       what the symbols say of the sums of the pairs

test_releases.py holds later versions to these numbers. A folder of a version that is released is
never written again.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import gedi

RELEASES = Path(__file__).with_name("releases")

RUNS = {"run": "new.csv", "images": "new.npz"}
"""The file of the new data of each run."""

ESTIMATORS = {
    "estimator": gedi.GEDI,
    "classifier": gedi.GEDIClassifier,
    "symbols": gedi.GEDISymbols,
}

__all__ = ["ESTIMATORS", "RELEASES", "RUNS", "new_rows", "predictions", "sums"]

_LEFT_OUT = ("checkpoints", "tensorboard", "report.html", ".lock")
_SHORT = ("--n-clusters", "2", "--max-iter", "50", "--encoder.hidden", "[16]", "--device", "cpu")
_RULE = gedi.sum_rule(2, 3)


def table(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Two kinds of customers, with a number, a number that may be missing, and a category."""
    kind = np.arange(n) % 2
    visits = np.array([12, 3])[kind] + rng.normal(size=n)
    visits[rng.choice(n, n // 8, replace=False)] = np.nan
    return pd.DataFrame(
        {
            "spend": (np.array([20, 60])[kind] + 5 * rng.normal(size=n)).round(1),
            "visits": visits.round(1),
            "channel": np.where(rng.random(n) < 0.8, np.array(["shop", "web"])[kind], "phone"),
        }
    )


def images(n: int, rng: np.random.Generator) -> np.ndarray:
    """Images of 6 × 6 pixels, (n, 6, 6), with a horizontal or a vertical bar in the noise."""
    x = rng.integers(140, size=(n, 6, 6), dtype=np.uint8)
    x[::2, 2:4] += 60
    x[1::2, :, 2:4] += 60
    return x


def pairs(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of points near three places, (n, 2, 2), and the sums of the numbers of the places."""
    symbols = rng.integers(3, size=(n, 2))
    places = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    return (places[symbols] + rng.normal(size=(n, 2, 2))).round(2), symbols.sum(axis=1)


def new_rows(folder: Path, name: str) -> Any:
    """The rows for which a release stores what an estimator predicted."""
    if name == "symbols":
        return pd.read_csv(folder / "pairs.csv").to_numpy().reshape(-1, 2)
    return pd.read_csv(folder / "new.csv")


def predictions(model: Any, rows: Any) -> pd.DataFrame:
    """What an estimator says of rows, in the columns of `gedi predict`."""
    probabilities = model.predict_proba(rows)
    return pd.DataFrame(
        {
            "cluster": model.predict(rows),
            **{f"probability_{k}": column for k, column in enumerate(probabilities.T)},
            "log_density": model.log_density(rows),
            "outlier_score": model.score_samples(rows),
            "p_value": model.outlier_p_values(rows),
            "confidence": model.predict_confidence(rows),
        }
    )


def sums(model: gedi.GEDISymbols, rows: np.ndarray) -> pd.DataFrame:
    """What symbols say of the sums of pairs, whose points follow each other in the rows."""
    found = model.predict_outcome(rows.reshape(-1, 2, 2), rule=_RULE)
    return pd.DataFrame({"sum": found.outcomes, "probability": found.probabilities})


def write(folder: Path) -> None:
    """Train, and write the models of this version with what they predict."""
    rng = np.random.default_rng(0)
    old, new = table(60, rng), table(12, rng)
    new.loc[new.index[-1], ["spend", "channel"]] = [400.0, "fax"]  # an outlier of an unknown level
    new.to_csv(folder / "new.csv", index=False)
    np.savez_compressed(folder / "new.npz", x=images(8, rng))
    points = pairs(6, rng)[0].reshape(-1, 4)
    pd.DataFrame(points, columns=["x0", "x1", "y0", "y1"]).to_csv(folder / "pairs.csv", index=False)
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        old.to_csv(made / "old.csv", index=False)
        np.savez_compressed(made / "old.npz", x=images(60, rng))
        for run, data in RUNS.items():
            write_run(folder, run, made / data.replace("new", "old"))
    write_estimators(folder, old, *pairs(60, rng))


def write_run(folder: Path, name: str, data: Path) -> None:
    """Train a run on a file, and write it with what it predicts for the new data."""
    run, out = str(data.with_name(name)), str(data.with_name(f"{name}.parquet"))
    command("train", str(data), "--out", run, *_SHORT)
    command("predict", run, str(folder / RUNS[name]), "--out", out)
    pd.read_parquet(out).to_csv(folder / f"{name}.csv", index=False)
    shutil.copytree(run, folder / name, ignore=shutil.ignore_patterns(*_LEFT_OUT))


def write_estimators(
    folder: Path, old: pd.DataFrame, groups: np.ndarray, outcomes: np.ndarray
) -> None:
    """Fit the estimators, and write them with what they predict for the new rows."""
    made = {
        name: kind(max_iter=50, encoder=(16,), device="cpu", random_state=0)
        for name, kind in ESTIMATORS.items()
    }
    made["estimator"].partial_fit(old)
    labels = np.where(old.index < 10, np.array(["guest", "regular"])[old.index % 2], None)
    made["classifier"].fit(old, labels)
    made["symbols"].fit(groups, outcomes, rule=_RULE)
    for name, model in made.items():
        model.save(folder / name)
        predictions(model, new_rows(folder, name)).to_csv(folder / f"{name}.csv", index=False)
    sums(made["symbols"], new_rows(folder, "symbols")).to_csv(folder / "sums.csv", index=False)


def command(*arguments: str) -> None:
    """Run one command of gedi."""
    subprocess.run([sys.executable, "-m", "gedi", *arguments], check=True)


def main() -> None:
    """Write the models of this version."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--overwrite", action="store_true", help="if the version is not released")
    target = RELEASES / gedi.__version__
    if target.exists():
        if not parser.parse_args().overwrite:
            raise SystemExit(f"{target}: exists: add --overwrite if this version is not released")
        shutil.rmtree(target)
    target.mkdir(parents=True)
    write(target)
    print(f"{target} is written: commit it with the release")


if __name__ == "__main__":
    main()
