"""The stored models of releases: small ones that each version of gedi writes once.

    python tests/release_models.py [--overwrite]

    tests/releases/VERSION/
        run/           a run folder of `gedi train`, without checkpoints and pages
        estimator/     a saved estimator
        new.csv        rows of a table
        run.csv        what the run predicted for them, as `gedi predict` names it
        estimator.csv  the same of the estimator

test_releases.py holds later versions to these numbers. A folder of a version that is released is
never written again.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import gedi

RELEASES = Path(__file__).with_name("releases")

__all__ = ["RELEASES", "predictions"]

_LEFT_OUT = ("checkpoints", "tensorboard", "report.html", ".lock")
_SHORT = ("--n-clusters", "2", "--max-iter", "50", "--encoder.hidden", "[16]", "--device", "cpu")


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


def predictions(model: gedi.GEDI, rows: pd.DataFrame) -> pd.DataFrame:
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


def write(folder: Path) -> None:
    """Train, and write the models of this version with what they predict."""
    rng = np.random.default_rng(0)
    old, new = table(60, rng), table(12, rng)
    new.loc[new.index[-1], ["spend", "channel"]] = [400.0, "fax"]  # an outlier of an unknown level
    new.to_csv(folder / "new.csv", index=False)
    with tempfile.TemporaryDirectory() as made:
        data, run, out = (str(Path(made, name)) for name in ("old.csv", "run", "out.parquet"))
        old.to_csv(data, index=False)
        command(*("train", data, "--out", run), *_SHORT)
        command("predict", run, str(folder / "new.csv"), "--out", out)
        pd.read_parquet(out).to_csv(folder / "run.csv", index=False)
        shutil.copytree(run, folder / "run", ignore=shutil.ignore_patterns(*_LEFT_OUT))
    model = gedi.GEDI(max_iter=50, encoder=(16,), device="cpu", random_state=0)
    model.partial_fit(old).save(folder / "estimator")
    predictions(model, new).to_csv(folder / "estimator.csv", index=False)


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
