"""`gedi profile` as users call it."""

import json

import numpy as np
import pandas as pd
import pytest

from gedi.cli import main
from processes import said_by

SMALL = [
    *("--n-clusters", "2", "--encoder.hidden", "[16]", "--batch-size", "32", "--device", "cpu"),
    *("--sampler.kind", "langevin"),
]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "table.npy"
    np.save(path, np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32))
    return str(path)


def test_a_table_is_printed_and_figures_are_written(table, tmp_path, monkeypatch):
    out = tmp_path / "figures.json"
    monkeypatch.chdir(tmp_path)
    command = ["profile", table, *SMALL, "--restarts.n", "1", "--cycles", "2", "--threads", "1"]
    said, _ = said_by(*command, "--out", out)
    lines = said.splitlines()
    assert "one network, batch 32; 1 thread" in lines[0]
    names = {line[:18].strip() for line in lines[2:]}
    assert {"chains", "jumps", "terms and gradient", "Adam and averaging", "iteration"} < names
    assert "…" not in said
    figures = json.loads(out.read_text())
    assert figures["settings"]["batch_size"] == 32
    assert len(figures["profile"]["parts"]["chains"]["seconds"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]


def test_restarts_and_settings_from_a_file(table, tmp_path, capsys):
    config = tmp_path / "settings.yaml"
    config.write_text("restarts: {n: 2, kmeans: 0}\n")
    arguments = ["profile", table, *SMALL, "--config", str(config), "--cycles", "1"]
    assert main([*arguments, "--side-by-side", "--processor-time"]) == 0
    assert "2 networks side by side" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--cycles", "0"], "expected at least 1, got 0"),
        (["--threads", "0"], "--threads: expected at least 1, got 0"),
        (["--restarts.n", "1", "--side-by-side"], "expected restarts.n above 1"),
        (["--out", "figures.txt"], "expected a file name that ends in .json"),
        (["--batch-size", "1"], "batch_size"),
        (["--checkpoint-every", "3"], "--checkpoint-every"),
    ],
    ids=str,
)
def test_wrong_input_is_told(table, capsys, wrong, said):
    assert main(["profile", table, *SMALL, *wrong]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gedi: error: ") and said in error


def test_a_stream_is_refused(tmp_path, capsys):
    pd.DataFrame(np.random.default_rng(0).normal(size=(100, 3))).rename(columns=str).to_parquet(
        tmp_path / "t.parquet"
    )
    assert main(["profile", str(tmp_path), *SMALL, "--streaming"]) == 2
    assert "streaming: expected data in memory" in capsys.readouterr().err


def test_data_that_are_not_there_are_told(capsys):
    assert main(["profile", "nowhere.csv", *SMALL]) == 2
    assert "nowhere.csv" in capsys.readouterr().err
