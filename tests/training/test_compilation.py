"""Compiled networks against eager ones."""

import shutil
from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric
from torch._dynamo.utils import counters

from gedi.data.dataset import Dataset
from gedi.errors import SettingsError
from gedi.model import EnergyClassifier
from gedi.model.convolutions import SmallConvNet
from gedi.model.encoders import MLP, OwnEncoder
from gedi.sampling import evaluate
from gedi.training.algorithm import train
from gedi.training.compilation import compiled, compiled_energy
from gedi.training.session import start
from small_trainings import SMALL, algorithm, blobs, fresh_state, heaps

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None,
    reason="torch.compile needs a C++ compiler on CPUs, and there is none",
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def graphs_made():
    """How many graphs were compiled so far."""
    return counters["stats"]["unique_graphs"]


def network(kind):
    shape = (1, 8, 8)
    encoder = (
        MLP(64, [8], generator=seeded())
        if kind == "mlp"
        else OwnEncoder(SmallConvNet(shape, seeded()), shape)
    )
    return EnergyClassifier(encoder, 3, generator=seeded(1))


@pytest.mark.parametrize(
    ("kind", "device"),
    [
        ("mlp", "cpu"),
        pytest.param("conv", "cpu", marks=pytest.mark.slow),
        pytest.param("conv", "cuda", marks=pytest.mark.gpu),
    ],
)
def test_compiled_energy_and_gradient_follow_the_weights(kind, device):
    model = network(kind).to(device)
    x = torch.randn(5, 64, generator=seeded(2)).to(device)
    energy, before = compiled_energy(model), graphs_made()
    for _ in range(2):
        eager, made = evaluate(model.energy, x), evaluate(energy, x)
        torch.testing.assert_close(made.energy, eager.energy)
        torch.testing.assert_close(made.gradient, eager.gradient)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(0.5)
    assert all(
        parameter.grad is None and parameter.requires_grad for parameter in model.parameters()
    )
    assert not torch.equal(eager.energy, model.energy(x))
    assert graphs_made() > before


def test_compiled_network_has_the_gradients_of_the_eager_one():
    model = network("mlp")
    x = torch.randn(5, 64, generator=seeded(2))
    model(x).square().sum().backward()
    eager = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    before = graphs_made()
    compiled(model)(x).square().sum().backward()
    assert graphs_made() > before
    for parameter, gradient in zip(model.parameters(), eager, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_a_compiled_training_learns_what_an_eager_one_does():
    states, graphs = [], []
    for compile in (False, True):
        before = graphs_made()
        state = fresh_state(horizon=8)
        train(Fabric(accelerator="cpu"), state, blobs(), algorithm(compile=compile))
        states.append(state)
        graphs.append(graphs_made() - before)
    # That of the chains, and that of the loss.
    assert graphs[0] == 0 and graphs[1] >= 2
    eager, made = (state.model.state_dict() for state in states)
    before = fresh_state().model.state_dict()
    for name, value in eager.items():
        torch.testing.assert_close(made[name], value, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(made["head.weight"], before["head.weight"], atol=1e-4)


def test_a_compiler_that_is_missing_is_told(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(SettingsError, match="setting compile: expected a C\\+\\+ compiler"):
        start(Dataset("heaps", heaps()[0]), replace(SMALL, compile=True))
