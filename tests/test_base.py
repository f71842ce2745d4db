"""The Gaussian under the energy."""

import pytest
import torch

from gedi.base import GaussianBase

COVARIANCE = torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
MEAN = torch.tensor([1.0, -3.0], dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_is_the_log_density_up_to_a_constant():
    x = torch.randn(2, 9, 2, dtype=torch.float64, generator=seeded())
    exact = torch.distributions.MultivariateNormal(MEAN, COVARIANCE).log_prob(x)
    difference = exact - GaussianBase(MEAN, COVARIANCE)(x)
    assert difference.shape == (2, 9)
    assert torch.allclose(difference, difference[0, 0], atol=1e-12, rtol=0)


def test_roots_are_roots():
    base = GaussianBase(MEAN, COVARIANCE)
    assert torch.allclose(base.root @ base.root, COVARIANCE, atol=1e-12)
    assert torch.allclose(base.root, base.root.T, atol=1e-12)
    assert torch.allclose(base.root @ base.inverse_root, torch.eye(2).double(), atol=1e-12)


def test_samples_have_its_moments():
    # 40,000 points: standard errors of at most 0.01 (means) and 0.015 (covariances); four of them.
    x = GaussianBase(MEAN, COVARIANCE).sample((4, 10_000), seeded())
    assert x.shape == (4, 10_000, 2)
    flat = x.flatten(0, 1)
    assert torch.allclose(flat.mean(0), MEAN, atol=0.04)
    assert torch.allclose(flat.T.cov(), COVARIANCE, atol=0.06)
    assert torch.equal(GaussianBase(MEAN, COVARIANCE).sample((4, 10_000), seeded()), x)


def test_fit_finds_mean_and_covariance_and_adds_the_noise():
    x = GaussianBase(MEAN, COVARIANCE).sample((500,), seeded())
    base = GaussianBase.fit(x, noise=0.5)
    moments = x.T.cov(correction=0)
    expected = moments + (0.25 + 1e-3 * moments.diagonal().mean()) * torch.eye(2)
    assert torch.allclose(base.root @ base.root, expected, atol=1e-9)
    assert torch.allclose(base.mean, x.mean(0))


def test_fit_stands_constant_features():
    x = torch.randn(50, 2, generator=seeded())
    x[:, 1] = 4.0
    base = GaussianBase.fit(x, noise=0.0)
    assert base(x).isfinite().all()
    assert base.sample((5,), seeded()).isfinite().all()


def test_refuses_a_covariance_that_is_none():
    with pytest.raises(ValueError, match=r"positive definite.*-1"):
        GaussianBase(torch.zeros(2), torch.diag(torch.tensor([1.0, -1.0])))
