"""Encoders: from a point (..., d) to its embedding (..., e).

An encoder tells its width in `n_features`. Those here may hold several *members*: independent
copies side by side, evaluated by one batched matrix product. Their parameters have leading
dimensions `members`, and points have shape (*members, n, d); `members=()` is one plain network.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import silu

__all__ = ["MLP", "MemberLinear"]


class MemberLinear(nn.Module):
    """An affine map x W + b for each member, initialised uniformly in ±1/sqrt(d).

    Args:
        n_inputs: d.
        n_outputs: e.
        members: leading dimensions of the parameters.
        generator: source of the initial weights.
    """

    def __init__(
        self, n_inputs: int, n_outputs: int, *, members: tuple[int, ...] = (), generator: Generator
    ) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_inputs)

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(
                torch.empty(*members, *shape).uniform_(-bound, bound, generator=generator)
            )

        self.weight = uniform(n_inputs, n_outputs)
        self.bias = uniform(1, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(*members, n, d) -> (*members, n, e)."""
        if self.weight.ndim == 3 and x.ndim == 3:
            return torch.baddbmm(self.bias, x, self.weight)
        if self.weight.ndim == 2 and x.ndim == 2:
            return torch.addmm(self.bias, x, self.weight)
        return x @ self.weight + self.bias


class MLP(nn.Module):
    """A multilayer perceptron with SiLU after every layer.

    Smooth activations are not a matter of taste here: Langevin chains follow the input gradient
    of the energy, and kinks make it jump.

    Args:
        n_inputs: d.
        hidden: widths of the layers; the last one is the embedding.
        members: leading dimensions, for several networks side by side.
        generator: source of the initial weights.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden: Sequence[int],
        *,
        members: tuple[int, ...] = (),
        generator: Generator,
    ) -> None:
        super().__init__()
        widths = [n_inputs, *hidden]
        self.layers = nn.ModuleList(
            MemberLinear(d, e, members=members, generator=generator) for d, e in pairwise(widths)
        )
        self.n_features = widths[-1]

    def forward(self, x: Tensor) -> Tensor:
        """(*members, n, d) -> (*members, n, e)."""
        for layer in self.layers:
            x = silu(layer(x))
        return x
