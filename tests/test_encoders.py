"""Members of a batched network against single networks."""

import pytest
import torch

from gedi.encoders import MLP, MemberLinear
from gedi.model import EnergyClassifier, member


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("members", [(3,), (2, 2)])
def test_members_give_exactly_what_single_networks_give(members):
    many = EnergyClassifier(
        MLP(4, [8, 5], members=members, generator=seeded()), 3, members=members, generator=seeded(1)
    ).double()
    one = EnergyClassifier(MLP(4, [8, 5], generator=seeded(2)), 3, generator=seeded(3)).double()
    x = torch.randn(*members, 7, 4, dtype=torch.float64, generator=seeded(4))
    together = many(x)
    assert together.shape == (*members, 7, 3)
    for index in torch.cartesian_prod(*(torch.arange(m) for m in members)).reshape(
        -1, len(members)
    ):
        place = tuple(index.tolist())
        alone = member(many, one, place)(x[place])
        assert torch.allclose(together[place], alone, atol=1e-12, rtol=0)


def test_the_same_points_may_be_given_to_all_members():
    many = MLP(4, [5], members=(3,), generator=seeded()).double()
    x = torch.randn(7, 4, dtype=torch.float64, generator=seeded(1))
    assert torch.allclose(many(x), many(x.expand(3, 7, 4)), atol=1e-12, rtol=0)


def test_linear_is_an_affine_map_with_bounded_start():
    linear = MemberLinear(16, 3, generator=seeded())
    x = torch.randn(5, 16, generator=seeded(1))
    assert torch.allclose(linear(x), x @ linear.weight + linear.bias, atol=1e-6)
    assert torch.allclose(linear(x[None])[0], linear(x), atol=1e-6)
    assert linear.weight.abs().max() <= 0.25 and linear.weight.abs().max() > 0.2


def test_the_generator_decides_the_weights():
    a, b, c = (MLP(3, [4], generator=seeded(s)).layers[0].weight for s in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_width_is_told_and_activation_is_smooth():
    encoder = MLP(2, [6, 4], generator=seeded()).double()
    assert encoder.n_features == 4
    x = torch.randn(3, 2, dtype=torch.float64, generator=seeded(1)).requires_grad_()
    assert encoder(x).shape == (3, 4)
    assert torch.autograd.gradgradcheck(encoder, (x,))
