"""The command line in a process of its own."""

import os
import subprocess
import sys


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
