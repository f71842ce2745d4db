"""Columns on a robust scale, with compressed tails and normal laws."""

import math

import pytest
import torch

from gedi.model.margins import Margins, location_and_scale, quantiles


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=seeded(seed))


def fitted(x, *normal):
    return Margins.fit(x, torch.tensor(normal))


def test_quantiles_are_those_of_torch():
    x, levels = randn(101, 3), torch.tensor([0.0, 0.013, 0.5, 0.99, 1.0], dtype=torch.float64)
    torch.testing.assert_close(quantiles(x, levels), torch.quantile(x, levels, dim=0))


def test_scale_is_the_standard_deviation_of_a_gaussian_and_stands_far_rows():
    x = 5 + 3 * randn(20_000, 1)
    x[:200] = 1e12
    location, scale = location_and_scale(x)
    assert float(location) == pytest.approx(5, abs=0.15)
    assert float(scale) == pytest.approx(3, abs=0.15)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([7.0] * 100, 7.0),  # constant
        ([0.0] * 100, 1.0),
        ([0.0] * 999 + [1.0], math.sqrt(0.999 * 0.001)),  # one flag in a thousand
    ],
)
def test_scale_of_columns_without_spread(values, scale):
    x = torch.tensor(values, dtype=torch.float64)[:, None]
    assert float(location_and_scale(x)[1]) == pytest.approx(scale)


def test_linear_in_the_bulk_and_twice_a_logarithm_beyond():
    x = randn(1000, 1)
    margins = fitted(x, False)
    t = torch.tensor([[-2.0], [5.9], [-6 * math.e], [1e12]], dtype=torch.float64)
    z, log_det = margins(margins.shift + margins.scale * t)
    far = 6 * (1 + math.log(1 + math.log(1e12 / 6)))
    expected = [[-2.0], [5.9], [-6 * (1 + math.log(2))], [far]]
    torch.testing.assert_close(z, torch.tensor(expected, dtype=torch.float64))
    slopes = [0, 0, -1 - math.log(2), -math.log(1e12 / 6) - math.log(1 + math.log(1e12 / 6))]
    expected = torch.tensor(slopes, dtype=torch.float64) - margins.scale.log()
    torch.testing.assert_close(log_det, expected)


def test_splines_make_margins_normal():
    x = torch.cat([randn(4000, 1).exp(), torch.rand(4000, 1, generator=seeded()).double()], 1)
    z = fitted(x, True, True)(x)[0]
    levels = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    expected = torch.special.ndtri(levels)[:, None].expand(-1, 2)
    torch.testing.assert_close(quantiles(z, levels), expected, rtol=0, atol=0.03)


@pytest.mark.parametrize("normal", [(False, False, False), (True, False, True), (True,) * 3])
def test_inverse_and_slope(normal):
    x = torch.stack([(3 * randn(500)).exp(), randn(500, seed=1), randn(500, seed=2) ** 3], 1)
    margins = fitted(x, *normal)
    x = torch.cat([x, torch.tensor([[1e30] * 3, [-1e12] * 3, [0.0] * 3]).double()])
    z, log_det = margins(x)
    assert z.isfinite().all() and log_det.isfinite().all()
    torch.testing.assert_close(margins.inverse(z), x, rtol=1e-6, atol=1e-9)
    bulk = x[:500].requires_grad_()
    slopes = torch.autograd.grad(margins(bulk)[0].sum(), bulk)[0]  # column by column
    torch.testing.assert_close(slopes.log().sum(1), log_det[:500])
