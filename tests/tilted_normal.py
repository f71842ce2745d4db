"""A classifier on a normal base whose density is known in closed form."""

import math

import torch
from torch import Generator, nn

from gedi.model import ResidualClassifier
from gedi.model.encoders import MLP


class Normal(nn.Module):
    """The standard normal density in one dimension."""

    def forward(self, x):
        return -0.5 * x[..., 0].square() - 0.5 * math.log(2 * math.pi)

    def sample(self, shape, generator):
        return torch.randn(*shape, 1, generator=generator)


def tilted(slope):
    """p(x) ∝ N(x; 0, 1) exp(slope x), within where the network tells points apart."""
    generator = Generator().manual_seed(0)
    model = ResidualClassifier(
        MLP(1, [1], generator=generator), 2, base=Normal(), generator=generator
    )
    model.embed = lambda x: x
    with torch.no_grad():
        model.head.weight[..., -1] = slope
    return model
