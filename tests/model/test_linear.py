"""Affine logits on a Gaussian base: closed forms of Z, of the clusters' masses, and of draws."""

import math

import pytest
import torch
from torch import Generator, Tensor
from torch.distributions import MixtureSameFamily, MultivariateNormal
from torch.distributions.categorical import Categorical

from gedi.model import LinearClassifier
from gedi.model.base import NormalizedGaussian
from gedi.model.encoders import OnAxes
from gedi.model.spectral import SpectralMatrix

D, K, C = 5, 3, 4


@pytest.fixture(scope="module")
def model() -> LinearClassifier:
    generator = Generator().manual_seed(0)
    root = torch.randn(D, D, generator=generator, dtype=torch.float64) / 2
    covariance = root @ root.T + 0.1 * torch.eye(D)
    mean = torch.randn(D, generator=generator, dtype=torch.float64) / 4
    encoder = OnAxes(D, K).double()
    axes = torch.linalg.qr(torch.randn(D, K, generator=generator, dtype=torch.float64)).Q
    encoder.place(mean / 2, axes, torch.tensor(1.5, dtype=torch.float64))
    model = LinearClassifier(encoder, C, generator=generator).double()
    model.stand_on(NormalizedGaussian(mean, SpectralMatrix.of(covariance)))
    return model.requires_grad_(False)


def mixture(model: LinearClassifier) -> MixtureSameFamily:
    """The same density, written with the components that completing the square gives."""
    base, encoder = model.base, model.encoder
    covariance = base.root(base.root(torch.eye(D).double()))
    tilt = encoder.axes @ model.head.weight / encoder.scale  # (d, c)
    constant = model.head.bias[0] - encoder.centre @ tilt
    log_masses = constant + base.mean @ tilt + 0.5 * (tilt * (covariance @ tilt)).sum(0)
    means = base.mean + (covariance @ tilt).T
    return MixtureSameFamily(Categorical(logits=log_masses), MultivariateNormal(means, covariance))


def points(n: int) -> Tensor:
    return torch.randn(n, D, generator=Generator().manual_seed(1), dtype=torch.float64)


def test_energy_is_minus_the_log_density_of_a_mixture_with_one_covariance(model):
    x = points(50)
    torch.testing.assert_close(-model.energy(x), mixture(model).log_prob(x))


def test_posterior_is_that_of_the_mixture_and_does_not_depend_on_the_base(model):
    x, law = points(50), mixture(model)
    joint = law.component_distribution.log_prob(x[:, None]) + law.mixture_distribution.logits
    torch.testing.assert_close(model.posterior(x), joint.softmax(-1))
    torch.testing.assert_close(model(x, with_base=False).softmax(-1), model(x).softmax(-1))


def test_a_gaussian_base_that_is_normalised(model):
    x, base = points(20), model.base
    covariance = base.root(base.root(torch.eye(D).double()))
    torch.testing.assert_close(base(x), MultivariateNormal(base.mean, covariance).log_prob(x))


def test_the_constant_of_a_covariance_with_few_eigenvectors():
    vectors = torch.linalg.qr(points(5).T).Q[:, :2]
    values, rest = torch.tensor([4.0, 2.0]).double(), torch.tensor(0.5).double()
    covariance = SpectralMatrix(vectors, values, rest)
    base = NormalizedGaussian(torch.zeros(D).double(), covariance)
    whole = covariance(torch.eye(D).double())
    x = points(20)
    torch.testing.assert_close(base(x), MultivariateNormal(torch.zeros(D), whole).log_prob(x))


def test_draws_have_the_masses_and_the_moments_of_the_mixture(model):
    n = 40_000
    law, x = mixture(model), model.sample(n, Generator().manual_seed(2))
    assert (x.mean(0) - law.mean).abs().max() < 5 * x.std(0).max() / math.sqrt(n)
    assert (x.var(0) / law.variance - 1).abs().max() < 0.05
    shares = model.log_masses()[0].softmax(-1)
    torch.testing.assert_close(shares, law.mixture_distribution.probs)


def test_draws_of_one_cluster_are_gaussian(model):
    law = mixture(model).component_distribution
    x = model.sample(40_000, Generator().manual_seed(3), clusters=[2])
    torch.testing.assert_close(x.mean(0), law.mean[2], atol=0.03, rtol=0)
    torch.testing.assert_close(x.T.cov(), law.covariance_matrix[2], atol=0.05, rtol=0.05)


def test_members_share_points_and_have_masses_of_their_own():
    generator = Generator().manual_seed(0)
    encoder = OnAxes(D, K).double()
    encoder.place(torch.zeros(D), torch.eye(D, K), torch.ones(()))
    group = LinearClassifier(encoder, C, members=(3,), generator=generator).double()
    group.stand_on(
        NormalizedGaussian(torch.zeros(D).double(), SpectralMatrix.of(torch.eye(D).double()))
    )
    x = points(7)
    together = group(x[None])
    assert together.shape == (3, 7, C)
    assert group.log_masses().shape == (3, 1, C)
    one = LinearClassifier(encoder, C, generator=generator).double()
    one.stand_on(group.base)
    with torch.no_grad():
        one.head.weight.copy_(group.head.weight[1])
        one.head.bias.copy_(group.head.bias[1])
    torch.testing.assert_close(together[1], one(x))


def test_far_values_are_cut_off_for_the_clusters(model):
    x = points(3)
    near, far = x.clone(), x.clone()
    near[:, 0], far[:, 0] = 8.0, 1e6
    torch.testing.assert_close(model.posterior(near), model.posterior(far))
    assert (model.energy(far) > 1e6).all()
