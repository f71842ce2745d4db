"""A model of an earlier release loads, and gives the numbers that it gave."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import gedi
from gedi.cli import main
from gedi.errors import RunError
from gedi.runs import Run
from release_models import ESTIMATORS, RELEASES, RUNS, new_rows, predictions, sums

VERSIONS = sorted(folder.name for folder in RELEASES.iterdir() if folder.is_dir())
# Networks compute in 32 bits, and other machines and versions of torch sum in another order.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}

each_release = pytest.mark.parametrize(
    "release", [RELEASES / name for name in VERSIONS], ids=VERSIONS
)
each_run = pytest.mark.parametrize("name", RUNS)


def same(found, file):
    """Whether predictions are those of a file: clusters exactly, numbers within the tolerance."""
    pd.testing.assert_frame_equal(found, pd.read_csv(file), **TOLERANCE)


def test_this_version_has_stored_models():
    assert gedi.__version__ in VERSIONS, "run `make release-model`, and commit what it writes"


@each_release
@each_run
def test_a_run_predicts_by_command_what_it_did(release, name, tmp_path):
    out = tmp_path / "out.parquet"
    assert main(["predict", str(release / name), str(release / RUNS[name]), "--out", str(out)]) == 0
    same(pd.read_parquet(out), release / f"{name}.csv")


@each_release
@each_run
def test_a_run_predicts_in_python_what_it_did(release, name):
    run = Run.open(release / name)
    trained = run.load_model()
    x = run.new_data(str(release / RUNS[name])).x
    expected = pd.read_csv(release / f"{name}.csv")
    scores = trained.outlier_scores(x)
    prediction = trained.predict(x)
    found = {
        "cluster": prediction.clusters,
        "probability_0": prediction.probabilities[:, 0],
        "log_density": prediction.log_density,
        "outlier_score": scores,
        "p_value": trained.outlier_p_values(scores),
    }
    pd.testing.assert_frame_equal(pd.DataFrame(found), expected[[*found]], **TOLERANCE)


@each_release
@each_run
def test_a_run_is_diagnosed_and_draws_samples(release, name, tmp_path, capsys):
    run, out = str(release / name), tmp_path / RUNS[name]
    assert main(["doctor", run]) == 0
    assert "50 iterations" in capsys.readouterr().out
    assert main(["sample", run, "--n", "5", "--out", str(out)]) == 0
    samples = pd.read_csv(out) if out.suffix == ".csv" else np.load(out)["x"]
    assert len(samples) == 5


@each_release
@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_predicts_what_it_did(release, name):
    model, rows = ESTIMATORS[name].load(release / name), new_rows(release, name)
    same(predictions(model, rows), release / f"{name}.csv")
    if name == "estimator":
        assert model.rows_.shape == (model.n_samples_seen_, 6)
    if name == "symbols":
        same(sums(model, rows), release / "sums.csv")


@pytest.mark.parametrize(
    ("kind", "file"), [("run", "run.json"), ("estimator", "config.json")], ids=["run", "estimator"]
)
def test_a_later_format_is_refused_with_the_version_to_use(tmp_path, kind, file):
    folder = tmp_path / kind
    shutil.copytree(RELEASES / VERSIONS[-1] / kind, folder)
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(content | {"format": 99, "version": "9.9"}))
    with pytest.raises(RunError, match=r"format 99, written by gedi 9\.9.*read it with gedi 9\.9"):
        Run.open(folder) if kind == "run" else gedi.GEDI.load(folder)
