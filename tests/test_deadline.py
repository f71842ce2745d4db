import math
import time

import pytest

from gedi.deadline import Deadline, growing


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless it is moved."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def rounds(clock, rows, first, deadline, seconds_of, **how):
    found = []
    for m in growing(rows, first, deadline, **how):
        found.append(m)
        clock[0] += seconds_of(m)
    return found


def test_rows_grow_as_fast_as_the_time_of_the_work_lets_them(clock):
    linear = rounds(clock, 10**6, 100, Deadline.after(10), lambda m: m / 100, power=1.0)
    assert linear[:2] == [100, 900]
    squares = rounds(clock, 10**6, 100, Deadline.after(10), lambda m: (m / 100) ** 2)
    assert squares[:2] == [100, 300]


def test_time_is_left_until_the_deadline_has_passed(clock):
    deadline = Deadline.after(10, begun=95.0)
    assert deadline.left == 5 and deadline.share(0.4).left == 2 and not deadline.passed
    clock[0] = 106.0
    assert deadline.left == 0 and deadline.passed and deadline.share(0.5).passed


def test_without_a_limit_there_is_always_time(clock):
    deadline = Deadline.after(None)
    assert deadline.left == math.inf and not deadline.is_set and not deadline.passed
    assert deadline.share(0.1) == deadline
    assert rounds(clock, 1000, 10, deadline, lambda m: 1e9) == [1000]


def test_a_trial_tells_how_much_work_there_is_time_for(clock):
    def work():
        clock[0] += 2.0

    assert Deadline.after(12).affords(work, 4) == 20  # two seconds for four, and ten are left
    assert Deadline.after(1).affords(work, 4) == 0
    assert Deadline().affords(None, 4) == math.inf  # not called


def test_rows_grow_as_far_as_time_allows(clock):
    def quadratic(m):
        return (m / 100) ** 2

    assert rounds(clock, 1000, 100, Deadline(104.0), quadratic) == [100, 173]
    assert clock[0] <= 104.0
    assert rounds(clock, 250, 100, Deadline(1000.0), quadratic) == [100, 250]
    assert rounds(clock, 50, 100, Deadline(1000.0), quadratic) == [50]
    assert rounds(clock, 1000, 100, Deadline(0.0), quadratic) == [100]
