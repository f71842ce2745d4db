"""Probabilities of rules by going through all worlds, and posteriors to try them on."""

import itertools

import torch
from torch import Generator


def log_probability(log_posteriors, agrees):
    """Log of the sum over worlds (tuples of values) for which `agrees` holds: (n, k, c) -> (n,)."""
    _, k, c = log_posteriors.shape
    worlds = [world for world in itertools.product(range(c), repeat=k) if agrees(world)]
    if not worlds:
        return torch.full((len(log_posteriors),), -torch.inf, dtype=log_posteriors.dtype)
    products = log_posteriors.exp()[:, torch.arange(k), torch.tensor(worlds)].prod(-1)
    return products.sum(-1).log()


def logits(*shape, seed=0):
    """Random logits in float64."""
    return torch.randn(shape, dtype=torch.float64, generator=Generator().manual_seed(seed))


def log_posteriors(*shape, seed=0):
    """Random log posteriors in float64, normalised over the last dimension."""
    return logits(*shape, seed=seed).log_softmax(-1)


def check_against_brute_force(rule, agrees, seed=0):
    """All outcomes of a rule on a few groups, to 1e-9, and the gradients of their logits.

    Args:
        rule: to check.
        agrees: from a world and an outcome to whether they agree.
        seed: of the posteriors.
    """
    x = logits(3, rule.n_symbols, rule.n_values, seed=seed).requires_grad_()
    for outcome in rule.outcomes:
        codes = rule.encode([outcome] * 3)
        found = rule.log_probability(x.log_softmax(-1), codes)
        expected = log_probability(x.log_softmax(-1), lambda w, o=outcome: agrees(w, o))
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
        (slope,) = torch.autograd.grad(found.sum(), x)
        (expected_slope,) = torch.autograd.grad(expected.sum(), x)
        torch.testing.assert_close(slope, expected_slope, rtol=1e-9, atol=1e-9)


def check_impossible(rule, certain, impossible):
    """Finite gradients where posteriors are certain, also where a rule cannot hold.

    Args:
        rule: to check.
        certain: values of the symbols, which have probability 1.
        impossible: an outcome with which this world does not agree.
    """
    x = torch.full((2, rule.n_symbols, rule.n_values), -torch.inf, dtype=torch.float64)
    x[0, range(rule.n_symbols), certain] = 0.0
    x[1] = log_posteriors(rule.n_symbols, rule.n_values)
    x.requires_grad_()
    found = rule.log_probability(x, rule.encode([impossible] * 2))
    assert found[0] == -torch.inf
    assert found[1] > -torch.inf
    (slope,) = torch.autograd.grad(found.sum(), x)
    assert torch.equal(slope[0], torch.zeros_like(slope[0]))
    assert torch.isfinite(slope[1]).all()
    assert slope[1].abs().sum() > 0
