"""A long training takes no more memory than a short one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gedi

_MIB = 2**20

# The session with all its hooks, and a checkpoint every few iterations; its page has no charts.
SCRIPT = """
import json, sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from gedi.cli import training_run
from gedi.data.dataset import Dataset
from gedi.training.session import start
from gedi.free_memory import resident
from gedi.data.source import Source
from gedi.runs import Run
from gedi.training.progress import Progress
from short_reports import with_few_moves, without_charts
from small_trainings import SMALL, heaps

iterations, leak = int(sys.argv[1]), int(sys.argv[2])
EARLY = 250
dataset = Dataset("heaps", heaps()[0])
settings = replace(SMALL, max_iter=iterations, patience=10**9, evaluate_every=25)
found, leaked = {}, []

class Watch(Progress):
    def on_record(self, session, record):
        super().on_record(session, record)
        found[session.state.iteration] = resident()
        leaked.append(b"x" * leak)

training_run.Progress = Watch
session = start(dataset, settings)
run = Run.create(Path("run"), Source("heaps"), dataset, session.settings, overwrite=False)
with without_charts(), with_few_moves():
    training_run.train_to_end(run, session, Console(stderr=True), every=0.05)
print(json.dumps([found[EARLY], found[iterations], len(run.checkpoints.files())]))
"""


def growth(folder, iterations, leak=0):
    """Bytes that memory grows by after 250 iterations."""
    paths = os.pathsep.join([str(Path(gedi.__file__).parents[1]), str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(iterations), str(leak)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    early, late, n_checkpoints = json.loads(done.stdout.splitlines()[-1])
    assert n_checkpoints == 3  # the last ones of many
    print(f"from {early / _MIB:.1f} to {late / _MIB:.1f} MiB")
    return late - early


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow(tmp_path):
    assert growth(tmp_path, 500) < 4 * _MIB


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_over_many_iterations(tmp_path):
    assert growth(tmp_path, 10_000) < 8 * _MIB


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_leak_would_be_seen(tmp_path):
    # A megabyte with each record: less can hide in memory that checkpoints gave back.
    assert growth(tmp_path, 500, leak=1_000_000) > 4 * _MIB
