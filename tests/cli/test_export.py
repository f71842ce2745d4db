"""`gedi export` as users call it."""

import numpy as np
import pytest

from gedi.cli import main
from gedi.data.dataset import Dataset
from gedi.data.source import Source
from gedi.evidence.group_files import GroupSource
from gedi.runs import Run
from gedi.training.session import start
from small_trainings import SMALL, heaps

onnx = pytest.importorskip("onnx", reason="ONNX files need the extra export")
onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX files need the extra export")


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
    assert "On 64 points of noise, probabilities differ from PyTorch's by at most" in said
    assert f"x -> probabilities, energy, log_density written to {out}" in said and err == ""
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
