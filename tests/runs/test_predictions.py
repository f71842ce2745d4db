"""Tables of predictions: the same numbers as in memory, also after being killed."""

import copy
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import gedi
from gedi.cli import main
from gedi.data import rows as rows_module
from gedi.data import tables
from gedi.data.dataset import Dataset
from gedi.data.rows import open_rows
from gedi.data.source import Source
from gedi.errors import DataError, RunError
from gedi.model.box import Box
from gedi.runs import Run
from gedi.runs.part_files import PartFiles
from gedi.runs.predictions import predict_to_file
from gedi.settings import EncoderSettings
from gedi.training import trained as trained_module
from gedi.training.plan import plan
from gedi.training.session import start
from small_trainings import SMALL, heaps

N, PART = 5000, 1024
NAMES = ["a", "b"]
SCORED = ["outlier_score", "p_value", "confidence"]


@pytest.fixture(scope="module")
def trained():
    settings = replace(SMALL, max_iter=30, encoder=EncoderSettings(hidden=[16], base=True))
    return start(Dataset("heaps", heaps()[0]), settings).run().trained


@pytest.fixture(autouse=True)
def _small_parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trained_module, "_MOST_CHUNKS", 1)
    monkeypatch.setattr(rows_module, "_BLOCK_VALUES", 1000)
    monkeypatch.setattr(tables, "_PART_VALUES", 1000)


@pytest.fixture
def table():
    frame = pd.DataFrame(heaps(N)[0].astype(float), columns=NAMES)
    frame.to_parquet("t.parquet")
    return frame


def listing():
    return sorted(path.name for path in Path().iterdir())


def killed_after(n_parts):
    """What is called with shares, and ends the run when so many parts are there."""

    def watch(share):
        if len(list(Path(".out.csv.parts").glob("0*"))) == n_parts:
            raise KeyboardInterrupt

    return watch


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_numbers_are_those_in_memory(trained, table, suffix):
    shares = []
    target = Path(f"out.{suffix}")
    assert predict_to_file(trained, open_rows("t.parquet", NAMES), target, shares.append) == N
    found = (pd.read_csv if suffix == "csv" else pd.read_parquet)(target)
    whole = trained.predict(table.to_numpy())
    np.testing.assert_array_equal(found["cluster"], whole.clusters)
    np.testing.assert_array_equal(found["log_density"], whole.log_density)
    for cluster in range(2):
        probabilities = whole.probabilities[:, cluster]
        expected = np.round(probabilities, 6) if suffix == "csv" else probabilities
        np.testing.assert_array_equal(found[f"probability_{cluster}"], expected)
    assert list(found) == ["cluster", "probability_0", "probability_1", "log_density", *SCORED]
    assert len(shares) > 5 and shares[-1] == 1
    assert listing() == [target.name, "t.parquet"]


def test_outliers_are_scored_and_explained(trained, table):
    table.loc[7, "b"] += 1e5
    table.to_parquet("t.parquet")
    rows = open_rows("t.parquet", NAMES)
    predict_to_file(trained, rows, Path("out.parquet"), explained=NAMES)
    found, x = pd.read_parquet("out.parquet"), table.to_numpy()
    scores = trained.outlier_scores(x)
    np.testing.assert_array_equal(found["outlier_score"], scores)
    np.testing.assert_array_equal(found["p_value"], trained.outlier_p_values(scores))
    assert found["p_value"].idxmin() == 7 and found["confidence"][7] < 0.2
    contributions = found[["contribution_a", "contribution_b"]].to_numpy()
    np.testing.assert_allclose(contributions.sum(1), -scores, atol=1e-9)
    assert found["reasons"][7].startswith("b 100,") and "(typical " in found["reasons"][7]
    np.testing.assert_array_equal(
        found[["typical_a", "typical_b"]], trained.explain_outliers(x).typical
    )
    predict_to_file(trained, rows, Path("out.csv"), explained=NAMES)
    written = pd.read_csv("out.csv", dtype=str)
    assert written["typical_a"].str.replace(r"[-.]|e.*", "", regex=True).str.len().max() <= 8
    np.testing.assert_allclose(written["typical_a"].astype(float), found["typical_a"], rtol=1e-6)
    older = replace(trained, outliers=None)
    predict_to_file(older, rows, Path("older.csv"))
    assert not {*SCORED} & {*pd.read_csv("older.csv")}
    with pytest.raises(DataError, match="explanations of outliers"):
        predict_to_file(older, rows, Path("older.csv"), explained=NAMES)


def test_blocks_do_not_change_the_bits(trained, table, monkeypatch):
    x = table.to_numpy()
    whole = trained.predict(x)
    for n in (1, 700, N):
        parts = list(trained.predict_parts(x[i : i + n] for i in range(0, N, n)))
        assert [len(part.clusters) for part in parts] == [PART] * 4 + [N - 4 * PART]
        for name, values in whole._asdict().items():
            found = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(found, values)
    monkeypatch.setattr(trained_module, "_MOST_CHUNKS", 64)
    np.testing.assert_array_equal(trained.predict(x).log_density, whole.log_density)


def test_parts_hang_on_the_number_of_features_alone(trained, monkeypatch):
    monkeypatch.setattr(trained_module, "_MOST_CHUNKS", 64)
    for d, expected in ((2, 65536), (128, 32768), (100_000, 1024)):
        wide = Box(torch.zeros(d), torch.ones(d))
        assert replace(trained, box=wide).part_rows == expected


