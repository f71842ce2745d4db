"""A classifier on a normalised base: energies start at the base, whatever the clusters are."""

import torch
from torch import Generator

from gedi.model import EnergyClassifier, ResidualClassifier, renumber_head
from gedi.model.base import GaussianBase
from gedi.model.encoders import MLP
from gedi.model.spectral import SpectralMatrix


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
