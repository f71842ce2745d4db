"""A training seen from outside, and the rule that ends it."""

import math
from dataclasses import replace

import torch

from gedi.model.smoothing import Smoothing
from gedi.objective import Terms, Weights
from gedi.training.monitor import Monitor, Plateau
from small_trainings import blobs, fresh_state, view


def monitor(**changes):
    return Monitor(blobs(), view(), **changes)


def test_the_same_model_measures_the_same_twice():
    state = fresh_state()
    first, second = (
        monitor().measure(state.average, state.buffer.positions, state.log_prior) for _ in range(2)
    )
    assert first[0] == second[0]
    assert first[1] == second[1]
    other = monitor(seed=1).measure(state.average, state.buffer.positions, state.log_prior)
    assert other[0].inv != first[0].inv


def test_a_monitor_of_the_first_points_measures_these_alone():
    state = fresh_state()
    some, whole = monitor().of_first(20), monitor()
    assert len(some.x) == 20 and len(whole.of_first(10**6).x) == len(whole.x)
    found = some.measure(state.average, state.buffer.positions, state.log_prior)
    alone = replace(whole, x=whole.x[:20])
    assert found == alone.measure(state.average, state.buffer.positions, state.log_prior)


def test_members_are_measured_one_by_one():
    state = fresh_state((3,))
    terms, rest = monitor().measure(state.average, state.buffer.positions, state.log_prior)
    assert terms.inv.shape == rest["gap"].shape == rest["energy_samples"].shape == (3,)
    expected = -terms.inv - terms.prior - math.log(2)
    torch.testing.assert_close(rest["gap"], expected)
    assert (rest["gap"] >= 0).all()


def terms(loss):
    return Terms(torch.tensor(0.0), torch.tensor(-loss), torch.tensor(0.0))


def test_plateau_waits_for_gains_that_count():
    plateau = Plateau(Weights(1.0, 1.0, 1.0), tol=0.1, patience=30)
    assert not plateau.reached(10, terms(1.0))
    assert not plateau.reached(30, terms(0.95))  # too small a gain
    assert not plateau.reached(39, terms(0.95))
    assert plateau.reached(40, terms(0.95))


def test_a_gain_starts_the_wait_anew():
    plateau = Plateau(Weights(1.0, 1.0, 1.0), tol=0.1, patience=30)
    plateau.reached(10, terms(1.0))
    assert not plateau.reached(35, terms(0.5))
    assert not plateau.reached(64, terms(0.5))
    assert plateau.reached(65, terms(0.5))


def test_the_distance_of_samples_counts_either_way():
    plateau = Plateau(Weights(1.0, 1.0, 1.0), tol=0.1, patience=30)
    for sign in (1.0, -1.0):
        plateau.best = math.inf
        zero = torch.tensor(0.0)
        plateau.reached(0, Terms(torch.tensor(2.0 * sign), zero, zero))
        assert plateau.best == 2.0


def test_without_chains_held_out_points_count_instead_of_samples():
    plateau = Plateau(Weights(1.0, 1.0, 1.0), tol=0.1, patience=30)
    assert not plateau.reached(10, terms(1.0), gain=0.0)
    assert not plateau.reached(40, terms(1.0), gain=0.5)  # the density still improves
    assert plateau.best == 0.5
    assert not plateau.reached(60, terms(1.0), gain=0.4)
    assert plateau.reached(70, terms(1.0), gain=0.3)


def test_energies_of_data_are_those_that_gen_sees():
    state = fresh_state()
    clean, noisy = (
        monitor(smoothing=Smoothing(s)).measure(
            state.average, state.buffer.positions, state.log_prior
        )
        for s in (0.0, 0.5)
    )
    assert noisy[1]["energy_data"] > clean[1]["energy_data"] + 0.01
    assert noisy[1]["gap"] == clean[1]["gap"]
    assert noisy[1]["energy_samples"] == clean[1]["energy_samples"]
