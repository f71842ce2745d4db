"""Encoders by the name of their kind: built-in ones and those of plug-ins."""

import math
from typing import get_args

import torch
from torch import Generator, nn

from gedi import plugins
from gedi.errors import PluginError
from gedi.model.convolutions import ResNet8, ResNet18, SmallConvNet
from gedi.model.encoders import MLP, OnAxes, OwnEncoder
from gedi.random_state import lent_random_state
from gedi.settings import EncoderKind, EncoderSettings

__all__ = ["fresh_encoder", "is_convolutional", "is_plugged", "plugged_module"]

_CONVOLUTIONAL = {"conv": SmallConvNet, "resnet8": ResNet8, "resnet18": ResNet18}


def is_convolutional(kind: str | None) -> bool:
    """Whether an encoder of this kind is a built-in convolutional network."""
    return kind in _CONVOLUTIONAL


def is_plugged(kind: str | None) -> bool:
    """Whether an encoder of this kind comes from a plug-in."""
    return kind is not None and kind not in get_args(EncoderKind)


def fresh_encoder(
    chosen: EncoderSettings,
    input_shape: tuple[int, ...],
    *,
    members: tuple[int, ...] = (),
    generator: Generator,
) -> nn.Module:
    """Build an encoder on the CPU, with different random weights for each member.

    Args:
        chosen: settings of the encoder, with nothing left open.
        input_shape: the shape of one point, (d,) or (C, H, W).
        members: leading dimensions of the parameters, () or (k,).
        generator: draws the weights.

    Raises:
        PluginError: if the plug-in of this kind is not installed or cannot be loaded.
        SettingsError: if its module is not an encoder for such points.
    """
    if chosen.kind == "mlp":
        assert chosen.hidden is not None  # never None in settings with nothing left open
        d, k = math.prod(input_shape), chosen.components
        if not k:
            return MLP(d, chosen.hidden, members=members, generator=generator)
        return OnAxes(d, k, MLP(k, chosen.hidden, members=members, generator=generator))
    if chosen.kind == "linear":  # the head alone has members
        assert chosen.components  # never 0 or None in settings with nothing left open
        return OnAxes(math.prod(input_shape), chosen.components)
    first, *others = (
        _module(str(chosen.kind), input_shape, generator) for _ in range(math.prod(members))
    )
    return OwnEncoder(first, input_shape, members=members, others=others)


def _module(kind: str, input_shape: tuple[int, ...], generator: Generator) -> nn.Module:
    if kind in _CONVOLUTIONAL:
        channels, height, width = input_shape
        network: nn.Module = _CONVOLUTIONAL[kind]((channels, height, width), generator)
        return network
    return plugged_module(kind, input_shape, generator)


def plugged_module(kind: str, input_shape: tuple[int, ...], generator: Generator) -> nn.Module:
    """The encoder of a plug-in, returned by its entry point for the shape of a point.

    Raises:
        PluginError: if the plug-in is not installed, cannot be loaded, or returns no module.
    """
    make = plugins.load(
        "gedi.encoders", kind, built_in=get_args(EncoderKind), setting="setting encoder.kind"
    )
    # Modules draw their initial weights from the global random state.
    with lent_random_state(torch.empty(0), generator):
        module: object = make(input_shape)
    if not isinstance(module, nn.Module):
        raise PluginError(
            f"setting encoder.kind: expected a torch.nn.Module from "
            f"{plugins.find('gedi.encoders', kind)}, got {module!r}"
        )
    return module
