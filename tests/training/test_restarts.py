"""Restarts: the choice, and one member carried on alone."""

import copy
import math

import pytest
import torch
from lightning_fabric import Fabric

from gedi.methods import gedi_terms
from gedi.objective import Weights, uniform_log_prior
from gedi.training.algorithm import train
from gedi.training.restarts import Candidate, choose, most_shared, single
from small_trainings import algorithm, blobs, fresh_state


def trained_group(until=15):
    group = fresh_state(members=(2,))
    train(Fabric(accelerator="cpu"), group, blobs(), algorithm(warmups=(0, 5)), until=until)
    return group


def assert_member(alone, group, index):
    """Every tensor of `alone` is that of one member of the group."""
    for net in ("model", "average"):
        for one, many in zip(
            getattr(alone, net).parameters(), getattr(group, net).parameters(), strict=True
        ):
            assert torch.allclose(one, many[index], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("index", [0, 1])
def test_single_takes_over_everything_of_a_member(index):
    group = trained_group()
    alone = single(group, fresh_state(), index)
    assert alone.members == () and group.members == (2,)
    assert_member(alone, group, index)
    for one, many in zip(alone.model.parameters(), group.model.parameters(), strict=True):
        moments, those = alone.optimizer.state[one], group.optimizer.state[many]
        assert torch.equal(moments["exp_avg"], those["exp_avg"][index])
        assert torch.equal(moments["exp_avg_sq"], those["exp_avg_sq"][index])
        assert float(moments["step"]) == float(those["step"]) == 15
    assert torch.equal(alone.buffer.positions, group.buffer.positions[index])
    assert torch.equal(alone.generator.get_state(), group.generator.get_state())
    rates = [state.sampler.moves[0].step_size for state in (alone, group)]
    assert rates[0].shape == () and float(rates[0]) == float(rates[1][index])
    assert (alone.iteration, alone.horizon) == (group.iteration, group.horizon)
    assert alone.seconds == group.seconds


@pytest.mark.parametrize("index", [0, 1])
def test_the_member_goes_on_as_it_would_have(index):
    """The same batches, views and samples give the same steps, alone or in the group."""
    group = trained_group()
    alone = single(group, fresh_state(), index)
    log_prior = uniform_log_prior(2)
    for step in range(10):
        g = torch.Generator().manual_seed(step)
        x, view, negatives = (torch.randn(2, 16, 2, generator=g) for _ in range(3))
        for state, pick in ((group, slice(None)), (alone, index)):
            terms = gedi_terms(state.model, x[pick], view[pick], negatives[pick], log_prior)
            state.optimizer.zero_grad()
            terms.loss(Weights(1, 1, 2)).backward()
            state.optimizer.step()
    # Batched and single products round differently; ten steps of 2e-3 each.
    for one, many in zip(alone.model.parameters(), group.model.parameters(), strict=True):
        assert torch.allclose(one, many[index], atol=1e-5, rtol=0)


def test_chains_of_the_member_go_on_as_they_would_have():
    group = trained_group()
    alone = single(group, fresh_state(), 1)
    start = torch.zeros(2, 8, 2)
    from gedi.sampling import evaluate  # noqa: PLC0415

    for state in (group, alone):
        state.sampler.eval()
    chains = evaluate(alone.model.energy, start[1])
    moved = alone.sampler.step(alone.model.energy, chains, torch.Generator().manual_seed(0))
    assert moved.x.shape == (8, 2)
    assert torch.allclose(
        evaluate(group.model.energy, start).gradient[1], chains.gradient, atol=1e-5
    )


def test_single_is_a_copy():
    group = trained_group()
    before = copy.deepcopy(group.state_dict())
    alone = single(group, fresh_state(), 0)
    train(Fabric(accelerator="cpu"), alone, blobs(), algorithm(), until=25)
    for name, value in before["model"].items():
        assert torch.equal(group.model.state_dict()[name], value)
    assert torch.equal(group.buffer.positions, before["buffer"]["positions"])
    for key, moments in before["optimizer"]["state"].items():
        now = group.optimizer.state_dict()["state"][key]
        assert torch.equal(now["exp_avg"], moments["exp_avg"])
        assert torch.equal(now["step"], moments["step"])


def candidates(*pairs):
    return [Candidate(0, gap, likelihood) for gap, likelihood in pairs]


def test_choose_takes_the_least_gap():
    some = candidates((0.5, 9.0), (0.1, -5.0), (0.3, 0.0))
    assert choose(some, by_likelihood=False) == 1
    assert choose(some, by_likelihood=True) == 1


def test_likelihood_decides_among_equal_gaps_only():
    some = candidates((0.1, -5.0), (0.105, -3.0), (0.5, 9.0))
    assert choose(some, by_likelihood=True) == 1
    assert choose(some, by_likelihood=False) == 0


def test_what_is_no_number_is_never_chosen():
    lost = Candidate(0, math.nan, 0.0)
    kept = Candidate(0, 5.0, 0.0)
    assert choose([lost, kept], by_likelihood=False) == 1
    assert choose([lost, kept, lost], by_likelihood=True) == 1


def test_choose_among_one():
    assert choose(candidates((2.0, 0.0)), by_likelihood=True) == 0


def shared(*modularities):
    return [Candidate(0, 0.1, 0.0, modularity=modularity) for modularity in modularities]


def test_the_clusters_that_neighbours_share_most_are_chosen():
    assert most_shared(shared(0.5, 0.7, 0.6), last_from_pool=False) == 1
    diverged = Candidate(0, math.nan, 0.0, modularity=0.9)
    assert most_shared([diverged, *shared(0.5, 0.7)], last_from_pool=False) == 2
    informed = Candidate(0, 0.1, 0.0, evidence=0.5, modularity=0.4)
    assert most_shared([*shared(0.5, 0.7), informed], last_from_pool=False) == 2


@pytest.mark.parametrize(("pooled", "chosen"), [(0.69, 1), (0.719, 1), (0.721, 4)])
def test_a_start_from_the_pool_has_to_be_clearly_ahead(pooled, chosen):
    candidates = shared(0.66, 0.70, 0.67, 0.69, pooled)
    assert most_shared(candidates, last_from_pool=True) == chosen


def test_a_start_from_the_pool_is_chosen_where_all_others_diverged():
    diverged = Candidate(0, math.nan, 0.0, modularity=0.9)
    assert most_shared([diverged, diverged, *shared(0.5)], last_from_pool=True) == 2
