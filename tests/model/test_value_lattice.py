"""Repeated values and their cells."""

import pytest
import torch

from gedi.model.lattice import cell_widths, dequantised


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(n, seed=0):
    return torch.randn(n, dtype=torch.float64, generator=seeded(seed))


def column(values):
    return cell_widths(torch.as_tensor(values, dtype=torch.float64)[:, None])[:, 0]


@pytest.mark.parametrize("step", [1.0, 0.25, 1e-4, 1e6])
def test_values_on_a_grid_have_its_step(step):
    widths = column(step * (3 * normal(500)).round() + 7 * step)
    torch.testing.assert_close(widths, torch.full_like(widths, step))


def test_scaled_integers_in_float32_are_still_on_a_grid():
    counts = (20 * torch.rand(500, generator=seeded())).floor()
    scaled = ((counts - counts.mean()) / counts.std()).float().double()
    assert float(column(scaled)[0]) == pytest.approx(1 / float(counts.std()), rel=1e-4)


def test_continuous_and_constant_columns_have_no_cells():
    assert bool((column(normal(500)) == 0).all())
    assert bool((column(torch.full((500,), 4.0)) == 0).all())


def test_a_spike_among_continuous_values_has_a_narrow_cell():
    x = normal(500)
    x[::3] = 0.0
    widths = column(x)
    assert bool((widths[x != 0] == 0).all())
    assert bool((widths[x == 0] > 0).all()) and float(widths.max()) < 0.2


def test_uneven_codes_reach_to_the_nearest_other():
    codes = torch.tensor([0.0, 1.0, 3.1, 10.0], dtype=torch.float64)
    widths = column(codes.repeat(50))
    torch.testing.assert_close(widths[:4], torch.tensor([1.0, 1.0, 2.1, 6.9]).double())


def test_dequantised_values_stay_in_their_cells_and_fill_them():
    x = torch.stack([(3 * normal(4000)).round(), normal(4000, 1)], 1)
    spread = dequantised(x, cell_widths(x), seeded())
    assert torch.equal(spread[:, 1], x[:, 1])
    noise = spread[:, 0] - x[:, 0]
    assert float(noise.abs().max()) <= 0.5
    # Variance 1/12, standard error 0.0012.
    assert float(noise.var()) == pytest.approx(1 / 12, abs=0.005)


@pytest.mark.parametrize("factor", [1.0, 100.0, -2.0])
def test_copies_stay_copies(factor):
    flags = (torch.rand(200, generator=seeded()) < 0.4).double()
    x = torch.stack([flags, factor * flags + 3], 1)
    spread = dequantised(x, cell_widths(x), seeded())
    torch.testing.assert_close(spread[:, 1], factor * spread[:, 0] + 3)


def test_columns_without_repeats_are_passed_over_and_others_are_not():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 4, dtype=torch.float64, generator=generator)
    x[:, 1] = (2 * x[:, 1]).round()  # a grid
    x[:10, 2] = 0.0  # a spike of 5 %
    x[:9, 3] = 0.0  # too few
    assert (cell_widths(x) > 0).any(0).tolist() == [False, True, True, False]
