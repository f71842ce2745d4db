"""Factors over time."""

import pytest
import torch

from gedi.training.schedule import Schedule


def test_clustering_ramps_in_after_each_members_warmup():
    schedule = Schedule(warmups=(0, 10), ramp=4)
    rows = [schedule.clustering(i).tolist() for i in (0, 9, 10, 11, 13, 50)]
    assert rows == [[1, 0], [1, 0], [1, 0.25], [1, 0.5], [1, 1], [1, 1]]


def test_gen_is_on_unless_told_to_start_late():
    assert Schedule().gen(0) == 1
    late = Schedule(gen_start=10, ramp=5)
    assert [late.gen(i) for i in (0, 9, 10, 14, 100)] == [0, 0, 0.2, 1, 1]


def test_a_ramp_of_zero_is_a_step():
    late = Schedule(warmups=(3,), gen_start=3, ramp=0)
    assert [late.gen(i) for i in (2, 3)] == [0, 1]
    assert [float(late.clustering(i)) for i in (2, 3)] == [0, 1]


def test_learning_rate_rises_stays_and_falls_to_zero():
    schedule = Schedule(learning_rate_warmup=10, decay=0.5)
    assert schedule.learning_rate(0, 0) == pytest.approx(0.1)
    assert schedule.learning_rate(9, 0.1) == schedule.learning_rate(500, 0.5) == 1
    assert schedule.learning_rate(750, 0.75) == pytest.approx(0.5)
    assert schedule.learning_rate(1000, 1.0) == pytest.approx(0)
    falling = [schedule.learning_rate(900, p) for p in torch.linspace(0.5, 1, 20).tolist()]
    assert falling == sorted(falling, reverse=True)


def test_without_decay_it_stays():
    assert Schedule(decay=0.0).learning_rate(1000, 1.0) == 1


def test_learning_rate_is_less_while_gen_takes_part():
    schedule = Schedule(learning_rate_warmup=1, gen_start=100, gen_slowdown=0.25)
    assert [schedule.learning_rate(i, 0.0) for i in (99, 100)] == [1.0, 0.25]
