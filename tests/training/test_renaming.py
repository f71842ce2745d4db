"""Clusters that get other numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator
from torch.nn.functional import log_softmax

from gedi.data.dataset import Dataset
from gedi.evidence.groups import Groups, RuleEvidence
from gedi.objective import Weights
from gedi.rules import CircuitRule, Rule, sum_rule
from gedi.settings import RestartSettings, Settings, WeightSettings
from gedi.training.custom import Custom
from gedi.training.renaming import Renaming, likeliest_order, moves_of, renumber
from gedi.training.session import start


def heaps(c=4, n=240):
    """Well-separated clusters in the order of their classes, and pairs with their sums."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % c
    angle = 2 * np.pi * labels / c
    x = np.stack([np.cos(angle), np.sin(angle)], 1) + 0.05 * rng.normal(size=(n, 2))
    rows = rng.permutation(n).reshape(-1, 2)
    rule = sum_rule(2, c)
    codes = rule.encode(labels[rows].sum(1).tolist())
    return Dataset("heaps", x.astype(np.float32), labels), Groups(rule, torch.tensor(rows), codes)


def settings(**changes):
    one = RestartSettings(n=1)
    return Settings(n_clusters=4, weights=WeightSettings(gen=0.0), restarts=one, **changes)


@pytest.mark.parametrize("members", [(), (3,)])
def test_exchanges_lead_back_to_names_that_were_mixed(members):
    generator = Generator().manual_seed(0)
    truth = torch.randint(5, (*members, 60), generator=generator)
    renamed = torch.rand(*members, 5, generator=generator).argsort(-1)
    logits = 9.0 * torch.nn.functional.one_hot(renamed.gather(-1, truth), 5)

    def bound(named):
        return log_softmax(named, -1).gather(-1, truth[..., None]).squeeze(-1).mean(-1)

    order = likeliest_order(bound, logits, moves_of(5, 0))
    assert torch.equal(order, renamed)
    named = logits.gather(-1, order[..., None, :].expand_as(logits))
    assert torch.equal(named.argmax(-1), truth)


def test_moves_are_exchanges_and_insertions():
    moves = moves_of(4, 0).tolist()
    assert [0, 3, 2, 1] in moves and [1, 2, 3, 0] in moves and [3, 0, 1, 2] in moves
    assert [1, 0, 3, 2] not in moves and [0, 1, 2, 3] not in moves
    assert len(moves) == 6 + 6  # exchanges; insertions, but for those of neighbours, the same
    many = moves_of(100, 1)
    assert 200 < len(many) <= 400 and torch.equal(many.sort(-1).values[0], torch.arange(100))
    assert not torch.equal(many[:9], moves_of(100, 2)[:9])


def test_a_cluster_in_the_wrong_place_of_a_row_goes_to_its_own():
    """Where a rule is broken until all names are right, no exchange alone is a step uphill."""
    truth = torch.arange(6).repeat(5)
    logits = 9.0 * torch.nn.functional.one_hot((truth - 1) % 6, 6)

    def bound(named):
        return (named.argmax(-1) == truth).all().float()

    assert likeliest_order(bound, logits, moves_of(6, 0)).tolist() == [5, 0, 1, 2, 3, 4]


def test_names_that_are_as_good_stay():
    logits = torch.randn(40, 5, generator=Generator().manual_seed(1))
    symmetric = CircuitRule.all_different([[0, 1]], 2, 5)

    def bound(named):
        grouped = log_softmax(named, -1).reshape(20, 2, 5)
        return symmetric.log_probability(grouped, symmetric.encode([True] * 20)).mean(-1)

    assert likeliest_order(bound, logits, moves_of(5, 0)).tolist() == [0, 1, 2, 3, 4]
    hopeless = likeliest_order(lambda named: named.sum() - torch.inf, logits, moves_of(5, 0))
    assert hopeless.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("members", [(), (2,)])
def test_network_average_and_moments_are_renumbered_and_the_energy_stays(members):
    data, groups = heaps()
    chosen = replace(settings(max_iter=3), restarts=RestartSettings(n=max(1, *members, 1)))
    session = start(data, chosen, custom=Custom(groups=groups))
    session.advance(until=3)
    state = session.state
    assert state.members == members
    x = torch.randn(*members, 7, 2, generator=Generator().manual_seed(0))
    before = {name: getattr(state, name)(x) for name in ("model", "average")}
    energy = state.model.energy(x)
    head = state.model.head.weight
    moments = [state.optimizer.state[head][name].clone() for name in ("exp_avg", "exp_avg_sq")]
    order = torch.tensor([2, 0, 3, 1]).expand(*members, 4)
    renumber(state, order)
    for name, logits in before.items():
        assert torch.equal(getattr(state, name)(x), logits[..., [2, 0, 3, 1]])
    torch.testing.assert_close(state.model.energy(x), energy)
    for name, old in zip(("exp_avg", "exp_avg_sq"), moments, strict=True):
        assert old.abs().sum() > 0
        assert torch.equal(state.optimizer.state[head][name], old[..., [2, 0, 3, 1]])


def test_the_prior_counts():
    """Of two names that a rule allows, the one that the prior expects is taken."""
    data, _ = heaps()
    either = Rule(lambda a, same: same, {"a": range(4), "same": (True,)})
    codes = either.encode([True] * 240)
    groups = Groups(either, torch.arange(240)[:, None], codes)
    session = start(data, settings(prior=[0.97, 0.01, 0.01, 0.01]), custom=Custom(groups=groups))
    state = session.state
    with torch.no_grad():
        state.model.head.bias[:] = torch.tensor([0.0, 0.0, 30.0, 0.0])
    evidence = RuleEvidence(torch.from_numpy(data.x), groups, 240)
    assert Renaming(evidence, Weights(prior=0.0))(state) == 0
    assert Renaming(evidence, Weights(prior=1.0))(state) > 0
    assert state.model.head.bias.argmax() == 0


def test_training_gets_over_names_that_were_exchanged():
    """A start whose clusters are right and names wrong ends with right names; without it, not."""
    data, groups = heaps()
    first = start(data, settings(max_iter=200), custom=Custom(groups=groups)).run().trained
    assert np.mean(first.predict(data.x).clusters == data.labels) > 0.99
    with torch.no_grad():
        for parameter in (first.model.head.weight, first.model.head.bias):
            parameter.copy_(30 * parameter[:, [1, 0, 3, 2]])
    right, renamed = {}, {}
    for rename in (True, False):
        again = start(
            data,
            settings(max_iter=60, rename=rename, learning_rate=1e-4),
            custom=Custom(groups=groups, previous=first),
        ).run()
        right[rename] = np.mean(again.trained.predict(data.x).clusters == data.labels)
        renamed[rename] = again.history[0].get("renamed")
    assert right[True] > 0.99 and renamed[True] == 4
    assert right[False] < 0.01 and renamed[False] is None
