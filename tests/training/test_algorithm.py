"""Algorithm 1."""

import io

import pytest
import torch
from lightning_fabric import Fabric

from gedi.objective import Weights
from gedi.training.algorithm import train
from gedi.training.schedule import Schedule
from small_trainings import algorithm, blobs, fresh_state, same

FABRIC = Fabric(accelerator="cpu")


def run(state, chosen=None, **arguments):
    train(FABRIC, state, blobs(), chosen or algorithm(), **arguments)
    return state


@pytest.mark.parametrize("members", [(), (2,)])
def test_one_seed_gives_the_same_bits(members):
    chosen = algorithm(warmups=(0, 5)[: max(len(members) * 2, 1)])
    first, again = (run(fresh_state(members), chosen) for _ in range(2))
    other = run(fresh_state(members, seed=5), chosen)
    assert same(first.state_dict(), again.state_dict())
    assert not same(first.model.state_dict(), other.model.state_dict())


def test_the_global_random_state_plays_no_part():
    torch.manual_seed(1)
    first = run(fresh_state())
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    again = run(fresh_state())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert same(first.state_dict(), again.state_dict())


@pytest.mark.parametrize("members", [(), (2,)])
def test_a_saved_state_goes_on_with_the_same_bits(members):
    chosen = algorithm(warmups=(0, 5)[: max(len(members) * 2, 1)])
    whole = run(fresh_state(members), chosen)
    file = io.BytesIO()
    torch.save(run(fresh_state(members), chosen, until=23).state_dict(), file)
    file.seek(0)
    resumed = fresh_state(members, seed=9)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert resumed.iteration == 23
    assert same(run(resumed, chosen).state_dict(), whole.state_dict())


def test_pausing_changes_nothing():
    whole = run(fresh_state())
    state = fresh_state()
    for until in (7, 30, None):
        run(state, until=until)
    assert same(state.state_dict(), whole.state_dict())


def test_training_lowers_the_loss():
    losses = []
    chosen = algorithm()

    def observe(state, terms):
        losses.append(float(terms.loss(Weights(0, 1, 2)).detach()))
        return False

    run(fresh_state(horizon=150), chosen, observe=observe)
    assert len(losses) == 150
    assert sum(losses[-10:]) / 10 < sum(losses[:10]) / 10 - 0.2


def test_average_follows_the_model():
    state = run(fresh_state())
    pairs = list(zip(state.average.parameters(), state.model.parameters(), strict=True))
    fresh = list(fresh_state().model.parameters())
    assert not any(torch.equal(average, model) for average, model in pairs)
    with torch.no_grad():
        near = sum((average - model).square().sum() for average, model in pairs)
        far = sum((a - b).square().sum() for (_, a), b in zip(pairs, fresh, strict=True))
    assert near < far
    assert not any(average.requires_grad for average, _ in pairs)


class Forbidden:
    def __call__(self, x, *, posterior, generator, index):
        raise AssertionError("no use for views here")


class ForbiddenMove(torch.nn.Module):
    def sample(self, energy, buffer, n, *, generator):
        raise AssertionError("no use for chains here")


def test_jem_never_looks_at_views():
    state = run(fresh_state(), algorithm(Weights(1, 0, 0), view=Forbidden()))
    assert state.iteration == 60


def test_no_gen_never_touches_the_chains():
    state = fresh_state()
    before = state.buffer.positions.clone()
    state.sampler = ForbiddenMove()
    run(state, algorithm(Weights(0, 1, 2)))
    assert state.iteration == 60 and torch.equal(state.buffer.positions, before)


def test_gen_that_starts_late_leaves_the_chains_alone_until_then():
    state = fresh_state()
    before = state.buffer.positions.clone()
    chosen = algorithm(schedule=Schedule(gen_start=20, ramp=5))
    run(state, chosen, until=20)
    assert torch.equal(state.buffer.positions, before)
    run(state, chosen, until=21)
    assert not torch.equal(state.buffer.positions, before)


def test_a_member_in_warmup_has_no_clustering_terms():
    """In its warm-up a member trains by GEN alone, so views do not matter to it."""

    class Wide:
        def __call__(self, x, *, posterior, generator, index):
            torch.randn(x.shape, generator=generator)
            return -x

    plain, wide = fresh_state((2,)), fresh_state((2,))
    run(plain, algorithm(warmups=(0, 100)), until=5)
    run(wide, algorithm(warmups=(0, 100), view=Wide()), until=5)
    weights = [state.model.head.weight.detach() for state in (plain, wide)]
    assert torch.equal(weights[0][1], weights[1][1])
    assert not torch.equal(weights[0][0], weights[1][0])


def test_observe_sees_every_iteration_and_can_pause():
    seen = []

    def observe(state, terms):
        seen.append(state.iteration)
        return state.iteration == 9

    state = run(fresh_state(), observe=observe)
    assert seen == list(range(1, 10)) and state.iteration == 9


def test_time_ends_a_training():
    chosen = algorithm(max_time=0.2)
    state = run(fresh_state(horizon=1_000_000), chosen)
    assert state.seconds >= 0.2
    assert 0 < state.iteration < 1_000_000
    assert chosen.progress(state) >= 1


def test_learning_rate_follows_the_schedule():
    rates = []
    chosen = algorithm()

    def observe(state, terms):
        rates.append(state.optimizer.param_groups[0]["lr"])
        return False

    run(fresh_state(horizon=40), chosen, observe=observe)
    expected = [chosen.learning_rate * chosen.schedule.learning_rate(i, i / 40) for i in range(40)]
    assert rates == pytest.approx(expected)
    assert rates[-1] < 0.05 * max(rates)


def test_gen_takes_part_when_the_chains_move_and_counts_as_often():
    chosen = algorithm(gen_every=3)
    state = fresh_state()
    weights, moved = [], []
    for until in range(1, 8):
        weights.append(chosen.weights_at(state).gen)
        before = state.buffer.positions.clone()
        run(state, chosen, until=until)
        moved.append(not torch.equal(before, state.buffer.positions))
    assert weights == [3.0, 0.0, 0.0, 3.0, 0.0, 0.0, 3.0]
    assert moved == [weight > 0 for weight in weights]
