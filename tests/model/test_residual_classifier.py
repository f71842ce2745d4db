"""A classifier on a normalised base: energies start at the base, whatever the clusters are."""

import math

import pytest
import torch
from scipy.stats import kstest, norm, truncnorm
from torch import Generator

from gedi.model import EnergyClassifier, ResidualClassifier, renumber_head
from gedi.model.base import GaussianBase
from gedi.model.encoders import MLP
from gedi.model.spectral import SpectralMatrix
from tilted_normal import tilted


def network(base=True, **options):
    generator = Generator().manual_seed(0)
    of = GaussianBase(torch.zeros(2), SpectralMatrix.of(torch.eye(2))) if base else None
    encoder = MLP(2, [8], generator=generator)
    return ResidualClassifier(encoder, 3, base=of, generator=generator, **options)


def with_residual(model):
    with torch.no_grad():
        model.head.weight[..., -1] = 0.5
        model.head.bias[..., -1] = 0.25
    return model


X = torch.randn(50, 2, generator=Generator().manual_seed(1))


def test_it_starts_at_the_base():
    model = network()
    torch.testing.assert_close(model.energy(X), -model.base(X))
    torch.testing.assert_close(model(X, with_base=False).logsumexp(-1), torch.zeros(50))


def test_the_residual_changes_the_density_and_not_the_clusters():
    before, model = network().posterior(X), with_residual(network())
    torch.testing.assert_close(model.posterior(X), before)
    torch.testing.assert_close(model(X).softmax(-1), before)
    residual = model(X, with_base=False).logsumexp(-1)
    assert residual.std() > 0.01
    torch.testing.assert_close(model.energy(X), -model.base(X) - residual)
    model.gain.fill_(0.5)
    torch.testing.assert_close(model(X, with_base=False).logsumexp(-1), 0.5 * residual)
    model.gain.fill_(1.0)
    model.start_at_base()
    torch.testing.assert_close(model.energy(X), -model.base(X))


def test_new_numbers_leave_the_residual_in_its_place():
    model = with_residual(network())
    posterior, energy = model.posterior(X), model.energy(X)
    renumber_head(model, torch.tensor([2, 0, 1]))
    torch.testing.assert_close(model.posterior(X), posterior[:, [2, 0, 1]])
    torch.testing.assert_close(model.energy(X), energy)


def test_far_points_look_alike_to_the_network():
    model = with_residual(network())
    far = torch.tensor([[1e3, 0.0], [1e12, 0.0]])
    one, other = model(far, with_base=False)
    torch.testing.assert_close(one, other)
    assert torch.isfinite(model(far, with_base=False)).all()


def test_the_logits_of_other_classifiers_are_without_the_base_too():
    generator = Generator().manual_seed(0)
    base = GaussianBase(torch.zeros(2), SpectralMatrix.of(torch.eye(2)))
    model = EnergyClassifier(MLP(2, [8], generator=generator), 3, base=base, generator=generator)
    torch.testing.assert_close(model(X) - base(X)[:, None], model(X, with_base=False))


def split_at_zero(slope):
    """p(x) = N(x; slope, 1), whose clusters are x > 0 and x < 0."""
    model = tilted(slope)
    with torch.no_grad():
        model.head.weight[0, :2] = torch.tensor([1e4, -1e4])
        model.head.bias[:2] = 0
    return model


def drawn(model, n, clusters=()):
    return model.sample(n, Generator().manual_seed(3), clusters)[:, 0]


@pytest.mark.parametrize("slope", [0.0, -0.7, 1.2])
def test_samples_follow_the_density_and_hardly_any_is_there_twice(slope):
    found = drawn(split_at_zero(slope), 5000)
    assert kstest(found.numpy(), norm(slope).cdf).pvalue > 0.01
    assert len(found.unique()) > 4950


@pytest.mark.parametrize(
    ("clusters", "low", "high"),
    [([0], 0, math.inf), ([1], -math.inf, 0), ([1, 0], -math.inf, math.inf)],
)
def test_samples_of_clusters_follow_their_density(clusters, low, high):
    law = truncnorm(low - 0.7, high - 0.7, loc=0.7)
    found = drawn(split_at_zero(0.7), 3000, clusters).numpy()
    assert kstest(found, law.cdf).pvalue > 0.01


def test_samples_repeat_where_few_draws_have_the_weight():
    found = drawn(split_at_zero(4.0), 2000)
    assert len(found.unique()) < 2000
    assert found.mean() == pytest.approx(4.0, abs=0.5)


def test_no_samples_are_no_rows():
    assert split_at_zero(0.0).sample(0, Generator()).shape == (0, 1)
