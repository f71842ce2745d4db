"""Gradients written out against automatic differentiation."""

import pytest
import torch
from lightning_fabric import Fabric

from gedi.model import EnergyClassifier
from gedi.model.base import GaussianBase
from gedi.model.convolutions import SmallConvNet
from gedi.model.encoders import MLP, CosineHead, OwnEncoder
from gedi.sampling import evaluate
from gedi.training import algorithm as training
from gedi.training.algorithm import train
from gedi.training.analytic import AnalyticEnergy, analytic_energy
from small_trainings import algorithm, blobs, fresh_state


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(members=(), d=5, *, base=None, n_clusters=4, **arguments):
    encoder = MLP(d, [17, 9], members=members, generator=seeded())
    return EnergyClassifier(
        encoder, n_clusters, base=base, members=members, generator=seeded(1), **arguments
    )


def same_as_differentiated(model, x, **tolerance):
    energy = analytic_energy(model)
    assert isinstance(energy, AnalyticEnergy)
    expected, found = evaluate(model.energy, x), evaluate(energy, x)
    for name, value in expected._asdict().items():
        torch.testing.assert_close(getattr(found, name), value, **tolerance)
    torch.testing.assert_close(energy(x), expected.energy)
    assert not found.energy.requires_grad and not found.gradient.requires_grad


@pytest.mark.parametrize("members", [(), (3,)], ids=["one", "three"])
@pytest.mark.parametrize("n_clusters", [1, 2, 10])
def test_energy_and_gradient_are_those_of_autograd(members, n_clusters):
    x = 3 * torch.randn(*members, 50, 5, generator=seeded(2))
    same_as_differentiated(network(members, n_clusters=n_clusters), x)


@pytest.mark.parametrize("d", [3, 300], ids=["all eigenvectors", "the leading ones"])
def test_with_a_gaussian_base(d):
    data = torch.randn(400, d, generator=seeded(3)) @ torch.randn(d, d, generator=seeded(4))
    model = network(d=d, base=GaussianBase.fit(data / d, 0.1))
    same_as_differentiated(model, data[:20] / d, atol=1e-4, rtol=1e-4)


def test_in_double_precision_to_its_last_digits():
    model = network().double()
    x = torch.randn(50, 5, generator=seeded(2), dtype=torch.float64)
    same_as_differentiated(model, x, atol=1e-14, rtol=1e-12)


def test_far_logits_neither_overflow_nor_vanish():
    model = network()
    with torch.no_grad():
        model.head.weight.mul_(1e4)
    x = torch.randn(50, 5, generator=seeded(2))
    same_as_differentiated(model, x, atol=0.02, rtol=1e-4)  # energies of thousands of nats


def test_it_follows_the_weights():
    model, x = network(), torch.randn(50, 5, generator=seeded(2))
    energy = analytic_energy(model)
    before = evaluate(energy, x).gradient
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    after = evaluate(energy, x).gradient
    torch.testing.assert_close(after, evaluate(model.energy, x).gradient)
    assert not torch.allclose(before, after, rtol=0.01)


@pytest.mark.parametrize(
    "model",
    [
        EnergyClassifier(
            OwnEncoder(SmallConvNet((1, 8, 8), seeded()), (1, 8, 8)), 3, generator=seeded()
        ),
        network(head=CosineHead(9, 4, 0.1, generator=seeded())),
        network(base=torch.nn.Flatten(0)),
        network(encoder_dtype=torch.bfloat16),
    ],
    ids=["convolutions", "cosines", "another base", "bfloat16"],
)
def test_other_networks_are_differentiated(model):
    assert analytic_energy(model) == model.energy


def test_a_training_learns_what_it_does_by_autograd(monkeypatch):
    states = [fresh_state(horizon=8) for _ in range(2)]
    train(Fabric(accelerator="cpu"), states[0], blobs(), algorithm())
    monkeypatch.setattr(training, "analytic_energy", lambda model: model.energy)
    train(Fabric(accelerator="cpu"), states[1], blobs(), algorithm())
    before = fresh_state().model.state_dict()
    written, differentiated = (state.model.state_dict() for state in states)
    for name, value in differentiated.items():
        torch.testing.assert_close(written[name], value, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(written["head.weight"], before["head.weight"], atol=1e-4)
