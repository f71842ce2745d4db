"""Colours of views against those of kornia."""

import pytest
import torch
from kornia.color import rgb_to_grayscale
from kornia.enhance import (
    adjust_brightness_accumulative,
    adjust_contrast_with_mean_subtraction,
    adjust_hue,
    adjust_saturation_with_gray_subtraction,
)

from gedi.views.colours import Jitter, greyed


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=7):
    return torch.rand(n, 3, 8, 8, generator=seeded(1), dtype=torch.float64)


def test_jitter_is_four_changes_in_their_order():
    x, strength = images(), 0.7
    unit = torch.rand(5, len(x), 1, 1, 1, dtype=x.dtype, generator=seeded())[..., 0, 0, 0]
    factors = 1 + 0.8 * strength * (2 * unit - 1)
    theirs = adjust_brightness_accumulative(x, factors[0])
    theirs = adjust_contrast_with_mean_subtraction(theirs, factors[1])
    theirs = adjust_saturation_with_gray_subtraction(theirs, factors[2])
    theirs = adjust_hue(theirs, 2 * torch.pi * 0.2 * strength * (2 * unit[3] - 1))
    torch.testing.assert_close(Jitter(strength, 1.0)(x, seeded()), theirs)


def test_some_images_keep_their_colours():
    x = images(400)
    kept = (Jitter(0.5, 0.3)(x, seeded()) == x).flatten(1).all(-1)
    assert float(kept.double().mean()) == pytest.approx(0.7, abs=0.07)


def test_grey_is_luminance():
    x = images(400)
    seen = greyed(x, seeded(), 0.25)
    kept = (seen == x).flatten(1).all(-1)
    assert float(kept.double().mean()) == pytest.approx(0.75, abs=0.07)
    torch.testing.assert_close(seen[~kept], rgb_to_grayscale(x[~kept]).expand(-1, 3, -1, -1))
