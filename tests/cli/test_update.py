"""`gedi update`: from a run to the next, with new rows."""

import html
import json
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from gedi.cli import main
from gedi.runs import Run
from gedi.runs.names import ClusterNames, given_names
from processes import said_by

pytestmark = pytest.mark.usefixtures("short_reports")

SHORT = ["--n-clusters", "3", "--max-iter", "60", "--encoder.hidden", "[16]", "--device", "cpu"]
MIDDLES = np.array([[0, 0], [8, 0], [0, 8], [8, 8]])


def write(path, sizes, seed):
    x = MIDDLES.repeat(sizes, 0) + np.random.default_rng(seed).normal(size=(sum(sizes), 2))
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1]}).to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of three named clusters, and its update by rows of a fourth and without the third."""
    folder = tmp_path_factory.mktemp("update")
    write(folder / "old.csv", [200, 150, 100, 0], 0)
    write(folder / "new.csv", [60, 90, 0, 60], 1)
    with chdir(folder):
        said_by("train", "old.csv", *SHORT, "--out", "run")
        ClusterNames.load(Path("run"), 3).rename(2, "rare").save(Path("run"))
        (folder / "out.txt").write_text(said_by("update", "run", "new.csv")[0])
    return folder


def test_a_new_and_a_vanishing_cluster_are_told_and_numbers_and_names_last(folder):
    before, now = Run.open(folder / "run"), Run.open(folder / "run-2")
    points = MIDDLES.astype(float)
    old, new = before.load_model(), now.load_model()
    assert old.predict(points[:3]).clusters.tolist() == [0, 1, 2]  # numbered by size
    assert new.predict(points).clusters.tolist() == [0, 1, 2, 3]
    rows = before.read().x
    kept = old.predict(rows).clusters == new.predict(rows).clusters
    assert kept.mean() > 0.99
    assert given_names(now.path, 4) == ["0", "1", "rare", "3"]

    out = (folder / "out.txt").read_text()
    drift = (now.path / "drift.txt").read_text()
    assert out.endswith(drift)
    first, *clusters = drift.splitlines()
    assert first.startswith("210 new rows: ") and "differ from those of the earlier rows" in first
    assert clusters == [
        "Cluster 0 shrank (44.4% of the old rows, 28.6% of the new ones).",
        "Cluster 2 (rare) has vanished from the new rows (22.2% of the old rows, 0.0% of the new "
        "ones).",
        "Cluster 3 is new (0.0% of the old rows, 28.6% of the new ones).",
    ]
    report = html.unescape((now.path / "report.html").read_text())
    assert "What the new rows changed" in report and all(line in report for line in clusters)
    assert "What the new rows changed" not in (before.path / "report.html").read_text()
    found = now.result()["drift"]
    assert found["batch"]["rows"] == 210 and found["batch"]["p_value"] < 1e-4
    assert [each["change"] for each in found["clusters"]] == ["shrank", "kept", "gone", "new"]


def test_the_new_run_holds_all_rows_and_can_be_used_like_others(folder, tmp_path):
    run = shutil.copytree(folder / "run-2", tmp_path / "run-2")
    now = Run.open(run)
    assert len(now.read().x) == 660 and now.growth.n_before == 450
    settings = yaml.safe_load((run / "settings.yaml").read_text())
    assert settings["n_clusters"] == 4 and settings["max_iter"] == 60
    assert main(["evaluate", str(run)]) == 0
    model, drift = (run / "model.safetensors").read_bytes(), (run / "drift.txt").read_text()
    for file in ("result.json", "model.safetensors", "drift.txt"):
        (run / file).unlink()
    assert main(["resume", str(run)]) == 0
    assert (run / "model.safetensors").read_bytes() == model
    assert (run / "drift.txt").read_text() == drift


def test_an_updated_run_is_updated_again(folder, tmp_path):
    more = write(tmp_path / "more.csv", [50, 50, 50, 50], 2)
    again = ["update", str(folder / "run-2"), more, "--out", str(tmp_path / "run-3")]
    said_by(*again, "--seed", "4", "--max-time", "60")
    run = Run.open(tmp_path / "run-3")
    assert len(run.read().x) == 860 and run.growth.n_before == 660
    assert run.settings().seed == 4 and run.settings().max_time == 60
    assert run.load_model().predict(MIDDLES.astype(float)).clusters.tolist() == [0, 1, 2, 3]
    assert given_names(run.path, 4) == ["0", "1", "rare", "3"]
    # The third came back; of the rows before, it had 15%.
    changes = [each["change"] for each in run.result()["drift"]["clusters"]]
    assert changes[2] == "grew" and "new" not in changes and "gone" not in changes


def test_a_run_is_replaced_by_its_update(folder, tmp_path):
    run = shutil.copytree(folder / "run", tmp_path / "run")
    here = ["update", str(run), str(folder / "new.csv"), "--out", str(run)]
    assert main(here) == 2
    assert main([*here, "--overwrite"]) == 0
    assert Run.open(run).settings().n_clusters == 4
    assert given_names(run, 4) == ["0", "1", "rare", "3"]


def test_mistakes_are_told_without_a_traceback(folder, tmp_path, capsys):
    run, new = str(folder / "run"), str(folder / "new.csv")
    write(tmp_path / "few.csv", [3, 3, 3, 0], 0)
    pd.DataFrame({"a": np.arange(20.0), "z": np.ones(20)}).to_csv(tmp_path / "z.csv", index=False)
    unfinished = shutil.copytree(run, tmp_path / "unfinished")
    (unfinished / "result.json").unlink()
    for arguments, words in (
        ([run, new, "--out", str(folder / "run-2")], "already exists: choose another --out"),
        ([run, str(tmp_path / "few.csv")], "at least 10 new rows, got 9: wait for more"),
        ([run, str(tmp_path / "z.csv")], "no column 'b'"),
        ([run, str(tmp_path / "none.csv")], "there is no file"),
        ([str(tmp_path / "none"), new], "expected a run folder"),
        ([str(unfinished), new], "has not ended: continue it with `gedi resume"),
        ([run, new, "--max-time", "-1"], "max_time: expected a positive number"),
    ):
        assert main(["update", *arguments]) == 2
        assert words in capsys.readouterr().err
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"run", "run-2"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image_shape": [1, 1, 2]}, "was trained on images"),
        ({"groups": {"groups": "g.csv", "rule": "a + b == s", "outcome": "s"}}, "under a rule"),
        ({"streaming": True}, "read while training"),
    ],
)
def test_runs_that_cannot_be_updated_say_what_to_do(folder, tmp_path, capsys, change, words):
    run = shutil.copytree(folder / "run", tmp_path / "run")
    facts = json.loads((run / "run.json").read_text())
    streaming = change.pop("streaming", False)
    facts["source"]["streaming"] = streaming
    (run / "run.json").write_text(json.dumps(facts | change))
    assert main(["update", str(run), str(folder / "new.csv")]) == 2
    said = capsys.readouterr().err
    assert words in said and "train again on old and new data together" in said
