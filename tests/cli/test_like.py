"""`gedi train --like`: from a run to the next, of data that have grown."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from gedi.cli import main
from gedi.runs import Run

pytestmark = pytest.mark.usefixtures("short_reports")

SHORT = [
    *("--restarts.n", "1", "--encoder.hidden", "[16]", "--batch-size", "32", "--max-iter", "100"),
    *("--evaluate-every", "50", "--device", "cpu", "--learning-rate", "1e-2"),
]
MIDDLES = np.array([[0, 0], [8, 0], [0, 8]])


def write(path, sizes, **more):
    rng = np.random.default_rng(len(sizes))
    x = MIDDLES.repeat(sizes, 0) if len(sizes) == 3 else MIDDLES[:2].repeat(sizes, 0)
    x = x + rng.normal(size=x.shape)
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1]} | more).to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("earlier")
    table = write(folder / "then.csv", [120, 80])
    assert main(["train", table, *SHORT, "--n-clusters", "2", "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_grown_data_keep_their_numbers_also_in_place_and_where_it_goes_on(
    earlier, tmp_path, capsys
):
    run = shutil.copytree(earlier, tmp_path / "run")
    old = Run.open(run).load_model()
    # The smaller one of then is the larger one now.
    table = write(tmp_path / "now.csv", [70, 100, 150], c=np.zeros(320))
    again = ["train", table, *SHORT, "--n-clusters", "3", "--out", str(run), "--overwrite"]
    assert main([*again, "--like", str(run)]) == 0
    said = capsys.readouterr().out
    assert f"Numbers of clusters as in {run}: kept" in said
    assert "another than before: 2." in said
    assert "Numbers of clusters as in" in (run / "report.html").read_text()
    result = json.loads((run / "result.json").read_text())
    assert result["numbering"]["like"] == str(run)
    assert result["numbering"]["former"] == [0, 1, -1]
    points = np.concatenate([MIDDLES, np.zeros((3, 1))], 1)
    clusters = Run.open(run).load_model().predict(points).clusters
    assert clusters.tolist() == [*old.predict(points[:2, :2]).clusters, 2]

    model = (run / "model.safetensors").read_bytes()
    (run / "result.json").unlink()
    (run / "model.safetensors").unlink()
    assert main(["resume", str(run)]) == 0
    assert (run / "model.safetensors").read_bytes() == model
    assert json.loads((run / "result.json").read_text())["numbering"] == result["numbering"]
    assert main([*again, "--max-iter", "1"]) == 0
    assert not (run / "like.safetensors").exists()
    assert json.loads((run / "result.json").read_text())["numbering"] is None


def test_what_the_earlier_run_cannot_read_is_refused(earlier, tmp_path, capsys):
    other = tmp_path / "other.csv"
    pd.DataFrame({"a": [1.0, 2.0, 3.0], "z": [1.0, 5.0, 2.0]}).to_csv(other, index=False)
    for data, like, words in (
        (str(other), earlier, "columns that these data lack, so clusters cannot keep their"),
        ("digits", earlier, "was trained on rows of numbers, and digits has images of 1 × 8 × 8"),
        (str(other), tmp_path / "none", "expected a run folder"),
    ):
        out = str(tmp_path / "out")
        arguments = ["train", data, *SHORT, "--n-clusters", "2", "--like", str(like)]
        assert main([*arguments, "--out", out]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
