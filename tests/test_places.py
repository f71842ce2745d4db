"""The number of a process, from its environment variables."""

import pytest

from gedi.places import is_first, is_first_here, label

NAMES = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID", "SLURM_LOCALID")


@pytest.mark.parametrize(
    ("environment", "first", "first_here", "prefix"),
    [
        ({}, True, True, ""),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, True, True, ""),
        ({"LOCAL_RANK": "1"}, False, False, "process 1: "),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, False, True, ""),
        ({"RANK": "4", "LOCAL_RANK": "0"}, False, True, "process 4: "),
        ({"SLURM_PROCID": "5", "SLURM_LOCALID": "1"}, False, False, ""),
        ({"SLURM_PROCID": "4", "SLURM_LOCALID": "0"}, False, True, ""),
    ],
)
def test_places(monkeypatch, environment, first, first_here, prefix):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_first(8) is first and is_first_here(8) is first_here and label() == prefix
    # Tasks of a cluster that have nothing to do with each other.
    assert is_first(1) and is_first_here(1)
