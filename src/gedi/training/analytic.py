"""The energy of a multilayer perceptron with an explicit gradient.

The chains evaluate ∇E(x) thousands of times and nothing else. For E = -logsumexp_y f_y it is

    ∇E(x) = -J_1ᵀ S_1 J_2ᵀ S_2 ... W p(y|x) - ∇b(x),

where S are the derivatives of the activations at the inputs kept from the forward pass. The numbers
are those of automatic differentiation, without its graph.
"""

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, silu

from gedi.model import EnergyClassifier
from gedi.model.base import GaussianBase
from gedi.model.encoders import MLP, MemberLinear
from gedi.sampling import Energy, WithGradient

__all__ = ["AnalyticEnergy", "analytic_energy"]


_silu_backward = torch.ops.aten.silu_backward.grad_input


class AnalyticEnergy(WithGradient):
    """E(x) of a model with an MLP as encoder, (*members, n, d) -> (*members, n), and its gradient.

    Args:
        model: the model; the energy shares its weights in memory and follows their training.
    """

    def __init__(self, model: EnergyClassifier) -> None:
        self.model = model
        layers: list[MemberLinear] = [*model.encoder.layers, model.head]  # type: ignore[misc]
        self._weights = [layer.weight.detach() for layer in layers]
        self._biases = [layer.bias.detach() for layer in layers]
        self._backwards = [weight.mT for weight in self._weights]
        several = self._weights[0].ndim == 3
        self._affine = torch.baddbmm if several else torch.addmm
        self._product = torch.bmm if several else torch.mm

    def __call__(self, x: Tensor) -> Tensor:
        """E(x), (..., n, d) -> (..., n)."""
        return self.model.energy(x)

    @torch.no_grad()
    def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """E(x) (*members, n) and ∇_x E(x) (*members, n, d), of points (*members, n, d)."""
        affine, product = self._affine, self._product
        *layers, (weight, bias) = zip(self._weights, self._biases, strict=True)
        *backwards, back = self._backwards
        inputs, h = [], x
        for own_weight, own_bias in layers:
            z = affine(own_bias, h, own_weight)
            inputs.append(z)
            h = silu(z)
        logits = affine(bias, h, weight)
        log_posterior = log_softmax(logits, -1)
        energy = log_posterior[..., 0] - logits[..., 0]
        uphill = product(log_posterior.exp_(), back)
        while inputs:
            z = inputs.pop()  # not needed any more: its memory is warm
            _silu_backward(uphill, z, grad_input=z)
            uphill = product(z, backwards.pop())
        base = self.model.base
        if base is None:
            return energy, uphill.neg_()
        assert isinstance(base, GaussianBase)
        centred = x - base.mean
        pull = base.precision(centred)
        return energy + 0.5 * (pull * centred).sum(-1), pull - uphill


def analytic_energy(model: EnergyClassifier) -> Energy:
    """E(x) with an explicit gradient where the model has one, otherwise the model's own energy."""
    known = (
        type(model) is EnergyClassifier
        and type(model.encoder) is MLP
        and type(model.head) is MemberLinear
        and model.head.weight.ndim <= 3
        and (model.base is None or type(model.base) is GaussianBase)
        and model.encoder_dtype is None
    )
    return AnalyticEnergy(model) if known else model.energy
