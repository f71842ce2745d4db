"""Groups of inputs that obey a rule."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator
from torch.nn.functional import one_hot

from gedi.data.dataset import Dataset
from gedi.evidence.groups import Groups, RuleEvidence, rule_log_probability
from gedi.rules import Rule, sum_rule
from gedi.settings import RestartSettings, WeightSettings
from gedi.training.custom import Custom
from gedi.training.restarts import Candidate
from gedi.training.session import start
from small_trainings import SMALL

LESS = Rule(lambda a, b: a < b, {"a": range(2), "b": range(2)}, observed=())


def seeded(seed=0):
    return Generator().manual_seed(seed)


def groups_of_digits(m=6):
    """Inputs whose only coordinate is their symbol, of three; and sums of pairs."""
    symbols = torch.randint(3, (m, 2), generator=seeded(3))
    rule = sum_rule(2, 3)
    x = symbols.flatten().float()[:, None]
    rows = torch.arange(2 * m).reshape(m, 2)
    return x, Groups(rule, rows, rule.encode(symbols.sum(1).tolist()))


@pytest.mark.parametrize("members", [(), (3,)])
def test_all_groups_if_there_are_few_else_some(members):
    x, groups = groups_of_digits()
    everything = RuleEvidence(x, groups, 10).draw(members, seeded())
    torch.testing.assert_close(everything.x, x.expand(*members, 12, 1))
    some = RuleEvidence(x, groups, 4).draw(members, seeded())
    assert some.x.shape == (*members, 8, 1)
    assert not torch.equal(some.x, RuleEvidence(x, groups, 4).draw(members, seeded(1)).x)


@pytest.mark.parametrize("members", [(), (2,)])
@pytest.mark.parametrize("batch_size", [4, 10])
def test_outcomes_stay_with_their_groups(members, batch_size):
    x, groups = groups_of_digits()
    observed = RuleEvidence(x, groups, batch_size).draw(members, seeded())
    right = one_hot(observed.x[..., 0].long(), 3)
    # Posteriors that are sure of the right symbols agree with every outcome; the others do not.
    sure = observed.log_likelihood(50.0 * right)
    torch.testing.assert_close(sure, torch.zeros(members), atol=1e-6, rtol=0)
    wrong = observed.log_likelihood(50.0 * right.roll(1, -1))
    assert (wrong < -5).all()


def test_log_probability_of_known_posteriors():
    logits = torch.tensor([[0.0, math.log(3)], [math.log(4), 0.0], [0.0, 0.0], [0.0, 0.0]])
    found = rule_log_probability(LESS, logits.double(), LESS.encode([True, True]))
    # P(a = 0) P(b = 1), of (1/4, 1/5) and (1/2, 1/2).
    expected = torch.tensor([1 / 20, 1 / 4], dtype=torch.float64).log()
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=0)


def heaps_of_three(n=300):
    rng = np.random.default_rng(0)
    symbols = rng.integers(3, size=n)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    return (centres[symbols] + rng.normal(size=(n, 2))).astype(np.float32), symbols


@pytest.mark.parametrize(
    ("weights", "n"),
    [
        pytest.param(WeightSettings(), 1, marks=pytest.mark.slow),
        (WeightSettings(), 3),
        (WeightSettings(gen=0.0, inv=0.0, prior=0.0), 1),
    ],
)
def test_a_rule_names_the_clusters(weights, n):
    x, symbols = heaps_of_three()
    # Whatever the names are, not by luck: nor is it the order of their sizes.
    for names in ([0, 1, 2], [2, 0, 1]):
        named = np.array(names)[symbols]
        rule = sum_rule(2, 3)
        rows = torch.arange(60).reshape(30, 2)
        codes = rule.encode(named[:60].reshape(30, 2).sum(1).tolist())
        settings = replace(
            SMALL,
            n_clusters=3,
            max_iter=200,
            weights=weights,
            restarts=RestartSettings(n=n, iterations=60),
        )
        custom = Custom(groups=Groups(rule, rows, codes))
        fit = start(Dataset("heaps", x), settings, custom=custom).run()
        assert np.mean(fit.trained.predict(x).clusters == named) > 0.98
        assert fit.history[-1]["evidence"] > -0.1
        if n > 1:
            best = min(fit.candidates, key=lambda each: each.loss)
            assert isinstance(best, Candidate) and best.evidence > -2
