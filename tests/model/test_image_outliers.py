"""Features of images: exact values, and an energy that finds smooth and noisy images alike."""

import math

import pytest
import torch
from torch import Generator, nn
from torch.nn.functional import avg_pool2d

from gedi.model.image_outliers import ImageOutlierEnergy, image_features, pixel_statistics

LEAST = math.log(1e-4)


class Linear(nn.Module):
    """The energy a · x, whose gradient is a."""

    def __init__(self, slope):
        super().__init__()
        self.slope = slope

    def energy(self, x):
        return x @ self.slope


class Quadratic(nn.Module):
    """The energy |x|² / 2, whose gradient is x."""

    def energy(self, x):
        return x.square().sum(1) / 2


def seeded(seed=0):
    return Generator().manual_seed(seed)


def smooth(n, side=8, seed=0):
    """Images (n, 1, side, side) of blurred noise, with rough values."""
    x = torch.randn(n, 1, side + 2, side + 2, generator=seeded(seed), dtype=torch.float64)
    return avg_pool2d(x, 3, stride=1)


def test_a_constant_image_has_no_differences():
    found = pixel_statistics(torch.full((1, 2, 8, 8), 0.3, dtype=torch.float64))
    # Two channels, two directions, and the scales with 8 and 4 pixels; then means and variances.
    expected = [LEAST] * 8 + [0.3, 0.3] + [LEAST] * 2
    torch.testing.assert_close(found, torch.tensor([expected], dtype=torch.float64))


def test_a_checkerboard_is_rough_at_the_finest_scale_alone():
    u = torch.arange(8)
    board = (1.0 - 2.0 * ((u[:, None] + u) % 2)).double()
    found = pixel_statistics(board[None, None])
    expected = [math.log(4 + 1e-4)] * 2 + [LEAST] * 2 + [0.0, math.log(1 + 1e-4)]
    torch.testing.assert_close(found, torch.tensor([expected], dtype=torch.float64))


def test_directions_are_told_apart():
    stripes = torch.tensor([1.0, -1.0]).double().repeat(4).expand(8, 8)
    across, down = pixel_statistics(stripes[None, None])[0, :2].tolist()
    assert across == pytest.approx(math.log(4 + 1e-4)) and down == pytest.approx(LEAST)


@pytest.mark.parametrize(
    ("shape", "n"),
    # 28, 14, 7 and 4 pixels; at least one scale; one direction; and none.
    [((1, 28, 28), 10), ((3, 2, 2), 12), ((1, 1, 9), 3), ((1, 1, 1), 2)],
)
def test_scales_down_to_four_pixels(shape, n):
    found = pixel_statistics(torch.zeros(5, *shape))
    assert found.shape == (5, n) and found.isfinite().all()


def test_energy_and_slope_are_those_of_the_network():
    slope = torch.arange(1.0, 17.0).double()
    z = torch.randn(7, 16, generator=seeded(), dtype=torch.float64)
    with torch.no_grad():
        found = image_features(Linear(slope), z, (1, 4, 4))
    torch.testing.assert_close(found[:, 0], z @ slope)
    torch.testing.assert_close(found[:, 1], slope.norm().log().expand(7))
    torch.testing.assert_close(found[:, 2:], pixel_statistics(z.reshape(7, 1, 4, 4)))
    assert not found.requires_grad


def test_many_images_have_the_features_of_each():
    z = torch.randn(600, 16, generator=seeded(), dtype=torch.float64)
    found = image_features(Quadratic(), z, (1, 4, 4))
    torch.testing.assert_close(found[:, 1], z.norm(dim=1).log())
    some = image_features(Quadratic(), z[590:], (1, 4, 4))
    torch.testing.assert_close(found[590:], some)


def test_a_flat_energy_has_finite_features():
    z = torch.randn(3, 16, generator=seeded())
    assert image_features(Linear(torch.zeros(16)), z, (1, 4, 4)).isfinite().all()


def test_smooth_noisy_and_bright_images_are_unusual():
    x = smooth(400)
    network, shape = Quadratic(), (1, 8, 8)
    energy, places = ImageOutlierEnergy.of_images(network, x.flatten(1), shape, seeded())
    assert len(places) == len(energy.held_out) == 400
    others = {
        "constant": x.mean((2, 3), keepdim=True).expand_as(x),
        "noise": torch.randn(x.shape, generator=seeded(1), dtype=torch.float64),
        "bright": x + 3,
        "far": x * 1e100,
    }
    for name, images in others.items():
        found = energy.of(network, images.flatten(1))
        assert found.isfinite().all(), name
        assert (energy.p_values(found) <= 0.01).double().mean() > 0.95, name
    # The density prefers constant images.
    assert (
        network.energy(others["constant"].flatten(1)).mean() < network.energy(x.flatten(1)).mean()
    )


def test_new_images_have_uniform_p_values():
    network, shape, rates = Quadratic(), (1, 8, 8), []
    for seed in range(10):
        x = smooth(300, seed=seed).flatten(1)
        energy, _ = ImageOutlierEnergy.of_images(network, x[:100], shape, seeded(seed))
        p = energy.p_values(energy.of(network, x[100:]))
        rates.append([float((p <= alpha).double().mean()) for alpha in (0.05, 0.2, 0.5)])
    means = torch.tensor(rates).mean(0)
    torch.testing.assert_close(means, torch.tensor([0.05, 0.2, 0.5]), atol=0.04, rtol=0)


def test_tensors_of_other_images_are_refused():
    x = smooth(50).flatten(1)
    energy, _ = ImageOutlierEnergy.of_images(Quadratic(), x, (1, 8, 8), seeded())
    tensors = energy.state_dict()
    same = ImageOutlierEnergy.blank_for(tensors, (1, 8, 8))
    same.load_state_dict(tensors)
    torch.testing.assert_close(same.of(Quadratic(), x), energy.of(Quadratic(), x))
    with pytest.raises(ValueError, match="expected tensors of the shapes"):
        ImageOutlierEnergy.blank_for(tensors, (3, 8, 8))