@pytest.mark.parametrize("n_parts", [1, 3])
def test_what_was_killed_goes_on_and_ends_the_same(trained, table, n_parts):
    target, rows = Path("out.csv"), open_rows("t.parquet", NAMES)
    predict_to_file(trained, rows, target)
    expected = target.read_bytes()
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        predict_to_file(trained, rows, target, killed_after(n_parts))
    assert target.read_text() == "old"
    first = sorted(Path(".out.csv.parts").glob("0*"))[0]
    before = first.stat().st_mtime_ns
    with pytest.raises(KeyboardInterrupt):
        predict_to_file(trained, rows, target, killed_after(n_parts + 1))
    assert first.stat().st_mtime_ns == before  # it went on
    assert predict_to_file(trained, rows, target) == N
    assert target.read_bytes() == expected
    assert not Path(".out.csv.parts").exists()


def test_another_source_or_model_starts_anew(trained, table):
    target, rows = Path("out.csv"), open_rows("t.parquet", NAMES)
    other = replace(trained, model=copy.deepcopy(trained.model))
    other.model.head.bias[0, 0] += 1e-3
    for change in ("model", "source"):
        with pytest.raises(KeyboardInterrupt):
            predict_to_file(trained, rows, target, killed_after(2))
        model = other if change == "model" else trained
        if change == "source":
            (table + 1).to_parquet("t.parquet")
        predict_to_file(model, rows, target)
        found = pd.read_csv(target)
        expected = model.predict(pd.read_parquet("t.parquet").to_numpy()).log_density
        np.testing.assert_array_equal(found["log_density"], expected)


def test_points_in_memory_start_anew(trained, table):
    target = Path("out.csv")
    rows = open_rows("t.parquet", NAMES)
    with pytest.raises(KeyboardInterrupt):
        predict_to_file(trained, rows, target, killed_after(2))
    data = Dataset("some", table.to_numpy()[:1500], files=tuple(f"{i}.png" for i in range(1500)))
    assert predict_to_file(trained, data, target) == 1500
    found = pd.read_csv(target)
    assert found["file"].tolist() == list(data.files)
    np.testing.assert_array_equal(found["cluster"], trained.predict(data.x).clusters)
    assert listing() == ["out.csv", "t.parquet"]


def test_mistakes_leave_nothing_behind(trained, table):
    table.loc[4321, "b"] = np.nan
    table.to_parquet("t.parquet")
    with pytest.raises(DataError, match="the first in row 4321, column 'b'"):
        predict_to_file(trained, open_rows("t.parquet", NAMES), Path("out.csv"))
    with pytest.raises(DataError, match="among rows 4096 to 4999, the first in row 4321"):
        list(trained.predict_parts([table.to_numpy()]))
    assert listing() == ["t.parquet"]


def test_a_file_that_grows_meanwhile_is_refused(trained, table):
    table.to_csv("t.csv", index=False)

    def grow(share):
        with Path("t.csv").open("a") as stream:
            stream.write("0.5,1.2")  # of 1.25, for example

    with pytest.raises(DataError, match=r"t\.csv has changed while it was read"):
        predict_to_file(trained, open_rows("t.csv", NAMES), Path("out.csv"), grow)
    assert listing() == ["t.csv", "t.parquet"]


def test_a_full_disk_keeps_what_is_there(trained, table, monkeypatch):
    rows, target = open_rows("t.parquet", NAMES), Path("out.csv")
    to_csv, written = pd.DataFrame.to_csv, []

    def full(self, *arguments, **options):
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(1)
        return to_csv(self, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(pd.DataFrame, "to_csv", full)
        with pytest.raises(RunError, match=r"No space left on device.*run the same command again"):
            predict_to_file(trained, rows, target)
    assert len(list(Path(".out.csv.parts").glob("0*"))) == 2
    assert predict_to_file(trained, rows, target) == N


SCRIPT = """
import os, signal, sys
from pathlib import Path
from gedi.data import tables
from gedi.runs import predictions as predicting
from gedi.training import trained
from gedi.cli import main

trained._MOST_CHUNKS, tables._PART_VALUES = 1, 1000
write = predicting._write

def killing(*arguments, **options):
    write(*arguments, **options)
    if len(list(Path(".out.parquet.parts").glob("0*"))) == 2:
        os.kill(os.getpid(), signal.SIGKILL)  # with a part that is not renamed yet

predicting._write = killing
main(["predict", "run", "t.parquet", "--out", "out.parquet"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills")
def test_the_command_goes_on_after_a_kill(trained, table, capsys):
    settings = replace(SMALL, encoder=EncoderSettings(hidden=[16], base=True))
    data = Dataset("heaps", table.to_numpy(), feature_names=tuple(NAMES))
    run = Run.create(
        Path("run"), Source("t.parquet"), data, plan(data, settings).settings, overwrite=False
    )
    run.save_model(trained)
    source = str(Path(gedi.__file__).parents[1])
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    first = Path(".out.parquet.parts/000000-1024")
    before = first.stat().st_mtime_ns
    assert not Path("out.parquet").exists()
    command = ["predict", "run", "t.parquet", "--out", "out.parquet"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PartFiles, "finish", lambda self, join: None)
        assert main(command) == 0
    assert first.stat().st_mtime_ns == before  # it went on
    assert main(command) == 0
    assert "5000 points written" in capsys.readouterr().out
    found = Path("out.parquet").read_bytes()
    assert main([*command, "--overwrite"]) == 0
    assert Path("out.parquet").read_bytes() == found
    assert listing() == ["out.parquet", "run", "t.parquet"]
