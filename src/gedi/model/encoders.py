"""Encoders: from a point (..., d) to its embedding (..., e).

The attribute `n_features` of an encoder is the width of its embedding, e. The encoders here may
hold several *members*: independent networks that are evaluated together, by batched matrix
products. Their parameters have the leading dimensions `members`, and points have the shape
(*members, n, d); `members=()` is a single network.
"""

import copy
import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call
from torch.nn.functional import normalize, silu

from gedi.errors import SettingsError
from gedi.model.convolutions import ResNet8, ResNet18, SmallConvNet

__all__ = ["MLP", "CosineHead", "MemberLinear", "OnAxes", "OwnEncoder"]


class MemberLinear(nn.Module):
    """An affine map x W + b for each member, initialised uniformly in ±1/sqrt(d).

    Args:
        n_inputs: the number of inputs, d.
        n_outputs: the number of outputs, e.
        members: leading dimensions of the parameters.
        generator: draws the initial weights.
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
        if self.weight.ndim == 3 and x.ndim == 3 and len(x) == len(self.weight):
            return torch.baddbmm(self.bias, x, self.weight)
        if self.weight.ndim == 2 and x.ndim == 2:
            return torch.addmm(self.bias, x, self.weight)
        return x @ self.weight + self.bias


class CosineHead(MemberLinear):
    """Cosines between points and prototypes over a temperature, ⟨x / |x|, w / |w|⟩ / τ.

    Args:
        n_inputs: the number of inputs, d.
        n_outputs: the number of prototypes, c.
        temperature: the temperature τ.
        members: leading dimensions of the parameters.
        generator: draws the initial prototypes.
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        temperature: float,
        *,
        members: tuple[int, ...] = (),
        generator: Generator,
    ) -> None:
        super().__init__(n_inputs, n_outputs, members=members, generator=generator)
        self.bias.requires_grad_(False).zero_()
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        """(*members, n, d) -> (*members, n, c)."""
        return normalize(x, dim=-1) @ normalize(self.weight, dim=-2) / self.temperature


class MLP(nn.Module):
    """A multilayer perceptron with SiLU after every layer.

    Activations must be smooth, because Langevin chains follow the input gradient of the energy,
    which jumps where an activation has a kink.

    Args:
        n_inputs: the number of inputs, d.
        hidden: widths of the layers; the last layer gives the embedding.
        members: leading dimensions of the parameters.
        generator: draws the initial weights.
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


class OnAxes(nn.Module):
    """An encoder that sees points along some principal axes of the data, encoder((x - m) V / s).

    With few points for each feature, a network that sees all features learns the points by heart.

    Args:
        n_inputs: the number of features, d.
        n_axes: the number of axes, k.
        encoder: maps (..., k) to (..., e); None is the identity.

    Attributes:
        centre: m, (d,).
        axes: V, (d, k), with orthonormal columns; zeros until `place` is called.
        scale: s, so that the mean square along the axes is 1.
    """

    centre: Tensor
    axes: Tensor
    scale: Tensor

    def __init__(self, n_inputs: int, n_axes: int, encoder: MLP | None = None) -> None:
        super().__init__()
        self.encoder = encoder or nn.Identity()
        self.n_features = n_axes if encoder is None else encoder.n_features
        self.register_buffer("centre", torch.zeros(n_inputs))
        self.register_buffer("axes", torch.zeros(n_inputs, n_axes))
        self.register_buffer("scale", torch.ones(()))

    @torch.no_grad()
    def place(self, centre: Tensor, axes: Tensor, scale: Tensor) -> None:
        """Set the axes."""
        self.centre.copy_(centre)
        self.axes.copy_(axes)
        self.scale.copy_(scale)

    def forward(self, x: Tensor) -> Tensor:
        """(*members, n, d) -> (*members, n, e)."""
        along = (x - self.centre.to(x)) @ self.axes.to(x) / self.scale.to(x)
        features: Tensor = self.encoder(along)
        return features


class OwnEncoder(nn.Module):
    """Any module as encoder, starting from its own weights.

    The parameters are stacked over the members, and the module is called once for each member. It
    runs in evaluation mode, because chains need a deterministic energy.

    Args:
        module: maps (n, *input_shape) to (n, ...).
        input_shape: the shape of one point, (d,) or (C, H, W).
        members: leading dimensions of the parameters, () or (k,).
        others: modules of the same kind with the weights of the second and later members; if empty,
            all members have the weights of `module`.

    Raises:
        SettingsError: if the module cannot be called with such batches, returns something else than
            one row for each point, or uses batch normalisation.
    """

    def __init__(
        self,
        module: nn.Module,
        input_shape: tuple[int, ...],
        *,
        members: tuple[int, ...] = (),
        others: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__()
        _refuse_batch_statistics(module)
        self.input_shape = input_shape
        self.n_features = _width(module, input_shape)
        # Dots are replaced, because parameter names of a module cannot contain them.
        self.stacked = nn.ParameterDict(
            {
                name.replace(".", "/"): nn.Parameter(
                    torch.stack([each.get_parameter(name).detach() for each in (module, *others)])
                    if others
                    else value.detach().expand(*members, *value.shape).clone()
                )
                for name, value in module.named_parameters()
            }
        )
        self.fixed = tuple(name for name, _ in module.named_buffers())
        for name, value in module.named_buffers():
            self.register_buffer(name.replace(".", "/"), value.detach().clone())
        self.members = members
        # On the meta device, because only the structure is used.
        self.template = (copy.deepcopy(module).eval().to("meta"),)

    def forward(self, x: Tensor) -> Tensor:
        """(*members, n, d) or (n, d) -> (*members, n, e)."""
        if not self.members:
            return self._call(x, None)
        each = x.expand(*self.members, *x.shape[-2:]) if x.ndim == 2 else x
        return torch.stack([self._call(points, k) for k, points in enumerate(each)])

    def _call(self, x: Tensor, member: int | None) -> Tensor:
        state = {
            name.replace("/", "."): value if member is None else value[member]
            for name, value in self.stacked.items()
        }
        state |= {name: self.get_buffer(name.replace(".", "/")) for name in self.fixed}
        images = x.reshape(-1, *self.input_shape)
        output: Tensor = functional_call(self.template[0], state, (images,))
        return output.reshape(*x.shape[:-1], self.n_features)


def _refuse_batch_statistics(module: nn.Module) -> None:
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            raise SettingsError(
                "encoder: expected no batch normalisation, because the energy of a point must not "
                f"depend on other points; got {name or 'the module'}, a {type(part).__name__}: use "
                "LayerNorm or GroupNorm instead"
            )


def _width(module: nn.Module, input_shape: tuple[int, ...]) -> int:
    """The number of output features, found by calling a module of the user or of a plug-in."""
    if isinstance(module, (SmallConvNet, ResNet8, ResNet18)):
        # A call without storage would import torch's compiler, which takes a second.
        return module.n_features
    probe = copy.deepcopy(module).eval()
    try:
        with torch.no_grad():
            output = probe(torch.zeros(2, *input_shape))
    except Exception as error:
        raise SettingsError(
            f"encoder: expected a module that maps a batch of shape (n, "
            f"{', '.join(map(str, input_shape))}); calling it failed: {error}"
        ) from error
    if not isinstance(output, Tensor) or output.ndim < 2 or len(output) != 2:
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise SettingsError(f"encoder: expected one row of features for each point, got {shape}")
    return output[0].numel()
