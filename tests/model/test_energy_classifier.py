"""Logits read as a posterior and as an energy."""

import copy

import pytest
import torch

from gedi.model import EnergyClassifier, energy_of_logits, member, number_by_size, weight_average
from gedi.model.base import GaussianBase
from gedi.model.encoders import MLP
from gedi.model.spectral import SpectralMatrix


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(members=(), base=None, seed=0):
    encoder = MLP(2, [8], members=members, generator=seeded(seed))
    model = EnergyClassifier(encoder, 3, base=base, members=members, generator=seeded(seed + 1))
    return model.double()


@pytest.fixture
def x():
    return torch.randn(6, 2, dtype=torch.float64, generator=seeded(5))


@pytest.fixture
def base():
    covariance = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    return GaussianBase(torch.ones(2, dtype=torch.float64), SpectralMatrix.of(covariance))


def test_energy_is_minus_logsumexp_of_the_logits(x):
    model = network()
    expected = -model(x).exp().sum(-1).log()
    assert torch.allclose(model.energy(x), expected, atol=1e-12, rtol=0)
    assert torch.allclose(energy_of_logits(model(x)), expected, atol=1e-12, rtol=0)


def test_energy_of_large_logits_does_not_overflow():
    assert torch.equal(energy_of_logits(torch.tensor([[1e4, -1e4]])), torch.tensor([-1e4]))


@pytest.mark.parametrize("members", [(), (2,)])
def test_posterior_sums_to_one(x, members):
    posterior = network(members).posterior(x)
    assert posterior.shape == (*members, 6, 3) and (posterior > 0).all()
    assert torch.allclose(posterior.sum(-1), torch.ones(1, dtype=torch.float64), atol=1e-12)


def test_only_the_encoder_computes_in_lower_precision(base):
    full, half = (network(base=base).float() for _ in range(2))
    half.encoder_dtype = torch.bfloat16
    x = torch.randn(200, 2, generator=seeded(5))
    seen = []
    half.encoder.layers[0].register_forward_hook(lambda *args: seen.append(args[2].dtype))
    a, b = full(x), half(x)
    assert seen == [torch.bfloat16] and b.dtype == torch.float32
    # Bfloat16 has 8 bits; the base, whose values are much larger than the logits, has all of them.
    assert 0 < (a - b).abs().max() < 0.02
    far = 1000 * x
    assert (full(far) - half(far)).abs().max() < 1e-2 * base.float()(far).abs().max()
    assert half.posterior(x).dtype == torch.float32
    half.energy(x).sum().backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in half.parameters())


def test_base_changes_the_energy_but_not_the_posterior(x, base):
    plain, based = network(), network(base=base)
    assert torch.allclose(based.posterior(x), plain.posterior(x), atol=1e-12, rtol=0)
    assert torch.allclose(based.energy(x), plain.energy(x) - base(x), atol=1e-12, rtol=0)


def test_cluster_energies_add_up_to_the_energy(x, base):
    model = network(base=base)
    each = torch.stack([model.cluster_energy(y)(x) for y in range(3)], -1)
    assert torch.equal(each, -model(x))
    assert torch.allclose(-torch.logsumexp(-each, -1), model.energy(x), atol=1e-12, rtol=0)


def test_copy_of_a_member(x, base):
    many, one = network((3,), base), network((), base, seed=7)
    copied = member(many, one, 1)
    assert copied is one
    assert torch.allclose(one(x), many(x)[1], atol=1e-12, rtol=0)
    with torch.no_grad():
        many.head.bias.add_(1)
    assert not torch.allclose(one(x), many(x)[1], atol=0.1)  # a copy, not a view
    assert all(p.requires_grad for p in one.parameters())


def test_weight_average():
    average, model = network(seed=0), network(seed=3)
    before = copy.deepcopy(average)
    weight_average(average, model, 0.75)
    for got, old, new in zip(
        average.parameters(), before.parameters(), model.parameters(), strict=True
    ):
        assert torch.allclose(got, 0.75 * old + 0.25 * new, atol=1e-12, rtol=0)


def test_clusters_are_numbered_by_size(x, base):
    model, x = network(base=base), 3 * torch.cat([x, -x, x + 1])
    before = model(x)
    sizes = torch.bincount(before.argmax(-1), minlength=3)
    number_by_size(model, x)
    after = model(x)
    assert torch.bincount(after.argmax(-1), minlength=3).tolist() == sorted(sizes, reverse=True)
    torch.testing.assert_close(after.sort(-1).values, before.sort(-1).values)
