"""Members of a batched network against single networks."""

import copy

import pytest
import torch
from torch import nn

from gedi.errors import SettingsError
from gedi.model import EnergyClassifier, member
from gedi.model.encoders import MLP, MemberLinear, OwnEncoder


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


def test_the_generator_determines_the_weights():
    a, b, c = (MLP(3, [4], generator=seeded(s)).layers[0].weight for s in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_width_is_n_features_and_activation_is_smooth():
    encoder = MLP(2, [6, 4], generator=seeded()).double()
    assert encoder.n_features == 4
    x = torch.randn(3, 2, dtype=torch.float64, generator=seeded(1)).requires_grad_()
    assert encoder(x).shape == (3, 4)
    assert torch.autograd.gradgradcheck(encoder, (x,))


CONV = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.SiLU(), nn.Flatten(), nn.Linear(64, 5))


def test_own_encoder_computes_what_the_module_does():
    x = torch.randn(7, 16, generator=seeded())
    torch.testing.assert_close(OwnEncoder(CONV, (1, 4, 4))(x), CONV(x.reshape(7, 1, 4, 4)))


def test_members_of_an_own_encoder_are_independent():
    encoder = OwnEncoder(CONV, (1, 4, 4), members=(3,))
    x = torch.randn(3, 7, 16, generator=seeded())
    with torch.no_grad():
        for value in encoder.stacked.values():
            value[1] = 0
    out = encoder(x)
    assert out.shape == (3, 7, 5) and encoder.n_features == 5
    torch.testing.assert_close(out[2], CONV(x[2].reshape(7, 1, 4, 4)))
    assert not out[1].any()
    out[0].sum().backward()
    for value in encoder.stacked.values():
        assert value.grad[0].any() and not value.grad[1:].any()
    assert encoder(x[0]).shape == (3, 7, 5)


def test_own_encoder_keeps_buffers_types_and_names():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("shift", torch.ones(2))
            self.inner = nn.Linear(2, 3)

        def forward(self, x):
            return self.inner(x + self.shift)

    module = Shifted()
    encoder = copy.deepcopy(OwnEncoder(module, (2,))).double()
    x = torch.randn(4, 2, generator=seeded(), dtype=torch.float64)
    torch.testing.assert_close(encoder(x), copy.deepcopy(module).double()(x))
    assert set(encoder.state_dict()) == {"stacked.inner/weight", "stacked.inner/bias", "shift"}


def test_dropout_of_an_own_encoder_is_off():
    encoder = OwnEncoder(nn.Sequential(nn.Linear(2, 50), nn.Dropout(0.5)), (2,)).train()
    x = torch.ones(4, 2)
    assert torch.equal(encoder(x), encoder(x))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(5, 2), r"maps a batch of shape \(n, 3\); calling it failed"),
        (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), "no batch normalisation.*got 1"),
        (nn.Flatten(0), "one row of features for each point, got"),
    ],
)
def test_unsuitable_modules_are_refused(module, message):
    with pytest.raises(SettingsError, match=message):
        OwnEncoder(module, (3,))


def test_own_encoders_may_differ():
    first, second = (nn.Linear(3, 2) for _ in range(2))
    encoder = OwnEncoder(first, (3,), members=(2,), others=[second])
    x = torch.randn(4, 3, generator=seeded())
    torch.testing.assert_close(encoder(x), torch.stack([first(x), second(x)]))
