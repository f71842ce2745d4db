"""The command line, in a process of its own or in this one."""

import io
import os
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from gedi.cli import main


def start(*arguments, **options):
    """`gedi` with one thread; its output is text to be read."""
    return subprocess.Popen(
        [sys.executable, "-m", "gedi", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **options,
    )


def said_by(*arguments):
    """What `gedi` prints in this process, where it ends well: its output, and its messages."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*map(str, arguments)])
    assert code == 0, err.getvalue()
    return out.getvalue(), err.getvalue()


def children_of(pid):
    """Processes that a process started, on Linux."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_gone(pid):
    """Whether a process has ended, on Linux."""
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "\nState:\tZ" in status.read_text()


def wait_for(condition, seconds=180):
    """Until it holds."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert condition()
