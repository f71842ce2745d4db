"""Replayed iterations against those that compute as usual."""

from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from gedi.data.dataset import Dataset
from gedi.errors import SettingsError
from gedi.settings import EncoderSettings, RestartSettings, SamplerSettings, Settings
from gedi.training.algorithm import train
from gedi.training.cuda_graphs import OneAhead, Replayed
from gedi.training.custom import Custom
from gedi.training.plan import plan
from gedi.training.session import start
from small_trainings import SMALL, algorithm, blobs, fresh_state, heaps

on_gpu = pytest.mark.gpu
FABRIC = Fabric(accelerator="cpu")


def images():
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (200, 64), generator=generator, dtype=torch.uint8)
    return Dataset("noise", x.numpy(), image_shape=(1, 8, 8), value_range=(0.0, 255.0))


def of_images(**changes):
    chosen = Settings(
        n_clusters=3,
        device="cuda",
        batch_size=16,
        max_iter=30,
        encoder=EncoderSettings(kind="conv"),
        sampler=SamplerSettings(n_steps=3, every=2),
        restarts=RestartSettings(n=1),
    )
    return replace(chosen, **changes)


@on_gpu
def test_a_replayed_function_draws_computes_and_changes_as_the_function_does():
    def made(replayed):
        generator = torch.Generator("cuda").manual_seed(0)
        total = torch.zeros(3, device="cuda")

        def function(x, factor, sign):
            total.add_(factor * x * torch.randn(3, device="cuda", generator=generator))
            return -total if sign else total.clone()

        return Replayed(function, generator) if replayed else function

    one, other = made(False), made(True)
    for i in range(12):
        x = torch.full((3,), float(i), device="cuda")
        torch.testing.assert_close(other(x, 0.5 * i, i % 3 == 0), one(x, 0.5 * i, i % 3 == 0))


@on_gpu
def test_what_has_moved_in_memory_is_captured_again():
    generator = torch.Generator("cuda").manual_seed(0)
    box = [torch.ones(2, device="cuda")]

    def place():
        return box[0].data_ptr()

    twice = Replayed(lambda: 2 * box[0], generator, place)
    for _ in range(6):
        assert twice().tolist() == [2, 2]
    kept, box[0] = box[0], torch.full((2,), 5.0, device="cuda")
    for _ in range(6):
        assert twice().tolist() == [10, 10]
    assert kept.tolist() == [1, 1]


@on_gpu
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_replayed_training_is_the_training(precision):
    ends = []
    for graphs in (False, True):
        session = start(images(), of_images(cuda_graph=graphs, precision=precision))
        assert session.parts.algorithm.cuda_graph is graphs
        session.advance()
        ends.append(session.state)
    usual, replayed = ends
    assert usual.iteration == replayed.iteration == 30
    for name, value in usual.model.state_dict().items():
        torch.testing.assert_close(replayed.model.state_dict()[name], value, atol=2e-3, rtol=2e-2)
    torch.testing.assert_close(replayed.buffer.positions, usual.buffer.positions, atol=0.02, rtol=0)
    assert torch.equal(replayed.generator.get_state(), usual.generator.get_state())
    begin = start(images(), of_images()).state.model.state_dict()["head.weight"]
    assert not torch.allclose(begin, usual.model.state_dict()["head.weight"], atol=5e-3)


@on_gpu
def test_after_the_guard_went_back_graphs_follow_the_state_that_is_there():
    session = start(images(), of_images(cuda_graph=True))
    guard, state = session.controller.guard, session.state
    session.advance(until=12)
    before = state.model.state_dict()["head.weight"].clone()
    guard._roll_back(state, "a test")
    session.advance(until=24)
    assert not torch.equal(before, state.model.state_dict()["head.weight"])
    moments = next(iter(state.optimizer.state.values()))
    assert float(moments["step"]) == 12  # those since the start, to which it went back


def test_by_default_graphs_are_for_gpus():
    x = Dataset("heaps", heaps()[0])
    assert not plan(x, SMALL).cuda_graph
    with pytest.raises(SettingsError, match=r"setting cuda_graph: .* where the device is not cuda"):
        plan(x, replace(SMALL, cuda_graph=True))


@on_gpu
def test_labels_are_seen_without_graphs_and_that_is_said():
    x = images()
    known = Custom(classes=torch.arange(200).remainder(3).numpy())
    for wanted in (None, False):
        session = start(x, of_images(cuda_graph=wanted), custom=known)
        assert not session.parts.algorithm.cuda_graph
        session.advance(until=2)
    with pytest.raises(SettingsError, match="something is known of some inputs"):
        start(x, of_images(cuda_graph=True), custom=known)


def test_weights_and_rates_may_be_tensors():
    """As a graph is given them."""
    ends = []
    for held in (False, True):
        state, chosen = fresh_state(horizon=6), algorithm()
        given = replace(
            chosen,
            weights=chosen.weights._replace(
                gen=torch.tensor(1.0) if held else 1.0,
                max_contrast=2.0,
            ),
            learning_rate=torch.tensor(2e-3) if held else 2e-3,
        )
        train(FABRIC, state, blobs(), given)
        ends.append(state.model.state_dict())
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value)


def test_a_loop_on_a_cpu_is_never_ahead():
    ahead = OneAhead(torch.device("cpu"))
    ahead.wait()
    ahead.wait()
