"""Image encoders: shapes, weights, and the properties that an energy needs."""

import pytest
import torch
from torch import nn

from gedi.model.convolutions import ResNet8, ResNet18, SmallConvNet, convolution
from gedi.model.encoders import OwnEncoder

ENCODERS = [SmallConvNet, ResNet8, ResNet18]
each_encoder = pytest.mark.parametrize("encoder", ENCODERS)
each_shape = pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 9, 13)])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n, shape, seed=1):
    return torch.rand(n, *shape, generator=seeded(seed)) * 2 - 1


@each_encoder
@each_shape
def test_width_is_n_features_and_activations_keep_their_scale(encoder, shape):
    net = encoder(shape, seeded())
    with torch.no_grad():
        out = net(images(4, shape))
    assert out.shape == (4, net.n_features)
    least = 1e-4 if encoder is SmallConvNet else 0.02  # it starts with small weights
    assert least < float(out.std()) < 20


def test_small_conv_net_starts_with_weights_of_two_fifths_of_the_usual():
    for layer in SmallConvNet((1, 28, 28), seeded()).modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            usual = (6 / layer.weight[0].numel()) ** 0.5
            assert 0.38 * usual < float(layer.weight.detach().abs().max()) <= 0.4 * usual


@each_encoder
def test_the_generator_determines_the_weights_and_the_global_state_is_unchanged(encoder):
    state = torch.random.get_rng_state()
    a, b, c = (encoder((1, 8, 8), seeded(s)).state_dict() for s in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)


@each_encoder
def test_an_image_does_not_depend_on_its_companions(encoder):
    net = encoder((3, 8, 8), seeded()).double()
    x = images(5, (3, 8, 8)).double()
    with torch.no_grad():
        together = net(x)
        alone = torch.cat([net(each[None]) for each in x])
    torch.testing.assert_close(together, alone, atol=1e-10, rtol=0)


@each_encoder
def test_smooth(encoder):
    """The gradient's derivative along a line is that of its difference, and is not zero."""
    net = encoder((1, 8, 8), seeded()).double()
    x, v = images(2, (1, 8, 8)).double(), images(2, (1, 8, 8), 2).double()

    def gradient(at, create_graph=False):
        at = at if at.requires_grad else at.detach().requires_grad_()
        return torch.autograd.grad(net(at).square().sum(), at, create_graph=create_graph)[0]

    start = x.clone().requires_grad_()
    (curvature,) = torch.autograd.grad((gradient(start, create_graph=True) * v).sum(), start)
    step = 1e-5
    difference = (gradient(x + step * v) - gradient(x - step * v)) / (2 * step)
    torch.testing.assert_close(curvature, difference, rtol=1e-4, atol=1e-6 * curvature.abs().max())
    assert curvature.abs().max() > 0


@pytest.mark.parametrize(
    ("encoder", "shape", "count"),
    [
        # 5x5 32, 3x3 64, 3x3 64, dense 256, with biases.
        (SmallConvNet, (1, 28, 28), 832 + 18_496 + 36_928 + 256 * (64 * 49 + 1)),
        (ResNet8, (3, 32, 32), 3_584 + 147_584 + 512 + 6 * 147_584),
        # 11,173,962 of the usual one for 32 pixels, less its last layer of 10 classes.
        (ResNet18, (3, 32, 32), 11_173_962 - 5_130),
    ],
)
def test_parameter_counts(encoder, shape, count):
    assert sum(p.numel() for p in encoder(shape, seeded()).parameters()) == count


def test_resnet8_has_eight_convolutions():
    net = ResNet8((3, 8, 8), seeded(), width=16)
    assert net.n_features == 16
    assert sum(m.kernel_size == (3, 3) for m in net.modules() if hasattr(m, "kernel_size")) == 8


def test_weights_keep_the_variance():
    layer = convolution(40, 50, 3, generator=seeded())
    assert float(layer.weight.detach().var()) == pytest.approx(2 / 360, rel=0.03)
    assert not layer.bias.any()


@each_encoder
def test_serves_as_an_encoder_of_flat_points(encoder):
    net = encoder((1, 8, 8), seeded())
    x = images(3, (1, 8, 8))
    own = OwnEncoder(net, (1, 8, 8))
    with torch.no_grad():
        torch.testing.assert_close(own(x.flatten(1)), net(x))
