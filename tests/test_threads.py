"""Bits of a training: the same again, and close with another number of threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import threads

OTHER = """
import sys
from pathlib import Path
from threads import trained

folder = Path(sys.argv[1])
trained("moons", 1, 20, folder / "again")
trained("moons", 2, 20, folder / "two")
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The same training here, and in another process with one thread and with two."""
    folder = tmp_path_factory.mktemp("threads")
    threads.trained("moons", 1, 20, folder / "one")
    subprocess.run(
        [sys.executable, "-c", OTHER, str(folder)],
        check=True,
        cwd=Path(threads.__file__).parent,
        env={**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"},
    )
    return [torch.load(folder / name, weights_only=True) for name in ("one", "again", "two")]


def test_one_seed_gives_the_same_bits_in_another_process(trained):
    one, again, _ = trained
    assert one.keys() == again.keys() >= {"1", "10", "gap", "NMI"}
    assert torch.equal(one["10"], again["10"])
    assert one["gap"] == again["gap"] and one["NMI"] == again["NMI"]


def test_another_number_of_threads_stays_close_at_first(trained):
    one, _, two = trained
    for iteration, tolerance in (("1", 1e-4), ("10", 1e-3)):
        torch.testing.assert_close(one[iteration], two[iteration], rtol=0, atol=tolerance)
    assert abs(one["gap"] - two["gap"]) < 0.02
