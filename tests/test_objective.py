"""The terms of the bound against golden values, finite differences and their inequalities."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gedi.objective import (
    Terms,
    Weights,
    balance_threshold,
    collapse_gap,
    contrast,
    entropy,
    invariance,
    log_marginal,
    noise_contrast,
    prior_agreement,
    restrained,
    uniform_log_prior,
)

# Rounding of float64 sums, in nats.
SLACK = 1e-10


def randn(*shape, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, dtype=torch.float64, generator=generator)


def random_log_prior(c, seed):
    return randn(c, seed=seed + 1000, scale=2.0).log_softmax(-1)


def gap_of(logits, view_logits, log_prior):
    return collapse_gap(
        invariance(logits, view_logits), prior_agreement(logits, log_prior), log_prior
    )


def assert_golden(loss, z1, z2, expected):
    g1, g2 = torch.autograd.grad(loss, (z1, z2), allow_unused=True)
    norms = [0.0 if g is None else float(g.norm()) for g in (g1, g2)]
    assert float(loss.detach()) == pytest.approx(expected["loss"], abs=1e-9)
    assert norms[0] == pytest.approx(expected["grad_norm_z1"], abs=1e-9)
    assert norms[1] == pytest.approx(expected["grad_norm_z2"], abs=1e-9)


def golden_logits(case):
    return [torch.tensor(case[k], dtype=torch.float64, requires_grad=True) for k in ("z1", "z2")]


def test_invariance_matches_the_golden_values(golden):
    for case in golden:
        z1, z2 = golden_logits(case)
        assert_golden(-invariance(z1, z2), z1, z2, case["expected"]["gedi_inv"])


def test_uniform_prior_matches_the_golden_values(golden):
    for case in golden:
        z1, z2 = golden_logits(case)
        log_prior = uniform_log_prior(z1.shape[-1]).double()
        # In float64 throughout: log π of uniform_log_prior is float32, off by 1e-8.
        log_prior = log_prior.new_full(log_prior.shape, -math.log(len(log_prior)))
        expected = case["expected"]["gedi_prior_uniform"]
        assert_golden(-prior_agreement(z1, log_prior), z1, z2, expected)


def test_uniform_log_prior_sums_to_one():
    assert float(uniform_log_prior(7).exp().sum()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("members", [(), (2,)])
def test_gradients_against_finite_differences(members):
    a, b = randn(*members, 4, 3).requires_grad_(), randn(*members, 4, 3, seed=1).requires_grad_()
    log_prior = random_log_prior(3, 0)
    assert torch.autograd.gradcheck(invariance, (a, b))
    assert torch.autograd.gradcheck(lambda z: prior_agreement(z, log_prior), (a,))
    assert torch.autograd.gradcheck(lambda z, v: gap_of(z, v, log_prior), (a, b))
    assert torch.autograd.gradcheck(contrast, (a[..., 0], b[..., 0]))


def test_gradients_flow_through_both_arguments_of_invariance():
    a, b = randn(4, 3).requires_grad_(), randn(4, 3, seed=1).requires_grad_()
    invariance(a, b).backward()
    assert a.grad.abs().max() > 0 and b.grad.abs().max() > 0


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 12),
    c=st.integers(2, 8),
    members=st.sampled_from([(), (3,), (2, 2)]),
    scale=st.sampled_from([0.0, 0.1, 1.0, 10.0, 1000.0]),
    seed=st.integers(0, 10_000),
)
def test_bounds_of_the_terms(n, c, members, scale, seed):
    logits = randn(*members, n, c, seed=seed, scale=scale)
    views = randn(*members, n, c, seed=seed + 1, scale=scale)
    log_prior = random_log_prior(c, seed)
    inv, prior = invariance(logits, views), prior_agreement(logits, log_prior)
    gap = collapse_gap(inv, prior, log_prior)
    assert inv.shape == prior.shape == gap.shape == members
    assert (inv <= SLACK).all()
    assert (prior <= -entropy(log_prior) + SLACK).all()
    assert (gap >= -SLACK).all()


def test_members_do_not_mix():
    logits, views = randn(3, 5, 4), randn(3, 5, 4, seed=1)
    log_prior = random_log_prior(4, 0)
    together = gap_of(logits, views, log_prior)
    alone = [gap_of(logits[k], views[k], log_prior) for k in range(3)]
    assert torch.equal(together, torch.stack(alone))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_logits_and_empty_clusters_stay_finite(dtype):
    logits = torch.full((6, 3), -1e4, dtype=dtype)
    logits[:, 0] = 1e4  # clusters 1 and 2 are empty
    views = torch.full((6, 3), 1e4, dtype=dtype)
    views[:, 0] = -1e4
    logits.requires_grad_()
    views.requires_grad_()
    log_prior = uniform_log_prior(3).to(dtype)
    gap = gap_of(logits, views, log_prior)
    gap.backward()
    assert gap.isfinite() and gap > 1e4
    assert logits.grad.isfinite().all() and views.grad.isfinite().all()
    # An empty cluster can be filled again: its gradient does not vanish.
    (pull,) = torch.autograd.grad(prior_agreement(logits, log_prior), logits)
    assert (pull[:, 1:] > 0.01).all()


def test_entropy_allows_empty_shares():
    assert float(entropy(torch.tensor([0.0, -torch.inf]))) == 0
    assert float(entropy(torch.tensor([0.25, 0.75]).log())) == pytest.approx(0.5623351, abs=1e-6)


def test_log_marginal_is_the_log_of_the_mean():
    logits = randn(2, 9, 4)
    expected = logits.softmax(-1).mean(-2).log()
    assert torch.allclose(log_marginal(logits), expected, atol=1e-12, rtol=0)


def one_hot(assignments, c):
    return 1e4 * torch.nn.functional.one_hot(torch.tensor(assignments), c).double()


def test_gap_is_zero_only_for_sure_consistent_balanced_assignments():
    log_prior = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64).log()
    right = one_hot([0, 1, 0, 2], 3)
    assert float(gap_of(right, right, log_prior)) == pytest.approx(0, abs=1e-12)
    inconsistent = one_hot([0, 1, 2, 0], 3)
    unbalanced = one_hot([0, 1, 2, 2], 3)
    unsure = right / 5e3
    collapsed = one_hot([0, 0, 0, 0], 3)
    same = torch.zeros(4, 3, dtype=torch.float64)
    assert gap_of(right, inconsistent, log_prior) > 0.1
    assert gap_of(unbalanced, unbalanced, log_prior) > 0.1
    assert gap_of(unsure, unsure, log_prior) > 0.1
    assert gap_of(collapsed, collapsed, log_prior) > 0.1
    assert gap_of(same, same, log_prior) > 0.1


@pytest.mark.parametrize(("c", "threshold"), [(2, 1.0), (3, 1.04), (10, 1.39), (100, 2.56)])
def test_balance_threshold(c, threshold):
    assert balance_threshold(c) == pytest.approx(threshold, abs=0.006)


@pytest.mark.parametrize("c", [3, 10])
def test_below_the_threshold_some_constant_posterior_beats_the_uniform_one(c):
    mass = torch.linspace(1 / c, 1, 2001, dtype=torch.float64)[20:-1]
    rest = (1 - mass)[:, None].expand(-1, c - 1) / (c - 1)
    logits = torch.cat([mass[:, None], rest], -1).log()[:, None]  # as many models, one point
    log_prior = torch.full((c,), -math.log(c), dtype=torch.float64)
    inv, prior = invariance(logits, logits), prior_agreement(logits, log_prior)
    uniform = Terms(torch.zeros(()), -torch.tensor(math.log(c)), -torch.tensor(math.log(c)))
    for factor, wins in [(1.02, True), (0.98, False)]:
        weights = Weights(0, 1, factor * balance_threshold(c))
        constant = Terms(torch.zeros_like(inv), inv, prior).bound(weights)
        assert bool((uniform.bound(weights) > constant).all()) is wins


def test_contrast_is_the_difference_of_means():
    data, samples = torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.tensor([[5.0], [-1.0]])
    assert torch.equal(contrast(data, samples), torch.tensor([3.0, -1.0]))


def test_loss_weighs_the_terms_and_sums_over_models():
    terms = Terms(*(torch.tensor([a, b]) for a, b in [(1.0, 2.0), (-3.0, -4.0), (-5.0, -6.0)]))
    bound = terms.bound(Weights(2, 10, 100))
    assert torch.equal(bound, torch.tensor([2.0 - 30 - 500, 4.0 - 40 - 600]))
    assert torch.equal(terms.loss(Weights(2, 10, 100)), -bound.sum())
    each = terms.bound(Weights(1, torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])))
    assert torch.equal(each, torch.tensor([1.0 - 5, 2.0 - 4]))


def test_scaled_weights():
    weights = Weights(2, 3, 5).scaled(gen=0.5, clustering=torch.tensor([0.0, 1.0]))
    assert weights.gen == 1
    assert torch.equal(weights.inv, torch.tensor([0.0, 3.0]))
    assert torch.equal(weights.prior, torch.tensor([0.0, 5.0]))


def test_restrained_contrast_pulls_less_and_turns_at_its_limit():
    contrasts = torch.tensor([-20.0, 0.0, 10.0, 20.0, 40.0], requires_grad=True)
    restrained(contrasts, 20.0).sum().backward()
    torch.testing.assert_close(contrasts.grad, torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0]))
    assert float(restrained(torch.tensor(7.0), math.inf)) == 7


def test_the_loss_restrains_gen_and_the_bound_does_not():
    terms = Terms(*torch.tensor([10.0, -1.0, -2.0]))
    free, held = Weights(0.5, 2.0, 3.0), Weights(0.5, 2.0, 3.0, max_contrast=20.0)
    assert float(terms.bound(held)) == float(terms.bound(free)) == 5 - 2 - 6
    assert float(terms.loss(free)) == -float(terms.bound(free))
    assert float(terms.loss(held)) == -(0.5 * (10 - 100 / 40) - 2 - 6)


@pytest.mark.parametrize("ratio", [1, 5, 20])
def test_the_noise_contrast_of_a_right_base_is_known_and_stationary(ratio):
    residual = torch.zeros(60, requires_grad=True)
    draws = torch.zeros(60 * ratio, requires_grad=True)
    value = noise_contrast(residual, draws)
    expected = -math.log(1 + ratio) - ratio * math.log(1 + 1 / ratio)
    assert float(value.detach()) == pytest.approx(expected)
    value.backward()
    # What raises r at data lowers it at draws, by as much: at the right density nothing moves.
    assert float(residual.grad.sum()) == pytest.approx(-float(draws.grad.sum()))


def test_the_gradient_of_many_draws_is_that_of_the_likelihood():
    """For r(x) = a x on N(0, 1): d/da E log p = mean of data - E_p[x], where E_p[x] = a."""
    generator = torch.Generator().manual_seed(0)
    x = 0.7 + torch.randn(4000, generator=generator)
    draws = torch.randn(4000 * 100, generator=generator)
    a = torch.tensor(0.2, requires_grad=True)
    noise_contrast(a * x - a.square() / 2, a * draws - a.square() / 2).backward()
    assert float(a.grad) == pytest.approx(float(x.mean()) - 0.2, abs=0.05)
