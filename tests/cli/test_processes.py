"""Several processes on the command line: one training, one run folder, and a word when one dies."""

import csv
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch

from gedi.cli import main
from gedi.runs import Run
from gedi.runs.checkpoints import Checkpoints
from processes import children_of, is_gone, start, wait_for

pytestmark = pytest.mark.usefixtures("short_reports")

SMALL = [
    *("--n-points", "400", "--restarts.n", "2", "--restarts.iterations", "10", "--device", "cpu"),
    *("--encoder.hidden", "[16]", "--batch-size", "64", "--evaluate-every", "10"),
]


def iterations(folder):
    with (folder / "metrics.csv").open() as stream:
        return [int(row["iteration"]) for row in csv.DictReader(stream)]


def test_two_processes_leave_one_run_folder(tmp_path):
    run = tmp_path / "run"
    short = ["--n-points", "200", "--restarts.n", "1", "--max-iter", "30"]
    process = start("train", "moons", *SMALL, "--devices", "2", *short, "--out", str(run))
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert err.startswith("moons: 200 x 2") and len(err.splitlines()) == 2
    assert out.count("Training ended after 30 iterations") == 1
    names = {path.name for path in run.iterdir()}
    assert names == {
        *("run.json", "settings.yaml", "metrics.csv", "model.safetensors"),
        *(".lock", "checkpoints", "result.json", "report.html"),
    }
    assert iterations(run) == [10, 20, 30]
    state, _ = Checkpoints(run / "checkpoints").load()
    assert state["state"]["buffer"]["positions"].shape == (64, 2)
    assert len(state["state"]["generator"]) == 2
    clusters = tmp_path / "clusters.csv"
    assert main(["predict", str(run), "moons", "--out", str(clusters)]) == 0
    assert len(pd.read_csv(clusters)) > 0
    assert Run.open(run).load_model().chains.shape == (64, 2)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("killed", ["other", "first"])
def test_a_process_that_dies_ends_the_training_and_it_goes_on_with_one(tmp_path, killed):
    run = tmp_path / "run"
    process = start(
        *("train", "moons", *SMALL, "--devices", "2", "--max-iter", "100000"),
        *("--patience", "100000", "--checkpoint-every", "0.2", "--out", str(run)),
    )
    try:
        wait_for(lambda: len(Checkpoints(run / "checkpoints").files()) > 1)
        (other,) = children_of(process.pid)
        os.kill(process.pid if killed == "first" else other, signal.SIGKILL)
        _, err = process.communicate(timeout=120)
        wait_for(lambda: is_gone(other), 60)
    finally:
        process.kill()
    assert "Traceback" not in err
    assert f"gedi resume {run}" in err
    if killed == "first":
        assert process.returncode == -signal.SIGKILL
        assert "process 1: the first process of the training has ended before its time" in err
    else:
        assert process.returncode == 2
        assert "error: process 1 (counted from 0) was killed by SIGKILL" in err
    state, damaged = Checkpoints(run / "checkpoints").load()
    assert not damaged
    settings = run / "settings.yaml"
    done = state["state"]["iteration"]
    text = settings.read_text().replace("max_iter: 100000", f"max_iter: {done + 20}")
    settings.write_text(text)
    state["state"]["horizon"] = done + 20
    torch.save(state, Checkpoints(run / "checkpoints").files()[-1])
    assert main(["resume", str(run)]) == 0
    assert Run.open(run).result()["iterations"] == done + 20


def test_mistakes_are_told_once_and_start_nothing(tmp_path, capsys):
    run = str(tmp_path / "run")
    assert main(["train", "moons", *SMALL, "--devices", "3", "--out", run]) == 2
    err = capsys.readouterr().err
    assert err.count("error:") == 1
    assert "setting batch_size: expected a multiple of the 3 processes" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_under_torchrun(tmp_path):
    run = tmp_path / "run"
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    options = {"env": {**os.environ, "OMP_NUM_THREADS": "1"}, "capture_output": True, "text": True}
    command = ["train", "moons", *SMALL, "--max-iter", "30", "--out", str(run)]
    done = subprocess.run(
        [*launcher, "-m", "gedi", *command, "--devices", "2"], check=False, **options
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Training ended after 30 iterations") == 1
    assert iterations(run) == [10, 20, 30]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("asked", ["first", "other"])
def test_a_training_asked_to_stop_does_so_in_all_processes(tmp_path, asked):
    run = tmp_path / "run"
    process = start(
        *("train", "moons", *SMALL, "--devices", "2", "--max-iter", "100000"),
        *("--patience", "100000", "--checkpoint-every", "1000", "--out", str(run)),
    )
    try:
        wait_for(lambda: (run / "metrics.csv").exists() and len(iterations(run)) > 2)
        (other,) = children_of(process.pid)
        os.kill(process.pid if asked == "first" else other, signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Interrupted after" in err and f"gedi resume {run}" in err
    assert len(Checkpoints(run / "checkpoints").files()) == 1
    assert is_gone(other)


@pytest.mark.slow
def test_under_slurm(tmp_path):
    """Two tasks with the variables that SLURM sets; without SLURM itself."""
    run = tmp_path / "run"
    command = ["train", "moons", *SMALL, "--max-iter", "30", "--out", str(run), "--devices", "2"]
    tasks = []
    for place in range(2):
        variables = {
            "SLURM_JOB_ID": "17",
            "SLURM_JOB_NAME": "train",
            "SLURM_NTASKS": "2",
            "SLURM_NTASKS_PER_NODE": "2",
            "SLURM_NNODES": "1",
            "SLURM_NODELIST": "127.0.0.1",
            "SLURM_NODEID": "0",
            "SLURM_PROCID": str(place),
            "SLURM_LOCALID": str(place),
        }
        tasks.append(
            subprocess.Popen(
                [sys.executable, "-m", "gedi", *command],
                env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    told = [task.communicate(timeout=200) for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], told
    assert "Training ended after 30 iterations" in told[0][0] and told[1] == ("", "")
    assert iterations(run) == [10, 20, 30]
