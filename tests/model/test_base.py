"""The Gaussian under the energy."""

import math

import pytest
import torch

from gedi.model.base import GaussianBase, likeliest_shrinkage
from gedi.model.spectral import SpectralMatrix

COVARIANCE = torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
MEAN = torch.tensor([1.0, -3.0], dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def gaussian():
    return GaussianBase(MEAN, SpectralMatrix.of(COVARIANCE))


def test_is_the_log_density_up_to_a_constant():
    x = torch.randn(2, 9, 2, dtype=torch.float64, generator=seeded())
    exact = torch.distributions.MultivariateNormal(MEAN, COVARIANCE).log_prob(x)
    difference = exact - gaussian()(x)
    assert difference.shape == (2, 9)
    assert torch.allclose(difference, difference[0, 0], atol=1e-12, rtol=0)


def test_its_root_colours_and_whitens():
    base = gaussian()
    identity = torch.eye(2, dtype=torch.float64)
    assert torch.allclose(base.root(base.root(identity)), COVARIANCE, atol=1e-12)
    assert torch.allclose(base.whiten(MEAN + base.root(identity)), identity, atol=1e-12)


def test_widened_gaussian_has_larger_deviations():
    x = torch.randn(9, 2, dtype=torch.float64, generator=seeded())
    wide = gaussian().widened(3.0)
    plain = GaussianBase(MEAN, SpectralMatrix.of(9 * COVARIANCE))
    assert torch.allclose(wide(x), plain(x))
    assert torch.allclose(wide.whiten(x), plain.whiten(x))
    assert torch.allclose(wide.sample((5,), seeded()), plain.sample((5,), seeded()))


def test_samples_have_its_moments():
    # 40,000 points: standard errors of at most 0.01 (means) and 0.015 (covariances); four of them.
    x = gaussian().sample((4, 10_000), seeded())
    assert x.shape == (4, 10_000, 2)
    flat = x.flatten(0, 1)
    assert torch.allclose(flat.mean(0), MEAN, atol=0.04)
    assert torch.allclose(flat.T.cov(), COVARIANCE, atol=0.06)
    assert torch.equal(gaussian().sample((4, 10_000), seeded()), x)


def test_fit_finds_mean_and_covariance_and_adds_the_noise():
    # 20,000 points in two dimensions: the least shrinkage, and several chunks.
    x = gaussian().sample((20_000,), seeded())
    base = GaussianBase.fit(x, noise=0.5)
    moments = x.T.cov(correction=0)
    level = moments.diagonal().mean()
    expected = 0.999 * moments + (0.25 + 1e-3 * level) * torch.eye(2).double()
    covariance = base.root(base.root(torch.eye(2, dtype=torch.float64)))
    assert torch.allclose(covariance, expected, atol=1e-9)
    assert torch.allclose(base.mean, x.mean(0))


@pytest.mark.parametrize(("n", "d", "noise"), [(40, 60, 0.0), (60, 30, 0.3)])
def test_shrinkage_makes_held_out_points_likeliest(n, d, noise):
    spread = torch.linspace(0.2, 2, d, dtype=torch.float64)
    x = 3 + spread * torch.randn(n, d, dtype=torch.float64, generator=seeded())
    held_out, others = x[::5], x[torch.arange(n) % 5 > 0]
    moments = others.T.cov(correction=0)
    level = moments.diagonal().mean()

    def score(rho):
        # The expected log-density of held-out points with noise, by the covariance itself.
        shrunk = (1 - rho) * moments + (rho * level + noise**2) * torch.eye(d)
        law = torch.distributions.MultivariateNormal(others.mean(0), shrunk)
        return law.log_prob(held_out).mean() - 0.5 * noise**2 * shrunk.inverse().trace()

    rho = likeliest_shrinkage(x, noise)
    assert 0.001 < rho < 1
    assert score(rho) >= max(score(rho * factor) for factor in (0.75, min(1.3, 1 / rho)))


def test_fewer_points_than_features_leave_a_density_that_held_out_points_fit():
    d = 60
    train, test = (torch.randn(40, d, generator=seeded(k)) for k in (0, 1))
    base = GaussianBase.fit(train, noise=0.0)
    # Of the true density, |x|² / 2 is d / 2 on average; with a ridge of 0.001 alone it is 20 d.
    assert -base(test).mean() < d


def test_many_features_of_few_directions_lose_nothing():
    """400 features that vary in 20 directions and a little in all others: no vector is missing."""
    d, mean = 400, torch.zeros(400, dtype=torch.float64)
    basis = torch.linalg.qr(torch.randn(d, 20, dtype=torch.float64, generator=seeded(1))).Q
    covariance = 0.1 * torch.eye(d, dtype=torch.float64) + basis @ basis.T
    root = SpectralMatrix.of(covariance).power(0.5)
    x = root(torch.randn(3000, d, dtype=torch.float64, generator=seeded(2)))
    law = torch.distributions.MultivariateNormal(mean, covariance)
    base = GaussianBase.fit(x[:2500], noise=0.0)
    log_density = base(x[2500:]) - base.root.log_det - d / 2 * math.log(2 * math.pi)
    # A whole covariance of 2,500 points would be 400 * 403 / 4 / 2500 = 16 nats from the law.
    assert 0 < float((law.log_prob(x[2500:]) - log_density).mean()) < 12


def test_fit_handles_constant_features():
    x = torch.randn(50, 2, generator=seeded())
    x[:, 1] = 4.0
    base = GaussianBase.fit(x, noise=0.0)
    assert base(x).isfinite().all()
    assert base.sample((5,), seeded()).isfinite().all()


def test_refuses_a_covariance_that_is_not_positive_definite():
    with pytest.raises(ValueError, match=r"positive definite.*-1"):
        GaussianBase(torch.zeros(2), SpectralMatrix.of(torch.diag(torch.tensor([1.0, -1.0]))))


@pytest.mark.parametrize("k", [2, 5])
def test_some_coordinates_given_the_others(k):
    generator = torch.Generator().manual_seed(0)
    vectors = torch.linalg.qr(torch.randn(5, 5, generator=generator)).Q[:, :k]
    matrix = SpectralMatrix(vectors, torch.linspace(3, 9, k), torch.tensor(2.0))
    mean, covariance = torch.arange(5.0), matrix(torch.eye(5))
    free = torch.tensor([True, False, True, False, False])
    x = torch.tensor([7.0, 2.0, 7.0, -1.0, 0.5])
    across = covariance[free][:, ~free] @ covariance[~free][:, ~free].inverse()
    found = GaussianBase(mean, matrix).given(x, free)
    torch.testing.assert_close(found.mean, mean[free] + across @ (x - mean)[~free])
    expected = covariance[free][:, free] - across @ covariance[~free][:, free]
    torch.testing.assert_close(found.root(found.root(torch.eye(2))), expected)
