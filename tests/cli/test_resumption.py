"""Trainings that are killed, asked to stop, or run out of disk, and go on with the same bits."""

import csv
import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import gedi
import kills
import short_reports
from gedi.cli import main
from gedi.cli.signals import stoppable
from gedi.runs.checkpoints import Checkpoints
from gedi.training.session import Session
from processes import start, wait_for

pytestmark = pytest.mark.usefixtures("short_reports")

SMALL = [
    *("--n-clusters", "2", "--restarts.n", "1", "--encoder.hidden", "[16]", "--device", "cpu"),
    *("--batch-size", "32", "--evaluate-every", "10"),
]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return kills.make_table(tmp_path_factory.mktemp("data") / "table.csv")


@pytest.fixture(scope="module")
def train(table):
    """The arguments of a training with a checkpoint after each of its iterations."""
    return ["train", table, *SMALL, "--max-iter", "40", "--checkpoint-every", "0"]


@pytest.fixture(scope="module")
def whole(train, tmp_path_factory):
    """The run folder of that training, which was never stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert main([*train, "--out", str(folder)]) == 0
    return folder


def iterations(folder):
    with (folder / "metrics.csv").open() as stream:
        return [int(row["iteration"]) for row in csv.DictReader(stream)]


KILLS = "import kills, short_reports as short\n" + (
    "with short.without_charts(), short.with_few_moves(): kills.main()"
)


@pytest.mark.parametrize("number", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_killed_trainings_end_with_the_same_bits(number):
    folders = [Path(module.__file__).parent for module in (kills, short_reports)]
    paths = [*map(str, folders), str(Path(gedi.__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-c", KILLS, "--check", "--kills", str(number), "--seed", "3"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(row["kills"] for row in rows) == number
    assert all(row["differences"] == [] for row in rows)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_training_asked_to_stop_does_so_and_goes_on_with_the_same_bits(table, tmp_path, number):
    arguments = ["train", table, *SMALL, "--max-iter", "200", "--patience", "1000"]
    whole, broken = tmp_path / "whole", tmp_path / "broken run"
    process = start(*arguments, "--out", str(broken))
    try:
        wait_for((broken / "metrics.csv").exists)
        process.send_signal(number)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert f"gedi resume '{broken}'" in err and Checkpoints(broken / "checkpoints").files()
    assert max(iterations(broken)) < 200
    assert main(["resume", str(broken)]) == 0
    assert main([*arguments, "--out", str(whole)]) == 0
    assert kills.difference(whole, broken) == []
    assert iterations(broken) == list(range(10, 201, 10))


def test_an_iteration_that_takes_too_long_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("gedi.cli.signals._PATIENCE", 0.5)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), stoppable(np.inf) as is_asked:
        os.kill(os.getpid(), signal.SIGTERM)
        assert not time.sleep(0.01)
        for _ in range(1000):
            time.sleep(0.01)
        assert is_asked()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_iteration_that_ends_in_time_is_not_cut():
    with stoppable(np.inf) as is_asked:
        assert not is_asked()
        os.kill(os.getpid(), signal.SIGINT)
        assert is_asked()
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
        with pytest.raises(KeyboardInterrupt):  # the second one counts at once
            os.kill(os.getpid(), signal.SIGINT)


def test_what_is_cut_within_an_iteration_goes_on_from_the_last_checkpoint(
    train, whole, tmp_path, monkeypatch, capsys
):
    step = Session.advance

    def cut(session, until=None):
        if session.state.iteration == 0:
            step(session, until=15)
        for parameter in session.state.model.parameters():  # no place to go on from
            parameter.data.zero_()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Session, "advance", cut)
        assert main([*train, "--out", str(tmp_path / "cut")]) == 130
    assert "the last checkpoint is kept" in capsys.readouterr().err
    assert main(["resume", str(tmp_path / "cut")]) == 0
    assert kills.difference(whole, tmp_path / "cut") == []


def test_a_torn_checkpoint_is_told_and_the_one_before_it_used(whole, tmp_path, capsys):
    torn = shutil.copytree(whole, tmp_path / "torn")
    (torn / "result.json").unlink()  # as if killed before it was written
    last = Checkpoints(torn / "checkpoints").files()[-1]
    last.write_bytes(last.read_bytes()[:-1])
    capsys.readouterr()
    assert main(["resume", str(torn)]) == 0
    told = capsys.readouterr().err
    assert last.name in told and "is damaged" in told and "the checkpoint before it is used" in told
    assert kills.difference(whole, torn) == []
    (torn / "result.json").unlink()
    for file in Checkpoints(torn / "checkpoints").files():
        file.write_bytes(b"")
    assert main(["resume", str(torn)]) == 2
    assert "is damaged" in capsys.readouterr().err


def test_a_checkpoint_of_another_training_is_refused(table, whole, tmp_path, capsys):
    one, other = shutil.copytree(whole, tmp_path / "one"), tmp_path / "other"
    wider = [*SMALL, "--encoder.hidden", "[8]"]
    assert main(["train", table, *wider, "--max-iter", "10", "--out", str(other)]) == 0
    (one / "result.json").unlink()
    for file in Checkpoints(one / "checkpoints").files():
        file.unlink()
    file = Checkpoints(other / "checkpoints").files()[-1]
    (one / "checkpoints" / file.name).write_bytes(file.read_bytes())
    assert main(["resume", str(one)]) == 2
    assert "does not fit the settings" in capsys.readouterr().err


def test_a_full_disk_costs_what_cannot_be_written_and_nothing_else(train, whole, tmp_path):
    full = tmp_path / "full"

    def limit():  # what a process gets at the end of a disk, for files above this size
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    process = start(*train, "--out", str(full), preexec_fn=limit)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2 and "Traceback" not in err, err
    assert err.count("the checkpoint cannot be written") == 1 and "make room" in err
    assert not list(full.rglob(".*.partial"))
    assert iterations(full) == [10, 20, 30, 40]
    assert main(["resume", str(full)]) == 0
    assert kills.difference(whole, full) == []


def test_a_full_disk_is_told_in_one_line_wherever_it_happens(monkeypatch, capsys):
    def full(options):
        raise OSError(errno.ENOSPC, "No space left on device", "out.npz")

    monkeypatch.setattr("gedi.cli.sample.run", full)
    assert main(["sample", "run"]) == 2
    assert capsys.readouterr().err == "gedi: error: out.npz: No space left on device: make room\n"
