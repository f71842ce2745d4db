"""log Z and the gain of a residual, against closed forms."""

import math

import pytest
import torch
from torch import Generator

from gedi.normalizer.residual import (
    held_out_gain,
    likeliest_gain,
    residual_log_normalizer,
    residuals_of_draws,
)
from tilted_normal import tilted


def draws(model, seed=0):
    return residuals_of_draws(model, 20_000, Generator().manual_seed(seed))


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_log_z_of_a_tilted_normal(slope):
    found = residual_log_normalizer(draws(tilted(slope)))
    assert found.value == pytest.approx(slope**2 / 2, abs=4 * found.error + 1e-6)
    assert found.trusted and found.method == "base"
    assert found.ess / 20_000 == pytest.approx(math.exp(-(slope**2)), rel=0.15)


@pytest.mark.parametrize(("truth", "expected"), [(1.0, 1.0), (0.5, 0.5), (0.0, 0.0), (-0.5, 0.0)])
def test_the_gain_is_what_held_out_points_ask_for(truth, expected):
    held_out = truth + torch.randn(4000, 1, generator=Generator().manual_seed(1))
    found = likeliest_gain(tilted(1.0), held_out, draws(tilted(1.0), seed=2))
    assert found == pytest.approx(expected, abs=0.1)


def test_without_points_the_base_stays_as_it_is():
    assert likeliest_gain(tilted(1.0), torch.empty(0, 1), draws(tilted(1.0))) == 0


def test_the_gain_of_held_out_points_is_that_of_their_log_density():
    generator = Generator().manual_seed(3)
    held_out = 0.5 + torch.randn(4000, 1, generator=generator)
    drawn = torch.randn(20_000, 1, generator=generator)
    # log p(x) - log q(x) = slope x - slope² / 2, whose mean is slope (1 - slope) / 2 here.
    for slope in (0.5, 1.0):
        found = held_out_gain(tilted(slope), held_out, drawn)
        assert found == pytest.approx(slope * (1 - slope) / 2, abs=0.05)
