"""`gedi export` as users call it."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from gedi.cli import main
from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.evidence.group_files import GroupSource
from gedi.export import Agreement
from gedi.runs import Run
from gedi.runs.names import ClusterNames
from gedi.training.session import start
from small_trainings import SMALL, heaps

onnx = pytest.importorskip("onnx", reason="ONNX files need the extra export")
onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX files need the extra export")

pytestmark = pytest.mark.usefixtures("short_reports")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    dataset = Dataset("heaps", heaps()[0], feature_names=("a", "b"))
    session = start(dataset, SMALL)
    run = Run.create(
        tmp_path_factory.mktemp("runs") / "heaps",
        Source("heaps.csv"),
        dataset,
        session.settings,
        groups=GroupSource("groups.csv", "a + b == s", "s"),
        overwrite=False,
    )
    run.save_model(session.run().trained)
    return str(run.path)


def test_a_run_becomes_a_file_that_says_what_it_is(folder, tmp_path, capsys):
    out = tmp_path / "heaps.onnx"
    assert main(["export", folder, "--out", str(out)]) == 0
    said, err = capsys.readouterr()
    assert "On 64 points of noise, the outputs differ from PyTorch's by at most" in said
    outputs = "cluster, probabilities, energy, log_density, outlier_score, p_value, confidence"
    assert f"x -> {outputs} written to {out}" in said and err == ""
    assert [file.name for file in tmp_path.iterdir()] == ["heaps.onnx"]
    kept = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert kept["feature_names"] == '["a", "b"]' and kept["cluster_names"] == '["0", "1"]'
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    x = heaps()[0].astype(np.float64)
    found = session.run(["log_density"], {"x": x})[0]
    expected = Run.open(out.parents[0] / folder).load_model().predict(x)
    np.testing.assert_allclose(found, expected.log_density, atol=1e-4)


def test_what_is_refused(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments, words in (
        (["nowhere"], "expected a run folder"),
        ([folder, "--out", "model.pt"], "expected a file name that ends in .onnx"),
        ([folder, "--out", "nowhere/model.onnx"], "does not exist"),
        ([folder, "--format", "onnx"], "--format"),
    ):
        assert main(["export", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("gedi: error: ") and words in error
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    """A run of a real table, with words, dates, flags and gaps in some of its columns."""
    place = tmp_path_factory.mktemp("wine")
    table = load_wine(as_frame=True).data
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(table["magnesium"].round(), unit="D")
    table["bottled"] = day.dt.strftime("%Y-%m-%d")
    table["colour"] = np.array(["pale", "ruby", "deep"])[pd.qcut(table["hue"], 3, labels=False)]
    table["sweet"] = np.where(table["proline"] > 600, "yes", "no")
    table.loc[::9, "ash"] = np.nan
    table.loc[::8, "colour"] = None
    table.to_csv(place / "wine.csv", index=False)
    run = place / "run"
    command = ["train", str(place / "wine.csv"), "--out", str(run), "--n-clusters", "3"]
    assert main([*command, "--max-iter", "20"]) == 0
    ClusterNames.fresh(3).rename(1, "light").save(run)
    return run, table


@pytest.mark.slow
def test_a_real_table_is_scored_as_by_predict(wine, tmp_path, capsys):
    run, table = wine
    far = table.iloc[[0]].assign(alcohol=99.0, colour="never seen")
    new = pd.concat([table, far], ignore_index=True)
    new.to_csv(tmp_path / "new.csv", index=False)
    expected, file = tmp_path / "expected.parquet", tmp_path / "wine.onnx"
    assert main(["predict", str(run), str(tmp_path / "new.csv"), "--out", str(expected)]) == 0
    assert main(["export", str(run), "--out", str(file)]) == 0
    assert "x and categories -> cluster" in capsys.readouterr().out
    kept = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert json.loads(kept["cluster_names"]) == ["0", "light", "2"]
    x, words = (json.loads(kept[name]) for name in ("x", "categories"))
    days = (pd.to_datetime(new["bottled"]) - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    ready = new.assign(bottled=days, sweet=(new["sweet"] == "yes").astype(float))
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    inputs = {"x": ready[x].to_numpy(float), "categories": ready[words].to_numpy(object)}
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, inputs), strict=True))
    predicted = pd.read_parquet(expected)
    assert (found["cluster"] == predicted["cluster"]).all()
    for k in range(3):
        np.testing.assert_allclose(
            found["probabilities"][:, k], predicted[f"probability_{k}"], atol=1e-5
        )
    for name in ("log_density", "outlier_score", "confidence"):
        np.testing.assert_allclose(found[name], predicted[name], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["p_value"], predicted["p_value"], atol=1e-9)
    assert found["p_value"][-1] < 0.01 < np.median(found["p_value"])


def test_what_a_file_lacks_is_said(folder, tmp_path, capsys, monkeypatch):
    left_out = dict.fromkeys(["p_value", "confidence"], "it needs a gradient")
    agreement = Agreement(64, {"cluster": 0.0, "energy": 1e-7}, left_out)
    monkeypatch.setattr("gedi.cli.export.export", lambda *_, **__: agreement)
    assert main(["export", folder, "--out", str(tmp_path / "model.onnx")]) == 0
    said = capsys.readouterr().out
    assert "The file has no p_value and confidence: it needs a gradient" in said
    assert "x -> cluster, energy written to" in said
