"""What is told when a process of a training is gone."""

import subprocess
import sys

import pytest
import torch

from gedi.errors import RunError, SettingsError
from gedi.training import processes as launching
from gedi.training.processes import Crew, OneProcess, launched, needs_fabric, set_up
from processes import is_gone, wait_for


def ended_with(code):
    child = subprocess.Popen([sys.executable, "-S", "-c", f"import os; {code}"])
    child.wait()
    return child


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("os._exit(0)", None),
        ("os._exit(3)", "process 1 (counted from 0) ended with code 3"),
        ("os.kill(os.getpid(), 9)", "process 1 (counted from 0) was killed by SIGKILL"),
    ],
)
def test_trouble_with_a_child(code, told):
    assert Crew(None, started=[ended_with(code)]).trouble() == told


ALONE = """
import sys
import numpy as np
import gedi

settings = gedi.Settings(max_iter=2, device="cpu")
gedi.fit(np.random.default_rng(0).normal(size=(60, 2)), 2, settings=settings)
print("torch" in sys.modules, "lightning_fabric" in sys.modules)
"""


def test_a_parent_that_is_gone():
    assert "the first process" in Crew(None, parent=-1).trouble()
    assert not Crew(None, parent=-1).is_led and not Crew(None).is_led
    assert Crew(None).trouble() is None


def test_an_exchange_that_fails_says_who_is_gone(monkeypatch):
    monkeypatch.setattr(launching, "n_processes", lambda: 2)
    crew = Crew(None, children=[ended_with("os._exit(3)")], advice="go on")
    with (
        pytest.raises(RunError, match=r"process 1 .* ended with code 3, so .* go on"),
        crew.failures_told(),
    ):
        raise RuntimeError("whatever")


def test_a_connection_that_is_lost(monkeypatch):
    monkeypatch.setattr(launching, "n_processes", lambda: 2)
    monkeypatch.setattr(launching, "_GRACE", 0.0)
    with pytest.raises(RunError, match="connection to another process"), Crew(None).failures_told():
        raise torch.distributed.DistBackendError("NCCL communicator was aborted")
    with pytest.raises(RunError, match="Connection closed"), Crew(None).failures_told():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:1] Connection closed by peer")


def test_errors_that_are_our_own_stay_what_they_are(monkeypatch):
    with pytest.raises(RuntimeError, match="shapes"), Crew(None).failures_told():
        raise RuntimeError("shapes do not fit")
    monkeypatch.setattr(launching, "n_processes", lambda: 2)
    monkeypatch.setattr(launching, "_GRACE", 0.0)
    with pytest.raises(RuntimeError, match="shapes"), Crew(None).failures_told():
        raise RuntimeError("shapes do not fit")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_one_that_waits_for_ever_is_ended():
    script = """
import subprocess, sys, time
from gedi.training import processes as launching
launching._LOOK = launching._GRACE = 0.05
child = subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(1)"])
other = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(100)"])
print(other.pid, flush=True)
launching.Crew(None, started=[child, other], advice="go on").look_after()
time.sleep(100)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2  # not 0, as after the sleep
    error = "error: process 1 (counted from 0) ended with code 1, so the training cannot continue"
    assert error in done.stderr and "go on\n" in done.stderr
    wait_for(lambda: is_gone(int(done.stdout)), 30)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_thread_that_watches_ends_before_the_interpreter():
    script = """
import atexit, threading
from gedi.training import processes as launching
atexit.register(lambda: print([t.name for t in threading.enumerate()]))  # called last
launching._GRACE = 100
launching.Crew(None, parent=-1).look_after()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 and done.stdout == "['MainThread']\n"


def test_alone_nothing_is_started_or_wrapped():
    crew = launched("cpu", 1, 1)
    assert crew.children == [] and crew.parent is None
    model = torch.nn.Linear(2, 2)
    wrapped, _ = set_up(crew.fabric, model, torch.optim.Adam(model.parameters()), torch.ones(1, 2))
    assert wrapped is model
    assert all(parameter.grad is None for parameter in model.parameters())


def test_another_number_of_processes_than_torchrun_started_is_refused(monkeypatch):
    variables = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "1"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"--devices, --nodes: .*4.*does not match.*2"):
        launched("cpu", 4, 1)


def test_fabric_is_needed_but_by_one_process_on_the_cpu():
    assert isinstance(launched("cpu", 1, 1).fabric, OneProcess)
    assert not needs_fabric("cpu", 1) and needs_fabric("cpu", 2)
    found = subprocess.run(
        [sys.executable, "-c", ALONE], check=True, capture_output=True, text=True
    ).stdout
    assert found.split() == ["True", "False"]
