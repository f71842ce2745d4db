"""Geometry of views: maps with known answers, and both changes in one."""

import math

import pytest
import torch
from kornia.geometry.transform import get_affine_matrix2d, warp_affine

from gedi.views.geometry import Geometry, mirrored


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def smooth(n=6, shape=(2, 24, 32)):
    """Waves that interpolation follows, the same in all images."""
    y, x = torch.meshgrid(torch.linspace(0, 3, shape[1]), torch.linspace(0, 4, shape[2]),
                          indexing="ij")  # fmt: skip
    waves = [torch.sin(x + 0.5 * y), torch.cos(x - y)]
    return torch.stack(waves).double().expand(n, *shape)


def test_affine_changes_are_those_of_kornia():
    images, n = smooth(), 6
    chosen = Geometry(rotate=20.0, shift=0.1, zoom=0.2, shear=15.0)
    generator = seeded(3)
    # The same numbers, in the order in which they are drawn.
    unit = [2 * torch.rand(n, dtype=torch.float64, generator=generator) - 1 for _ in range(6)]
    sides = torch.tensor([32.0, 24.0], dtype=torch.float64)
    matrix = get_affine_matrix2d(
        translations=0.1 * torch.stack([unit[4], unit[5]], -1) * sides,
        center=((sides - 1) / 2).expand(n, 2),
        scale=1 + 0.2 * torch.stack([unit[2], unit[3]], -1),
        angle=20.0 * unit[0],
        sx=-math.radians(15.0) * unit[1],  # its shears go the other way
        sy=0 * unit[1],
    )
    theirs = warp_affine(images, matrix[:, :2], (24, 32), padding_mode="border", align_corners=True)
    ours = chosen(images, seeded(3))
    torch.testing.assert_close(ours, theirs)
    assert (ours - images).abs().max() > 0.1


@pytest.mark.parametrize("aspect", [1.0, 1.5])
def test_crops_come_after_changes(aspect):
    ramp = torch.linspace(-1, 1, 41, dtype=torch.float64)
    images = torch.stack([ramp.expand(41, 41), ramp[:, None].expand(41, 41)]).expand(50, 2, 41, 41)
    both = Geometry(rotate=10.0, zoom=0.1, crop=0.3, aspect=aspect)(images, seeded())
    generator = seeded()
    changed = Geometry(rotate=10.0, zoom=0.1)(images, generator)
    unit = 2 * torch.rand(2, 50, dtype=torch.float64, generator=generator) - 1
    width = ((0.65 + 0.35 * unit[0]) * (unit[1] * math.log(aspect)).exp()).sqrt().clamp_max(1)
    # Where the image is linear, what is enlarged is flatter by as much.
    inner = (..., slice(15, 26), slice(15, 26))
    slopes = [each[inner].diff(dim=-1)[:, 0].mean((1, 2)) for each in (both, changed)]
    torch.testing.assert_close(slopes[0], width * slopes[1])


def test_without_strength_images_stay():
    images = smooth()
    torch.testing.assert_close(Geometry()(images, seeded()), images)


def test_mirrors():
    images = smooth(400)
    seen = mirrored(images, seeded(), 0.25)
    turned = (seen == images.flip(-1)).flatten(1).all(-1)
    assert (turned ^ (seen == images).flatten(1).all(-1)).all()
    assert float(turned.double().mean()) == pytest.approx(0.25, abs=0.07)
