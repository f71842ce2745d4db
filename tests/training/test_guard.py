"""The guard: idle where all is well, and a way back from everything that goes wrong."""

import copy
import math
import re
from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from gedi.errors import DivergenceError
from gedi.objective import Terms, Weights
from gedi.sampling import Cycle, Langevin, ReplayBuffer
from gedi.training.algorithm import train
from gedi.training.guard import Guard, Intervention
from small_trainings import BOX, algorithm, blobs, fresh_state, same


def run(state, fixed, guard=None, *, until=None, disturb=lambda state: None):
    """Train under a guard, with something done to the state after each iteration."""
    if guard is not None and not guard._good:
        guard.begin(state)

    def observe(state, terms):
        disturb(state)
        if guard is not None:
            guard.watch(state, terms)
        return False

    train(Fabric(accelerator="cpu"), state, blobs(), fixed, until=until, observe=observe)
    return state


def stuck(state, step_size=1e-6):
    """The state with chains that hardly move, so that GEN runs away from them."""
    members = state.members
    state.sampler = Cycle([Langevin(step_size, 1, box=BOX, members=members)])
    return state


def poison(at):
    def disturb(state):
        if state.iteration in at:
            next(state.model.parameters()).data.fill_(torch.nan)

    return disturb


def actions(guard):
    return [each.action for each in guard.interventions]


@pytest.mark.parametrize("members", [(), (2,)])
def test_where_all_is_well_nothing_is_changed(members):
    warmups = (0,) * max(1, math.prod(members))
    plain = run(fresh_state(members), algorithm(warmups=warmups))
    fixed = algorithm(warmups=warmups)
    guard = Guard(fixed, every=7)
    guarded = run(fresh_state(members), fixed, guard)
    assert guard.interventions == []
    assert same(plain.state_dict(), guarded.state_dict())
    assert abs(guard.vitals.contrast) < 5 and guard.vitals.gradient_norm > 0
    assert guard.vitals.on_walls == 0 and abs(guard.vitals.staleness) < 5


def test_vitals_are_means_since_the_last_check():
    fixed = replace(algorithm(), gen_every=2)
    state, guard = fresh_state(), Guard(fixed)
    guard.begin(state)
    state.iteration = 1
    state.model(blobs()).square().mean().backward()
    state.buffer.positions[:25, 0] = BOX.low[0]
    for gen, energy in [(3.0, 10.0), (0.0, 0.0)]:
        zero = torch.tensor(0.0)
        guard.watch(state, Terms(torch.tensor(gen), zero, zero, 0.0, torch.tensor(energy)))
    guard.check(state)
    energies = state.model.energy(state.buffer.positions).mean()
    norm = torch.cat([p.grad.flatten() for p in state.model.parameters()]).norm()
    assert guard.vitals.contrast == 3 and guard.vitals.energy == 10
    assert guard.vitals.gradient_norm == pytest.approx(float(norm), rel=1e-5)
    assert guard.vitals.on_walls == pytest.approx(25 / 200)
    assert guard.vitals.staleness == pytest.approx(float(energies.detach()) - 13, abs=1e-4)


@pytest.mark.parametrize("members", [(), (2,)])
def test_no_numbers_lead_back_to_the_last_good_state(members):
    warmups = (0,) * max(1, math.prod(members))
    fixed = algorithm(warmups=warmups)
    state, guard = fresh_state(members), Guard(fixed, every=10)
    seen = {}

    def disturb(state):
        poison([33])(state)
        if state.iteration == 30:
            seen["good"] = copy.deepcopy(state.model.state_dict())
            seen["step"] = state.sampler.state_dict()["moves.0.log_step_size"].clone()
        if state.iteration == 39:
            seen["chains"] = state.buffer.positions.clone()

    run(state, fixed, guard, until=40, disturb=disturb)
    assert actions(guard) == ["rolled back"] and "not finite" in guard.interventions[0].reason
    assert same(state.model.state_dict(), seen["good"])
    step = state.sampler.state_dict()["moves.0.log_step_size"]
    torch.testing.assert_close(step, seen["step"] - math.log(2))
    assert state.learning_rate_factor == 0.5 and state.iteration == 40
    assert (state.buffer.positions != seen["chains"]).all()
    run(state, fixed, guard)
    assert state.iteration == 60 and actions(guard) == ["rolled back"]
    assert all(p.isfinite().all() for p in state.model.parameters())
    assert any((p != seen["good"][n]).any() for n, p in state.model.named_parameters())


def test_the_learning_rate_follows_its_factor():
    fixed, state = algorithm(), fresh_state()
    full = fixed.learning_rate_at(state)
    state.learning_rate_factor = 0.25
    assert fixed.learning_rate_at(state) == full / 4
    rates = []
    run(state, fixed, disturb=lambda s: rates.append(s.optimizer.param_groups[0]["lr"]), until=20)
    assert rates[10] == fixed.learning_rate / 4


def test_a_contrast_on_its_way_out_is_held():
    fixed = algorithm(Weights(1.0, 0.0, 0.0), learning_rate=0.1)
    free, held = (stuck(fresh_state(horizon=600)) for _ in range(2))
    run(free, fixed, until=300)
    guard = Guard(fixed, every=5)
    run(held, fixed, guard, until=300)

    def contrast(state):
        energies = state.model.energy
        return float((energies(state.buffer.positions).mean() - energies(blobs()).mean()).detach())

    assert contrast(free) > guard.limit
    assert actions(guard) == ["held"] and held.max_contrast == guard.limit / 4
    assert contrast(held) < guard.limit / 2


