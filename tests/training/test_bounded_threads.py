"""Small trainings compute with one thread, and leave the number as it was."""

import torch
from threadpoolctl import threadpool_info

from gedi.training.threads import bounded_threads


def test_small_work_has_one_thread_and_large_work_all(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with bounded_threads(1000):
            assert torch.get_num_threads() == 1
            assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert torch.get_num_threads() == 2
        with bounded_threads(2**40):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
