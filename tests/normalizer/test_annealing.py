"""log Z by annealing against closed forms, and whether its error is right."""

import math

import pytest
import torch

from gedi.model.box import Box
from gedi.normalizer import annealing
from gedi.normalizer.annealing import annealed_log_normalizer
from gedi.normalizer.grid import grid_log_normalizer
from gedi.sampling import likeliest_bandwidth
from known_energies import (
    LOG_ROOT,
    banana,
    cube,
    flat,
    gaussian,
    heavy_tails,
    normal,
    shifted,
    three_modes,
)

torch.set_num_threads(1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def estimate(case, seed=0, **options):
    energy, anchors, box, _ = case
    bandwidth = likeliest_bandwidth(anchors)
    return annealed_log_normalizer(
        energy, anchors, bandwidth, box, generator=seeded(seed), **options
    )


def truth(case):
    box, log_z = case[2:]
    return float((box.high - box.low).log().sum()) if log_z is None else log_z


@pytest.mark.parametrize(
    "case",
    [
        gaussian(1),
        gaussian(10),
        pytest.param(gaussian(50), marks=pytest.mark.slow),
        shifted(10),
        three_modes(2),
        three_modes(10),
        banana(2),
        banana(20),
        heavy_tails(1),
        heavy_tails(3),
        flat(1),
        flat(10),
        pytest.param(flat(50), marks=pytest.mark.slow),
    ],
    ids=lambda case: f"{case[1].shape[1]}",
)
def test_known_normalizers(case):
    got = estimate(case)
    assert got.method == "annealing" and got.trusted
    assert got.error < 0.1
    assert abs(got.value - truth(case)) < 0.1
    # Over 30 seeds the distance in errors has mean 0.0 and deviation 1.1; here each has one seed.
    assert abs(got.value - truth(case)) < 4 * got.error


@pytest.mark.slow
def test_the_error_bar_is_honest():
    """The spread over seeds is what the error says, and 95 % are within two of it."""
    case = three_modes(4)
    got = [estimate(case, seed, n_chains=128, most_chains=128) for seed in range(24)]
    scores = torch.tensor([(g.value - truth(case)) / g.error for g in got])
    assert (scores.abs() <= 2).sum() >= 20  # of 24; fewer by chance 0.6 %
    assert 0.6 < float(scores.square().mean().sqrt()) < 1.5  # standard error 0.15


def test_it_agrees_with_the_grid():
    def energy(x):  # a ring with a gap, cut by the wall
        radius = x.norm(dim=-1)
        return ((radius - 1) / 0.1).square() / 2 + 2 * torch.sin(x[..., 0] * 3)

    angle = 6 * torch.rand(200, generator=seeded(3))
    anchors = torch.stack([angle.cos(), angle.sin()], -1)
    box = Box(torch.tensor([-2.0, -0.5]), torch.tensor([2.0, 2.0]))
    anchors = anchors[box.contains(anchors)]
    got = annealed_log_normalizer(energy, anchors, 0.1, box, generator=seeded())
    assert got.error < 0.05
    expected = float(grid_log_normalizer(energy, box.low, box.high))
    assert abs(got.value - expected) < 3 * got.error


def test_only_the_box_counts():
    # Half of the Gaussian is cut off; the energy outside is not even a number.
    def energy(x):
        return torch.where(x[..., 0] >= 0, x.square().sum(-1) / 2, torch.nan)

    box = Box(torch.tensor([0.0, -9.0, -9.0]), torch.full((3,), 9.0))
    anchors = normal(200, 3)
    anchors[:, 0] = anchors[:, 0].abs()
    got = annealed_log_normalizer(energy, anchors, 0.5, box, generator=seeded())
    assert got.trusted
    assert abs(got.value - (3 * LOG_ROOT - math.log(2))) < 3 * got.error


def test_regions_without_density_count_as_none():
    energy, anchors, box, log_z = gaussian(2)

    def half(x):
        return torch.where(x[..., 1] > 0, energy(x), torch.inf * torch.ones_like(x[..., 0]))

    got = annealed_log_normalizer(half, anchors, 0.2, box, generator=seeded())
    assert abs(got.value - (log_z - math.log(2))) < 3 * got.error


def test_a_spike_far_from_the_anchors_is_not_trusted():
    """Some of the chains that start all over the box slide into it and carry all the weight."""

    def energy(x):
        spike = 30 - 0.5 * ((x - 6) / 0.5).square().sum(-1)
        return -torch.logaddexp(-0.5 * x.square().sum(-1), spike)

    got = annealed_log_normalizer(energy, normal(200, 3), 0.6, cube(3), generator=seeded())
    assert got.value > 20  # found
    assert not got.trusted


def test_a_wide_mass_far_from_the_anchors_is_found():
    def energy(x):
        return 0.5 * (x - 4).square().sum(-1)

    got = annealed_log_normalizer(energy, normal(200, 3), 0.6, cube(3), generator=seeded())
    assert abs(got.value - 3 * LOG_ROOT) < 3 * got.error


def test_too_few_temperatures_are_not_trusted():
    assert not estimate(shifted(50), n_temperatures=5).trusted


def test_it_tries_again_until_the_error_is_small_enough():
    case = three_modes(10)
    once = estimate(case, n_chains=100, most_chains=100)
    assert once.error > 0.06
    enough = estimate(case, n_chains=100, most_chains=1600, tolerance=0.06)
    assert enough.error <= 0.06
    assert estimate(case, n_chains=100, most_chains=1600, tolerance=1.0) == once


def test_more_chains_make_it_better():
    few, many = (estimate(three_modes(10), n_chains=n, most_chains=n) for n in (100, 1600))
    assert many.error == pytest.approx(few.error / 4, rel=0.4)
    assert 8 < many.ess / few.ess < 32


def test_a_constant_shifts_it():
    energy, *rest = gaussian(3)
    low = estimate((energy, *rest))
    high = estimate((lambda x: energy(x) - 7, *rest))
    # Not exactly: float32 energies.
    assert high.value - low.value == pytest.approx(7, abs=0.02)


def test_the_same_generator_gives_the_same():
    case = banana(2)
    assert estimate(case, 5) == estimate(case, 5) != estimate(case, 6)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_energy_without_an_integral_is_not_trusted(value):
    got = annealed_log_normalizer(
        lambda x: 0 * x.sum(-1) + value, normal(50, 2), 0.5, cube(2), generator=seeded()
    )
    assert math.isnan(got.value) and not got.trusted


def test_start_is_a_density():
    """-log q integrates to one over a box that holds it, and its draws follow it."""
    anchors = 0.1 * normal(30, 2) + 0.4
    box = cube(2, -3.0, 3.0)
    base = annealing.GaussianBase.fit(anchors, 0.2)
    start = annealing._Start(anchors, 0.1, base, box)
    assert float(grid_log_normalizer(start, box.low, box.high)) == pytest.approx(0, abs=1e-4)
    drawn = start.draw(40_000, seeded())
    near = Box(torch.full((2,), 0.2), torch.full((2,), 0.6))
    expected = math.exp(float(grid_log_normalizer(start, near.low, near.high)))
    # Standard error 0.0025.
    assert float(near.contains(drawn).float().mean()) == pytest.approx(expected, abs=0.008)


def test_the_gradient_of_the_start_is_its_slope():
    anchors = normal(30, 4).double()
    base = annealing.GaussianBase.fit(anchors, 0.2)
    start = annealing._Start(anchors, 0.5, base, cube(4))
    x = torch.cat([anchors[:5] + 0.1, 3 * anchors[:5], 20 + anchors[:1]])
    gradient, step = start.with_gradient(x)[1], 1e-5 * torch.eye(4).double()
    slopes = [(start(x + h) - start(x - h)) / 2e-5 for h in step]
    torch.testing.assert_close(gradient, torch.stack(slopes, 1), atol=1e-7, rtol=1e-7)


def test_the_share_of_the_start_in_the_box():
    anchors = normal(100, 1)
    base = annealing.GaussianBase.fit(anchors, 0.0)
    start = annealing._Start(anchors, 0.3, base, Box(torch.tensor([0.3]), torch.tensor([2.0])))
    x, share, variance = start.draw_inside(1000, seeded())
    assert len(x) == 1000 and bool(start.box.contains(x).all())
    low, high = start.box
    expected = math.exp(float(grid_log_normalizer(start, low, high)))
    assert abs(share / expected - 1) < 4 * math.sqrt(variance)


def test_error_and_sample_size_are_those_of_families():
    """Two founders left: however even the weights, the sample size is two."""
    weights = annealing._Weights(100, torch.device("cpu"))
    increments = torch.full((100,), -math.inf, dtype=torch.float64)
    increments[[3, 70]] = 0.0
    weights.add(increments)
    assert weights.are_uneven
    index = weights.resample(seeded())
    assert torch.bincount(index, minlength=100)[[3, 70]].tolist() == [50, 50]
    assert not weights.are_uneven
    assert weights.ess == pytest.approx(2)
    assert weights.log_mean == pytest.approx(math.log(2 / 100))
    assert weights.relative_variance == pytest.approx(49 / 99)


def test_the_longest_step_keeps_the_sample_size():
    weights = annealing._Weights(1000, torch.device("cpu"))
    slope = 50 * torch.randn(1000, dtype=torch.float64, generator=seeded())
    step = weights.longest_step(slope, 1.0)
    # For Gaussian slopes, 1 / cess = exp((50 step)²).
    best = math.sqrt(-math.log(annealing._STEP_ESS)) / 50
    assert 0.7 * best < step < 1.1 * best
    assert weights.longest_step(0 * slope, 0.3) == 0.3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"anchors": torch.zeros(4, 3)}, r"anchors \(m, 2\), got \(4, 3\)"),
        ({"anchors": torch.zeros(1, 2)}, r"2 or more anchors"),
        ({"bandwidth": 0.0}, "positive bandwidth, got 0.0"),
        ({"box": cube(2, 1.0, 1.0)}, "a box with low < high"),
        ({"n_chains": 1}, "n_chains >= 2 .* got 1 and 500"),
        ({"n_temperatures": 0}, "n_temperatures >= 1, got 512 and 0"),
    ],
)
def test_mistakes(change, message):
    given = {"anchors": normal(9, 2), "bandwidth": 0.5, "box": cube(2), **change}
    with pytest.raises(ValueError, match=message):
        annealed_log_normalizer(lambda x: x.sum(-1), generator=seeded(), **given)