def test_a_contrast_that_is_held_already_is_left_alone():
    fixed = algorithm(Weights(1.0, 0.0, 0.0, max_contrast=3.0), learning_rate=0.1)
    state = stuck(fresh_state())
    assert fixed.weights_at(state).max_contrast == 3
    state.max_contrast = 12.5
    assert fixed.weights_at(state).max_contrast == 3
    state.max_contrast = 2.0
    assert fixed.weights_at(state).max_contrast == 2


def after(contrast=0.0, energy=0.0, *, walls=False, far=False):
    """What a guard does about a state of this kind."""
    fixed = algorithm()
    state, guard = fresh_state(), Guard(fixed)
    guard.begin(state)
    state.iteration = 1
    if walls:
        state.buffer.positions[:] = BOX.high
        state.buffer.positions[:10] = 0
    if far:
        state.buffer.positions[:] = 3.9
    zero = torch.tensor(0.0)
    state.model(blobs()).square().mean().backward()
    energies = state.model.energy(state.buffer.positions).mean().detach()
    now = torch.tensor(energy) if energy else zero if far else energies - contrast
    guard.watch(state, Terms(torch.tensor(contrast), zero, zero, 0.0, now))
    guard.check(state)
    return state, guard


@pytest.mark.parametrize(
    ("wrong", "action", "reason"),
    [
        ({"contrast": 60.0}, "rolled back", "contrast was 60 nats, above 50"),
        ({"contrast": -60.0}, "rolled back", "contrast was -60 nats"),
        ({"contrast": 20.0}, "held", "contrast was 20 nats"),
        ({"energy": 2e6}, "rolled back", "energies were 2e[+]06 nats"),
        ({"walls": True}, "rolled back", "90% of the chains' coordinates were on walls"),
        ({"far": True}, "fresh chains", "those in the buffer had"),
        ({"contrast": math.inf}, "rolled back", "not finite"),
        ({"contrast": math.nan}, "rolled back", "not finite"),
    ],
)
def test_each_thing_that_goes_wrong_has_its_answer(wrong, action, reason):
    state, guard = after(**wrong)
    assert actions(guard) == [action]
    assert guard.interventions[0].reason in str(guard.interventions[0])
    assert re.search(reason, guard.interventions[0].reason)
    if action != "held":
        assert not (state.buffer.positions == BOX.high).any()
        assert not (state.buffer.positions == 3.9).any()


def test_nothing_is_wrong_with_a_fresh_state():
    assert after()[1].interventions == []


def test_a_bad_state_is_not_taken_for_good():
    fixed = algorithm()
    state, guard = fresh_state(), Guard(fixed)
    guard.begin(state)
    state.iteration = 1
    start = copy.deepcopy(state.model.state_dict())
    zero = torch.tensor(0.0)
    for contrast in (20.0, 60.0):
        state.model(blobs()).square().mean().backward()
        for parameter in state.model.parameters():
            parameter.data += 0.01
        guard.watch(state, Terms(torch.tensor(contrast), zero, zero))
        guard.check(state)
    assert actions(guard) == ["held", "rolled back"]
    assert same(state.model.state_dict(), start)


def test_a_training_past_all_cures_is_given_up_with_advice():
    fixed = algorithm()
    state, guard = fresh_state(horizon=1000), Guard(fixed, every=2)
    with pytest.raises(DivergenceError, match=r"smaller learning_rate.*n_steps") as told:
        run(state, fixed, guard, disturb=poison(range(1000)))
    assert "diverged 9 times" in str(told.value) and len(guard.interventions) == 8
    assert state.learning_rate_factor == 1 / 256


@pytest.mark.parametrize("at", [12, 33, 35])
def test_a_saved_guard_goes_on_with_the_same_bits(at, tmp_path):
    fixed = algorithm()

    def parts():
        return fresh_state(), Guard(fixed, every=10)

    disturb = poison([13, 34])
    whole, its_guard = parts()
    run(whole, fixed, its_guard, disturb=disturb)
    assert actions(its_guard) == ["rolled back", "rolled back"]
    paused, guard = parts()
    run(paused, fixed, guard, until=at, disturb=disturb)
    torch.save([paused.state_dict(), guard.state_dict()], tmp_path / "saved.pt")
    resumed, again = parts()
    saved = torch.load(tmp_path / "saved.pt", weights_only=True)
    resumed.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    run(resumed, fixed, again, disturb=disturb)
    assert same(resumed.state_dict(), whole.state_dict())
    assert again.interventions == its_guard.interventions
    assert again.vitals == its_guard.vitals


def test_where_all_chains_move_none_is_stale():
    fixed, state = algorithm(), fresh_state()
    state.buffer = ReplayBuffer(64, BOX.uniform, generator=torch.Generator().manual_seed(0))
    guard = Guard(fixed, every=5)
    run(state, fixed, guard, until=5)
    assert guard.vitals.staleness == 0


def test_an_intervention_says_what_was_done():
    done = Intervention(150, "rolled back", "values were not finite", 0.25)
    assert str(done) == (
        "at iteration 150, as values were not finite, the training went back to its last good "
        "state, with fresh chains and 0.25 of the learning rate"
    )


@pytest.mark.parametrize("part", ["model", "average"])
def test_what_only_the_last_step_broke_is_taken_back(part):
    """Terms are those before a step, so they know nothing of it."""
    state, guard = fresh_state(), Guard(algorithm(), every=10)

    def disturb(state):
        if state.iteration == 20:
            next(getattr(state, part).parameters()).data.fill_(1e30)

    run(state, algorithm(), guard, until=20, disturb=disturb)
    assert actions(guard) == ["rolled back"]
    assert "nats, above 1e+06" in str(guard.interventions[0]) or "not finite" in str(
        guard.interventions[0]
    )
    for model in (state.model, state.average):
        assert model.energy(blobs()).abs().max() < 100
