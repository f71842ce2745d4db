"""The formula for memory against modules, and against the system's word on whole trainings."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator

import memory as benchmark
from gedi.data.dataset import Dataset
from gedi.settings import EncoderSettings, RestartSettings, SamplerSettings, Settings
from gedi.training.ingredients import build_model
from gedi.training.memory import Memory, network_size, peak_memory
from gedi.training.plan import resolve
from small_trainings import SMALL, heaps


@pytest.mark.parametrize(
    ("encoder", "shape"),
    [
        (EncoderSettings("mlp", [30, 20], False), (7,)),
        (EncoderSettings("mlp", [64], False), (1, 8, 8)),
        (EncoderSettings("conv", None, False), (1, 28, 28)),
        (EncoderSettings("conv", None, False), (3, 17, 23)),
        (EncoderSettings("resnet8", None, False), (3, 32, 32)),
        (EncoderSettings("resnet18", None, False), (3, 32, 32)),
    ],
    ids=lambda value: str(getattr(value, "kind", value)),
)
def test_networks_have_the_size_that_is_counted(encoder, shape):
    settings = replace(SMALL, n_clusters=5, encoder=encoder)
    model = build_model(settings, shape, None, generator=Generator().manual_seed(0))
    d = torch.Size(shape).numel()
    size = network_size(encoder, 5, d, shape if len(shape) == 3 else None)
    assert size.parameters == sum(value.numel() for value in model.parameters())
    own = {value.data_ptr() for value in model.parameters()}
    kept = {}

    def keep(value):
        if value.data_ptr() not in own:
            kept[value.data_ptr()] = value.numel()
        return value

    n = 4
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        output = model(torch.rand(n, d))
    assert output.requires_grad
    assert sum(kept.values()) / n == pytest.approx(size.kept, rel=0.25, abs=3 * d)


def test_the_peak_is_what_is_held_and_the_largest_phase():
    memory = Memory({"libraries": 5, "data": 2}, {"iteration": 3, "end": 10})
    assert memory.total == 17
    assert memory.parts == {"end": 10, "libraries": 5, "data": 2}
    assert list(memory.parts) == ["end", "libraries", "data"]


def sized(n=10_000, d=20, **changes):
    """The memory of a training of default settings, but for some."""
    x = heaps(200, d)[0]
    settings = replace(Settings(n_clusters=3, device="cpu"), **changes)
    return peak_memory(resolve(settings, Dataset("heaps", x)), n, d, libraries=0)


def test_what_grows_with_what():
    usual = sized()
    assert sized(n=20_000).held["data"] == 2 * usual.held["data"] == 2 * 10_000 * 20 * 8
    two, four = (sized(restarts=RestartSettings(n=n, kmeans=0, gen=False)).phases for n in (2, 4))
    assert four["iteration"] == 2 * two["iteration"]
    whole, half, other = (
        sized(sampler=SamplerSettings(buffer_size=n, buffer_dtype=dtype)).held[
            "networks and chains"
        ]
        for n, dtype in [(20_000, "float32"), (20_000, "float16"), (10_000, "float32")]
    )
    assert whole - half == whole - other
    few, many = (sized(batch_size=n).phases["iteration"] for n in (5000, 10_000))
    # But for the squares of the points that are referred to.
    assert many - few == pytest.approx(few, rel=0.01)
    images = {"image_shape": (1, 28, 28), "libraries": 0}
    settings = resolve(
        Settings(n_clusters=3, device="cpu"),
        Dataset("images", np.zeros((300, 784), np.uint8), image_shape=(1, 28, 28)),
    )
    once, twice = (
        peak_memory(settings, 300, 784, replayed=replayed, **images).phases["iteration"]
        for replayed in (False, True)
    )
    assert twice == 2 * once
    wide, wider = (sized(d=d).phases["covariance and kernels"] for d in (4000, 8000))
    assert wider == pytest.approx(2 * wide, rel=0.1)  # not four times


CASES = {
    "toy": {"n": 5000, "d": 2, "settings": {"n_clusters": 2}},
    "side by side": {
        "n": 4000,
        "d": 40,
        "settings": {
            "n_clusters": 3,
            "batch_size": 1024,
            "encoder": {"hidden": [256, 256]},
            "weights": {"gen": 0.0},
            "restarts": {"n": 8},
        },
    },
    "images": {
        "n": 1000,
        "d": 784,
        "shape": [1, 28, 28],
        "settings": {"n_clusters": 10, "batch_size": 128, "sampler": {"every": 1, "n_steps": 1}},
    },
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", CASES)
def test_trainings_take_what_is_predicted(name):
    check(benchmark.measured(CASES[name]))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", benchmark.CASES)
def test_trainings_of_the_benchmark_take_what_is_predicted(name):
    check(benchmark.measured(benchmark.CASES[name]))


def check(found):
    mebibytes = {name: found[name] / 2**20 for name in ("measured", "predicted")}
    print(mebibytes, found["parts"])
    assert found["predicted"] == pytest.approx(found["measured"], rel=0.2)
    # Most of a small training's memory is that of libraries, which would hide what is left out.
    measured, predicted = (found[name] - found["imports"] for name in ("measured", "predicted"))
    assert predicted == pytest.approx(measured, rel=0.4)
