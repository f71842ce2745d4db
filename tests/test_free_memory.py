"""Available memory, read from files such as those of Linux."""

import resource
import sys
from mmap import mmap

import numpy as np
import pytest
import torch

from gedi.free_memory import free_memory, free_on_cpu, resident

CPU = torch.device("cpu")


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def proc(tmp_path):
    write(tmp_path / "proc", meminfo="MemTotal: 2000 kB\nMemAvailable:    1000 kB\nHugePages: 0\n")
    return tmp_path / "proc"


def test_what_the_machine_has(proc, tmp_path):
    free = free_on_cpu(proc, tmp_path / "none")
    assert free == (1_024_000, "this machine")


def test_a_group_of_version_2_leaves_less(proc, tmp_path):
    write(proc, self__cgroup="0::/user/job\n")
    groups = tmp_path / "groups"
    write(groups / "user/job", memoryDOTmax="max\n", memoryDOTcurrent="600000\n")
    assert free_on_cpu(proc, groups).of == "this machine"
    write(groups / "user", memoryDOTmax="700000\n", memoryDOTcurrent="600000\n")
    write(groups / "user", memoryDOTstat="anon 5\ninactive_file 20000\n")
    assert free_on_cpu(proc, groups) == (120_000, "the control group of this process")


def test_a_group_of_version_1_leaves_less(proc, tmp_path):
    write(proc, self__cgroup="9:name=systemd:/\n4:memory:/job\n3:cpuset:/\n0::/\n")
    group = tmp_path / "groups" / "memory" / "job"
    write(group, memoryDOTlimit_in_bytes="500000\n", memoryDOTusage_in_bytes="450000\n")
    write(group, memoryDOTstat="inactive_file 1\ntotal_inactive_file 7\n")
    assert free_on_cpu(proc, tmp_path / "groups").bytes == 50_007
    # Version 1 writes the largest number for "no limit".
    write(group, memoryDOTlimit_in_bytes="9223372036854771712\n")
    assert free_on_cpu(proc, tmp_path / "groups").of == "this machine"


def test_in_a_container_the_root_is_the_group(proc, tmp_path):
    write(proc, self__cgroup="0::/not/to/be/seen/inside\n")
    write(tmp_path / "groups", memoryDOTmax="9000\n", memoryDOTcurrent="9500\n")
    assert free_on_cpu(proc, tmp_path / "groups").bytes == 0


def test_the_process_may_have_less(proc, tmp_path, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (900_000, 10**9))
    assert free_on_cpu(proc, tmp_path / "none").bytes == 900_000
    write(proc, self__statm="100 50 10\n")
    left = max(0, 900_000 - 100 * resource.getpagesize())
    assert free_on_cpu(proc, tmp_path / "none") == (left, "the limit of this process (ulimit -v)")


def test_none_if_the_system_does_not_report_it(tmp_path):
    assert free_on_cpu(tmp_path, tmp_path) is None
    assert resident(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_of_this_process():
    before = resident()
    held = np.frombuffer(mmap(-1, 2**26), np.uint8)  # new pages, which no allocator has kept
    held[:] = 1
    assert 2**25 < resident() - before < 2**27
    del held
    assert free_memory(CPU).bytes > 0


@pytest.mark.gpu
def test_of_a_device():
    device = torch.device("cuda")
    before = free_memory(device)
    held = torch.ones(2**26, device=device)
    assert before.of == "the device cuda"
    assert free_memory(device).bytes <= before.bytes - held.numel() * 4
