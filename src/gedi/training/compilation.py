"""Compiled networks: the same numbers from fewer and larger kernels."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gedi.errors import SettingsError
from gedi.installed import compiler
from gedi.model import EnergyClassifier
from gedi.sampling import Energy

__all__ = ["check_compiler", "compiled", "compiled_energy"]


def check_compiler(device: torch.device) -> None:
    """Check that torch finds the C++ compiler that it needs to compile for a CPU.

    Raises:
        SettingsError: if there is none.
    """
    if device.type == "cpu" and compiler() is None:
        raise SettingsError(
            "setting compile: expected a C++ compiler, g++ or clang++, but none was found: "
            "install one, or set compile to false"
        )


def compiled(network: nn.Module, *, graphs: bool = True) -> Callable[[Tensor], Tensor]:
    """The network, compiled when it is first called, for each shape of its input.

    Args:
        network: the network; the compiled one shares its parameters.
        graphs: whether to replay each pass as a CUDA graph on a GPU; False if the pass is itself
            part of a graph.
    """
    is_cuda = any(parameter.is_cuda for parameter in network.parameters())
    mode = "reduce-overhead" if is_cuda and graphs else None
    made: Callable[[Tensor], Tensor] = torch.compile(network, mode=mode, dynamic=False)
    return made


def compiled_energy(model: EnergyClassifier, *, graphs: bool = True) -> Energy:
    """E(x) of a model, (..., n, d) -> (..., n), with compiled gradients with respect to x.

    Args:
        model: the model; the energy follows the training of its weights.
        graphs: see `compiled`.
    """
    frozen = copy.deepcopy(model).requires_grad_(False)
    for parameter, trained in zip(frozen.parameters(), model.parameters(), strict=True):
        parameter.data = trained.data  # both share the memory
    network = compiled(frozen, graphs=graphs)

    def energy(x: Tensor) -> Tensor:
        if graphs:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        # The next replay of the graph overwrites this result, so value and gradient are copies.
        logits = 1.0 * network(1.0 * x)
        return -torch.logsumexp(logits, -1)

    return energy
