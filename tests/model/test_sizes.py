"""Sizes of networks, counted on the meta device, against those of networks with values."""

import pytest
import torch
from torch import Generator

from gedi.model.build import build_model
from gedi.model.sizes import network_size
from gedi.settings.complete import EncoderChoice


@pytest.mark.parametrize(
    ("encoder", "shape"),
    [
        (("mlp", [30, 20]), (7,)),
        (("mlp", [64]), (1, 8, 8)),
        (("conv", []), (1, 28, 28)),
        (("conv", []), (3, 17, 23)),
        (("resnet8", []), (3, 32, 32)),
        (("resnet18", []), (3, 32, 32)),
    ],
    ids=lambda value: str(value[0]),
)
def test_networks_have_the_size_that_is_counted(encoder, shape):
    kind, hidden = encoder
    chosen = EncoderChoice(kind=kind, hidden=hidden, base=False)
    with torch.device("meta"):
        size = network_size(build_model(chosen, shape, 5, generator=Generator()), shape)
    model = build_model(chosen, shape, 5, generator=Generator().manual_seed(0))
    assert size.parameters == sum(value.numel() for value in model.parameters())
    assert size == network_size(model, shape)
    own = {value.data_ptr() for value in model.parameters()}
    n = 4
    x = torch.rand(n, torch.Size(shape).numel())
    own.add(x.data_ptr())
    kept = {}

    def keep(value):
        if value.data_ptr() not in own:
            kept[value.data_ptr()] = value.numel()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        output = model(x)
    assert output.requires_grad
    assert sum(kept.values()) == n * size.kept
    widest = {"mlp": (7 + 60, 64 + 128), "conv": (), "resnet8": (), "resnet18": ()}[kind]
    assert not widest or size.passing in (*widest, 30 + 40)
